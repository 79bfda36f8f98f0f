/**
 * The format `int4` by kernels of its own; src/formats/int4.ts tells layout and
 * arithmetic.
 *
 * @module
 */
import {
  FREE_STEP,
  type Grouping,
  grouping,
  type GroupSize,
  LONGEST_FUSED_GROUP,
  measureMagnitude,
  measureRange,
  runsOf,
  SCALE_RULES,
  type ScaleMethod,
  strides,
} from "../kernels/grouped.ts";
import { type Kernel, run } from "../kernels/engine.ts";
import {
  dequantizeInt4,
  dequantizeInt4Groups,
  quantizeInt4,
  quantizeInt4Groups,
  quantizeRun,
} from "../kernels/js/int4.ts";
import { rangeOf } from "../kernels/js/reduce.ts";
import type { KernelModule } from "../kernels/modules.ts";
import { Race } from "../kernels/race.ts";
import {
  type Overflow,
  rejectNonFinite,
  ScaleOverflow,
} from "../numeric/finite.ts";
import { scaleOf } from "../schemes/int4_scale.ts";
import type { Coder, Part } from "../words/format.ts";
import type { EncodeContext, Ranges } from "../words/scheme.ts";
import type { ResolvedSearchOptions } from "../words/search.ts";

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
export interface ResolvedInt4Options extends ResolvedSearchOptions {
  /** How many values share a scale. */
  readonly groupSize: GroupSize;
  /** How the scale is found. */
  readonly scaleMethod: ScaleMethod;
  /** The range that values are taken to lie in, if it was given. */
  readonly range?: readonly [min: number, max: number];
}

/** The kernels. */
interface Int4Kernels {
  readonly quantize: Kernel;
  readonly quantizeGroups: Kernel;
  readonly dequantize: Kernel;
  readonly dequantizeGroups: Kernel;
}

function kernelsIn(module: KernelModule): Int4Kernels {
  return {
    quantize: { name: "int4_quantize", module, js: quantizeInt4 },
    quantizeGroups: {
      name: "int4_quantize_groups",
      module,
      js: quantizeInt4Groups,
    },
    dequantize: {
      name: "int4_dequantize",
      module,
      js: dequantizeInt4,
      race: new Race(),
    },
    dequantizeGroups: {
      name: "int4_dequantize_groups",
      module,
      js: dequantizeInt4Groups,
      race: new Race(),
    },
  };
}

/**
 * Quantizes and dequantizes by kernels: groups where they are measured, or longer
 * runs once their scale is known.
 *
 * @param module What the kernels are in.
 */
export function int4Runs(
  module: KernelModule,
): Coder<Int4Parts, ResolvedInt4Options> {
  const kernels = kernelsIn(module);
  return {
    quantize: (values, shape, options, parts, context = {}) =>
      quantize(kernels, values, shape, options, parts, context),
    dequantize: (parts, shape, options, out) =>
      dequantize(kernels, parts, shape, options, out),
  };
}

/** Half of the largest float32: a range between this and its negative has a width that is finite. */
export const HALF_OF_LARGEST = 1.7014117331926443e38;

