/**
 * `int4`: signed 4-bit codes with float32 scales, grouped along the last axis.
 *
 * ```
 * codes       U8  [..., ceil(columns / 2)]   two codes to a byte, the first in the low nibble;
 *                                            each row starts at a byte, an odd row ends in a zero nibble
 * scales      F32 [..., groups per row]      [1] for one scale per tensor
 * zeroPoints  I8  like scales                affine only
 * ```
 *
 * code = clamp(RNE(x / scale) + zeroPoint, −8, 7), value = (code − zeroPoint) · scale,
 * every step in float32. Scale rules:
 *
 * - `absmax`: scale = max |x| / 7
 * - `minmax`: scale = (max − min) / 15, the original module's; codes saturate where data is far from zero
 * - `affine`: min and max extended to hold 0, scale = (max − min) / 15,
 *   zeroPoint = clamp(RNE(−8 − min / scale), −8, 7)
 *
 * A scale of 0 becomes 1. Source: the int4 Python module that this project grew out of.
 *
 * @module
 */
import {
  checkGroupSize,
  FREE_STEP,
  type Grouping,
  grouping,
  type GroupSize,
  groupsShape,
  LONGEST_FUSED_GROUP,
  measureMagnitude,
  measureRange,
  runsOf,
  SCALE_RULES,
  type ScaleMethod,
  strides,
} from "../families/grouped.ts";
import { type Kernel, run } from "../kernels/engine.ts";
import {
  dequantizeInt4,
  dequantizeInt4Groups,
  quantizeInt4,
  quantizeInt4Groups,
} from "../kernels/js/int4.ts";
import { intervalOf, oneOf } from "../numeric/arguments.ts";
import {
  type Overflow,
  rejectNonFinite,
  ScaleOverflow,
} from "../numeric/finite.ts";
import { settleNaNs } from "../numeric/nan.ts";
import { clamp, roundHalfToEven } from "../numeric/rounding.ts";
import { rowLength, withLastAxis } from "../numeric/shape.ts";
import { rejectUnknownOptions } from "../families/options.ts";
import type { Format, Part, PartSpecs } from "../types.ts";

/** Options of the format `int4`. */
export interface Int4Options {
  /** How many values share a scale: a number along the last axis, `"row"`, or `"tensor"` (the default). */
  readonly groupSize?: GroupSize;
  /** How the scale is found: `"absmax"` (the default), `"minmax"` or `"affine"`. */
  readonly scaleMethod?: ScaleMethod;
  /**
   * Take all values to lie between these two instead of looking, as for data that
   * comes in pieces; with `groupSize: "tensor"` only. Values beyond saturate.
   */
  readonly range?: readonly [min: number, max: number];
}

/** The arrays of an `int4` tensor. */
export interface Int4Parts {
  /** Two codes to a byte, the first in the low nibble; rows start at a byte. */
  readonly codes: Part<"U8">;
  /** One scale for each group. */
  readonly scales: Part<"F32">;
  /** One zero point for each group; only with `scaleMethod: "affine"`. */
  readonly zeroPoints?: Part<"I8">;
}

/** `int4` options with everything filled in. */
export interface ResolvedInt4Options {
  /** How many values share a scale. */
  readonly groupSize: GroupSize;
  /** How the scale is found. */
  readonly scaleMethod: ScaleMethod;
  /** The range that values are taken to lie in, if it was given. */
  readonly range?: readonly [min: number, max: number];
  /** What to do where max − min of finite values is beyond float32; `"throw"` by default. */
  readonly overflow?: Overflow;
}

const QUANTIZE: Kernel = { name: "int4_quantize", js: quantizeInt4 };
const QUANTIZE_GROUPS: Kernel = {
  name: "int4_quantize_groups",
  js: quantizeInt4Groups,
};
const DEQUANTIZE: Kernel = { name: "int4_dequantize", js: dequantizeInt4 };
const DEQUANTIZE_GROUPS: Kernel = {
  name: "int4_dequantize_groups",
  js: dequantizeInt4Groups,
};

// ---- the scale rules ----