/** Scale and zero point of group `index`, whose first value is number `first`; deals with a scale that is infinite. */
function finiteScaleOf(
  scaleMethod: ScaleMethod,
  min: number,
  max: number,
  index: number,
  first: number,
  overflow: Overflow,
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

function quantize(
  kernels: Int4Kernels,
  values: Float32Array,
  shape: readonly number[],
  options: ResolvedInt4Options,
  parts: Int4Parts,
  context: EncodeContext,
): void {
  const groups = grouping(shape, options.groupSize), { ranges } = context;
  if (isFused(groups) && !ranges) {
    return quantizeFused(kernels, values, options, parts, groups, context);
  }
  const { codes, scales, zeroPoints } = parts;
  const setScale = (index: number, first: number, n: number) => {
    const known = options.range ?? (ranges && rangeAt(ranges, index));
    const [min, max] = measure(values, first, n, options, known);
    const [scale, zeroPoint] = finiteScaleOf(
      options.scaleMethod,
      min,
      max,
      index,
      first,
      context.overflow ?? "throw",
    );
    scales.data[index] = scale;
    if (zeroPoints) zeroPoints.data[index] = zeroPoint;
  };
  if (groups.perTensor) setScale(0, 0, groups.count);
  for (const { first, n, firstByte, scale } of runsOf(groups)) {
    if (!groups.perTensor) setScale(scale, first, n);
    run({
      kernel: kernels.quantize,
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
        options.scaleMethod === "absmax" && !options.range && !ranges ? 0 : 1,
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

function measure(
  values: Float32Array,
  first: number,
  n: number,
  { scaleMethod }: ResolvedInt4Options,
  known?: readonly [min: number, max: number],
): readonly [min: number, max: number] {
  if (scaleMethod !== "absmax" && !known) {
    return measureRange(values, first, n);
  }
  // Looked at even where the range is known: a NaN must not pass.
  const largest = measureMagnitude(values, first, n);
  return known ?? [-largest, largest];
}

/** The range that was measured before: of the tensor, or of the group's row. */
function rangeAt({ min, max }: Ranges, index: number): [number, number] {
  const i = min.length === 1 ? 0 : index;
  return [min[i], max[i]];
}

function quantizeFused(
  kernels: Int4Kernels,
  values: Float32Array,
  options: ResolvedInt4Options,
  parts: Int4Parts,
  groups: Grouping,
  { overflow = "throw" }: EncodeContext,
): void {
  const { row, step, codes, groups: perStep } = strides(groups),
    zeroPoints = parts.zeroPoints?.data;
  run({
    kernel: kernels.quantizeGroups,
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
    again(first, n): void {
      const end = first + n;
      rejectNonFinite(values, first, end);
      for (const group of groupsBetween(groups, first, end)) {
        quantizeGroup(values, options.scaleMethod, parts, group, overflow);
      }
    },
  });
}

/** A group: its number, its values, and where its codes are. */
interface Group {
  readonly index: number;
  readonly first: number;
  readonly n: number;
  /** Where the codes of its row start. */
  readonly rowByte: number;
  /** How many codes of the row are before its own. */
  readonly nibble: number;
}

/** The groups of a stretch, which starts and ends with one. */
function* groupsBetween(
  { columns, group, groupsPerRow }: Grouping,
  from: number,
  to: number,
): Generator<Group> {
  for (let first = from, n = 0; first < to; first += n) {
    const row = Math.floor(first / columns), nibble = first % columns;
    n = Math.min(group, columns - nibble);
    const index = row * groupsPerRow + nibble / group;
    yield { index, first, n, rowByte: row * (columns + 1 >> 1), nibble };
  }
}

/** Quantizes a group in plain JS; the scale that it finds may be infinite. */
function quantizeGroup(
  values: Float32Array,
  scaleMethod: ScaleMethod,
  { codes, scales, zeroPoints }: Int4Parts,
  { index, first, n, rowByte, nibble }: Group,
  overflow: Overflow,
): void {
  const start = values[first];
  const [min, max] = rangeOf(values, first, first + n, start, start);
  const [scale, zeroPoint] = finiteScaleOf(
    scaleMethod,
    min,
    max,
    index,
    first,
    overflow,
  );
  scales.data[index] = scale;
  if (zeroPoints) zeroPoints.data[index] = zeroPoint;
  quantizeRun(
    values,
    first,
    n,
    codes.data,
    rowByte,
    nibble,
    scale,
    zeroPoint,
    scaleMethod !== "absmax",
  );
}

const NO_ZERO_POINTS = new Int8Array(0);

function dequantize(
  kernels: Int4Kernels,
  parts: Int4Parts,
  shape: readonly number[],
  options: ResolvedInt4Options,
  out: Float32Array,
): void {
  const { codes, scales, zeroPoints } = parts,
    groups = grouping(shape, options.groupSize);
  if (isFused(groups)) return dequantizeFused(kernels, parts, groups, out);
  for (const { first, n, firstByte, scale } of runsOf(groups)) {
    run({
      kernel: kernels.dequantize,
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
  kernels: Int4Kernels,
  { codes, scales, zeroPoints }: Int4Parts,
  groups: Grouping,
  out: Float32Array,
): void {
  const { row, step, codes: codesOf, groups: perStep } = strides(groups);
  run({
    kernel: kernels.dequantizeGroups,
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