/** Scale and zero point of a group by its smallest and largest value. */
export function scaleOf(
  method: ScaleMethod,
  min: number,
  max: number,
): [scale: number, zeroPoint: number] {
  if (method === "absmax") {
    return [orOne(Math.fround(Math.max(-min, max) / 7)), 0];
  }
  if (method === "minmax") {
    return [orOne(Math.fround(Math.fround(max - min) / 15)), 0];
  }
  const low = Math.min(min, 0), high = Math.max(max, 0);
  const scale = orOne(Math.fround(Math.fround(high - low) / 15));
  const zeroPoint = roundHalfToEven(Math.fround(-8 - Math.fround(low / scale)));
  return [scale, clamp(zeroPoint, -8, 7) + 0];
}

/** Half of the largest float32: a range between this and its negative has a width that is finite. */
const HALF_OF_LARGEST = 1.7014117331926443e38;

/** Scale and zero point of group `index`, whose first value is number `first`; deals with a scale that is infinite. */
function finiteScaleOf(
  { scaleMethod, overflow = "throw" }: ResolvedInt4Options,
  min: number,
  max: number,
  index: number,
  first: number,
): [scale: number, zeroPoint: number] {
  const found = scaleOf(scaleMethod, min, max);
  if (Number.isFinite(found[0]) || overflow === "keep") return found;
  if (overflow === "throw") throw new ScaleOverflow(index, first, "float32");
  return scaleOf(
    scaleMethod,
    Math.max(min, -HALF_OF_LARGEST),
    Math.min(max, HALF_OF_LARGEST),
  );
}

function orOne(scale: number): number {
  return scale === 0 ? 1 : scale;
}

// ---- the readable reference ----

function referenceQuantize(
  values: Float32Array,
  shape: readonly number[],
  options: ResolvedInt4Options,
  { codes, scales, zeroPoints }: Int4Parts,
): void {
  rejectNonFinite(values);
  codes.data.fill(0);
  scales.data.fill(1);
  const groups = grouping(shape, options.groupSize);
  for (let index = 0; index < scales.data.length; index++) {
    quantizeGroup(
      values,
      options,
      { codes, scales, zeroPoints },
      groups,
      index,
    );
  }
}

/** Quantizes one group into codes that are zeros. */
function quantizeGroup(
  values: Float32Array,
  options: ResolvedInt4Options,
  { codes, scales, zeroPoints }: Int4Parts,
  groups: Grouping,
  index: number,
): void {
  const members = membersOf(groups, index);
  let [min, max] = members.length > 0 ? [Infinity, -Infinity] : [0, 0];
  for (const i of members) {
    [min, max] = [Math.min(min, values[i]), Math.max(max, values[i])];
  }
  if (options.range) [min, max] = options.range;
  const first = members[0] ?? 0;
  const [scale, zeroPoint] = finiteScaleOf(options, min, max, index, first);
  scales.data[index] = scale;
  if (zeroPoints) zeroPoints.data[index] = zeroPoint;
  for (const i of members) {
    const rounded = roundHalfToEven(Math.fround(values[i] / scale));
    const { byte, shift } = placeOf(groups, i);
    codes.data[byte] |= (clamp(rounded + zeroPoint, -8, 7) & 15) << shift;
  }
}

function referenceDequantize(
  { codes, scales, zeroPoints }: Int4Parts,
  shape: readonly number[],
  options: ResolvedInt4Options,
  out: Float32Array,
): void {
  const groups = grouping(shape, options.groupSize);
  for (let index = 0; index < scales.data.length; index++) {
    const zeroPoint = zeroPoints ? zeroPoints.data[index] : 0;
    for (const i of membersOf(groups, index)) {
      const { byte, shift } = placeOf(groups, i);
      const nibble = codes.data[byte] >> shift & 15;
      const code = nibble < 8 ? nibble : nibble - 16;
      out[i] = Math.fround(code - zeroPoint) * scales.data[index];
    }
  }
  settleNaNs(out);
}

/** Indices of the values that share scale number `index`. */
function membersOf(
  { count, columns, group, groupsPerRow, perTensor }: Grouping,
  index: number,
): number[] {
  if (perTensor) return Array.from({ length: count }, (_, i) => i);
  const row = Math.floor(index / groupsPerRow),
    first = (index % groupsPerRow) * group;
  const length = Math.min(group, columns - first);
  return Array.from({ length }, (_, i) => row * columns + first + i);
}

/** Where the code of value `i` is. */
function placeOf(
  { columns }: Grouping,
  i: number,
): { byte: number; shift: number } {
  const row = Math.floor(i / columns), column = i % columns;
  return {
    byte: row * ((columns + 1) >> 1) + (column >> 1),
    shift: 4 * (column % 2),
  };
}

// ---- the fast way ----

function quantize(
  values: Float32Array,
  shape: readonly number[],
  options: ResolvedInt4Options,
  parts: Int4Parts,
): void {
  const groups = grouping(shape, options.groupSize);
  if (isFused(groups)) {
    return quantizeFused(values, options, parts, groups);
  }
  const { codes, scales, zeroPoints } = parts;
  const setScale = (index: number, first: number, n: number) => {
    const [scale, zeroPoint] = measureScale(values, index, first, n, options);
    scales.data[index] = scale;
    if (zeroPoints) zeroPoints.data[index] = zeroPoint;
  };
  if (groups.perTensor) setScale(0, 0, groups.count);
  for (const { first, n, firstByte, scale } of runsOf(groups)) {
    if (!groups.perTensor) setScale(scale, first, n);
    run({
      kernel: QUANTIZE,
      count: n,
      step: FREE_STEP,
      operands: [
        { array: values.subarray(first, first + n), access: "read", bits: 32 },
        {
          array: codes.data.subarray(firstByte, firstByte + Math.ceil(n / 2)),
          access: "write",
          bits: 4,
        },
      ],
      numbers: [
        scales.data[scale],
        zeroPoints?.data[scale] ?? 0,
        // max |x| / 7 leaves no code beyond 7; the other rules and a given range may.
        options.scaleMethod === "absmax" && !options.range ? 0 : 1,
      ],
      // What was measured last is still in a cache.
      backwards: true,
      again: unreachable,
    });
  }
}

/** Whether groups are quantized where they are measured: short ones, and those that start amid a byte. */
function isFused({ group, groupsPerRow, perTensor }: Grouping): boolean {
  return !perTensor &&
    (group <= LONGEST_FUSED_GROUP || (group % 2 === 1 && groupsPerRow > 1));
}

function measureScale(
  values: Float32Array,
  index: number,
  first: number,
  n: number,
  options: ResolvedInt4Options,
): [scale: number, zeroPoint: number] {
  const { scaleMethod, range } = options;
  if (scaleMethod !== "absmax" && !range) {
    const [min, max] = measureRange(values, first, n);
    return finiteScaleOf(options, min, max, index, first);
  }
  const largest = measureMagnitude(values, first, n);
  const [min, max] = range ?? [-largest, largest];
  return finiteScaleOf(options, min, max, index, first);
}

function quantizeFused(
  values: Float32Array,
  options: ResolvedInt4Options,
  parts: Int4Parts,
  groups: Grouping,
): void {
  const { row, step, codes, groups: perStep } = strides(groups),
    zeroPoints = parts.zeroPoints?.data;
  run({
    kernel: QUANTIZE_GROUPS,
    count: groups.count,
    step,
    operands: [
      { array: values, access: "read", bits: 32 },
      { array: parts.codes.data, access: "write", ...codes },
      { array: parts.scales.data, access: "write", bytes: 4 * perStep },
      {
        array: zeroPoints ?? NO_ZERO_POINTS,
        access: "write",
        bytes: zeroPoints ? perStep : 0,
      },
    ],
    numbers: [row, groups.group, SCALE_RULES[options.scaleMethod]],
    again: (first, n) => {
      rejectNonFinite(values, first, first + n);
      quantizeGroups(values, options, parts, groups, first, n);
    },
  });
}

/** By the reference: a stretch of whole groups whose codes fill whole bytes. */
function quantizeGroups(
  values: Float32Array,
  options: ResolvedInt4Options,
  parts: Int4Parts,
  groups: Grouping,
  first: number,
  n: number,
): void {
  const last = first + n - 1, { columns, group, groupsPerRow } = groups;
  const indexOf = (i: number) =>
    Math.floor(i / columns) * groupsPerRow + Math.floor(i % columns / group);
  const { byte: from } = placeOf(groups, first);
  parts.codes.data.fill(0, from, placeOf(groups, last).byte + 1);
  for (let index = indexOf(first); index <= indexOf(last); index++) {
    quantizeGroup(values, options, parts, groups, index);
  }
}

const NO_ZERO_POINTS = new Int8Array(0);

function dequantize(
  parts: Int4Parts,
  shape: readonly number[],
  options: ResolvedInt4Options,
  out: Float32Array,
): void {
  const { codes, scales, zeroPoints } = parts,
    groups = grouping(shape, options.groupSize);
  if (isFused(groups)) return dequantizeFused(parts, groups, out);
  for (const { first, n, firstByte, scale } of runsOf(groups)) {
    run({
      kernel: DEQUANTIZE,
      count: n,
      step: FREE_STEP,
      operands: [
        {
          array: codes.data.subarray(firstByte, firstByte + Math.ceil(n / 2)),
          access: "read",
          bits: 4,
        },
        { array: out.subarray(first, first + n), access: "write", bits: 32 },
      ],
      numbers: [scales.data[scale], zeroPoints?.data[scale] ?? 0],
      again: unreachable,
    });
  }
}

function dequantizeFused(
  { codes, scales, zeroPoints }: Int4Parts,
  groups: Grouping,
  out: Float32Array,
): void {
  const { row, step, codes: codesOf, groups: perStep } = strides(groups);
  run({
    kernel: DEQUANTIZE_GROUPS,
    count: groups.count,
    step,
    operands: [
      { array: codes.data, access: "read", ...codesOf },
      { array: scales.data, access: "read", bytes: 4 * perStep },
      {
        array: zeroPoints?.data ?? NO_ZERO_POINTS,
        access: "read",
        bytes: zeroPoints ? perStep : 0,
      },
      { array: out, access: "write", bits: 32 },
    ],
    numbers: [row, groups.group, zeroPoints ? 1 : 0],
    again: unreachable,
  });
}

function unreachable(): never {
  throw new Error(
    "A kernel that cannot fail did: this is a bug in nibblewise, please report it",
  );
}

// ---- the format ----

const SCALE_METHODS = Object.keys(SCALE_RULES) as ScaleMethod[];

function resolve(options: Int4Options): ResolvedInt4Options {
  rejectUnknownOptions("int4", options, ["groupSize", "scaleMethod", "range"]);
  const { groupSize = "tensor", scaleMethod = "absmax", range } = options;
  checkGroupSize(groupSize);
  oneOf(scaleMethod, SCALE_METHODS, "scaleMethod");
  if (range === undefined) return { groupSize, scaleMethod };
  if (groupSize !== "tensor") {
    throw new RangeError(
      `Cannot use range with groupSize ${groupSize}: it is for groupSize "tensor"`,
    );
  }
  return { groupSize, scaleMethod, range: intervalOf(range, "range") };
}

function span(shape: readonly number[], options: ResolvedInt4Options): number {
  const { group, columns, perTensor, count } = grouping(
    shape,
    options.groupSize,
  );
  // A group of an odd length starts amid a byte, so only whole rows can be cut apart.
  return perTensor ? count : group % 2 === 1 ? columns : group;
}

function parts(
  shape: readonly number[],
  { groupSize, scaleMethod }: ResolvedInt4Options,
): PartSpecs<Int4Parts> {
  const scaleShape = groupsShape(shape, groupSize);
  return {
    codes: {
      dtype: "U8",
      shape: withLastAxis(shape, Math.ceil(rowLength(shape) / 2)),
    },
    scales: { dtype: "F32", shape: scaleShape },
    ...(scaleMethod === "affine" &&
      { zeroPoints: { dtype: "I8", shape: scaleShape } }),
  };
}

/** The format `int4`; see the head of this file for layout and arithmetic. */
export const int4: Format<"int4", Int4Options, Int4Parts, ResolvedInt4Options> =
  {
    name: "int4",
    summary:
      "signed codes, float32 scales per group, row or tensor; symmetric or with zero points",
    source: "the int4 Python module that this project grew out of",
    groupSize: "tensor",
    bitsPerValue: 4,
    // Half a step of max / 7, and room for the float32 roundings.
    errorBound: 1 / 14 + 1e-6,
    resolve,
    kept: ({ groupSize, scaleMethod }) => ({ groupSize, scaleMethod }),
    group: (shape, { groupSize }) => {
      const { group, perTensor, count } = grouping(shape, groupSize);
      return perTensor ? count : group;
    },
    span,
    within: ({ scaleMethod }, min, max) => ({
      groupSize: "tensor",
      scaleMethod,
      range: [Math.fround(min), Math.fround(max)],
    }),
    parts,
    quantize,
    dequantize,
    reference: { quantize: referenceQuantize, dequantize: referenceDequantize },
  };
