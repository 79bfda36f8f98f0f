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
} from "../kernels/grouped.ts";
import { type Kernel, type Operand, run } from "../kernels/engine.ts";
import { INT4_KERNELS } from "../kernels/modules.ts";
import { Race } from "../kernels/race.ts";
import {
  dequantizeInt4,
  dequantizeInt4Groups,
  quantizeInt4,
  quantizeInt4Groups,
} from "../kernels/js/int4.ts";
import { F32, signedByte } from "../layouts/codecs.ts";
import { fieldPart, packedRows } from "../layouts/parts.ts";
import { defineFormat } from "../model/define.ts";
import {
  type Overflow,
  rejectNonFinite,
  ScaleOverflow,
  within,
} from "../numeric/finite.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { scaleOf } from "../schemes/int4_scale.ts";
import { UINT4 } from "../schemes/grids.ts";
import { linearScheme, wholeRange } from "../schemes/linear.ts";
import {
  searched,
  seekScale,
  seekZero,
  type Sought,
  ZERO_SEARCHES,
} from "../schemes/sought.ts";
import { scalesIn } from "../schemes/stored_scale.ts";
import type { Coder, Format, Part } from "../words/format.ts";
import type { Layout } from "../words/layout.ts";
import type { Schema } from "../words/schema.ts";
import type { EncodeContext, Ranges, Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  isSearched,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere, type Span } from "../words/tile.ts";

/** Options of the format `int4`. */
export interface Int4Options extends SearchOptions {
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
export interface ResolvedInt4Options extends ResolvedSearchOptions {
  /** How many values share a scale. */
  readonly groupSize: GroupSize;
  /** How the scale is found. */
  readonly scaleMethod: ScaleMethod;
  /** The range that values are taken to lie in, if it was given. */
  readonly range?: readonly [min: number, max: number];
}

const QUANTIZE: Kernel = {
  name: "int4_quantize",
  module: INT4_KERNELS,
  js: quantizeInt4,
};
const QUANTIZE_GROUPS: Kernel = {
  name: "int4_quantize_groups",
  module: INT4_KERNELS,
  js: quantizeInt4Groups,
};
const DEQUANTIZE: Kernel = {
  name: "int4_dequantize",
  module: INT4_KERNELS,
  js: dequantizeInt4,
  race: /* @__PURE__ */ new Race(),
};
const DEQUANTIZE_GROUPS: Kernel = {
  name: "int4_dequantize_groups",
  module: INT4_KERNELS,
  js: dequantizeInt4Groups,
  race: /* @__PURE__ */ new Race(),
};

/** Half of the largest float32: a range between this and its negative has a width that is finite. */
const HALF_OF_LARGEST = 1.7014117331926443e38;

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

// ---- the fast way ----

function quantize(
  generic: Coder<Int4Parts, ResolvedInt4Options>,
  values: Float32Array,
  shape: readonly number[],
  options: ResolvedInt4Options,
  parts: Int4Parts,
  context: EncodeContext = {},
): void {
  if (isSearched(options)) {
    return generic.quantize(values, shape, options, parts, context);
  }
  const groups = grouping(shape, options.groupSize), { ranges } = context;
  if (isFused(groups) && !ranges) {
    return quantizeFused(generic, values, options, parts, groups, context);
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
  generic: Coder<Int4Parts, ResolvedInt4Options>,
  values: Float32Array,
  options: ResolvedInt4Options,
  parts: Int4Parts,
  groups: Grouping,
  context: EncodeContext,
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
    again(first, n): void {
      rejectNonFinite(values, first, first + n);
      const from = first / step * perStep;
      const length = Math.ceil(n / step) * perStep;
      const stretchParts: Int4Parts = {
        codes: stretch(parts.codes, first, n, step, codes),
        scales: slice(parts.scales, from, length),
        ...(parts.zeroPoints &&
          { zeroPoints: slice(parts.zeroPoints, from, length) }),
      };
      // Rows may run on here, groups may not.
      const grouped = { ...options, groupSize: groups.group };
      const shape = row === groups.count ? [n] : [n / row, row];
      const part = values.subarray(first, first + n);
      within(
        from,
        first,
        () => generic.quantize(part, shape, grouped, stretchParts, context),
      );
    },
  });
}

/** Part of a part. */
function slice<P extends Part>(part: P, from: number, length: number): P {
  return { ...part, data: part.data.subarray(from, from + length) };
}

/** The codes of a stretch that starts at a step. */
function stretch(
  codes: Part<"U8">,
  first: number,
  n: number,
  step: number,
  { bits, bytes = 0 }: Pick<Operand, "bits" | "bytes">,
): Part<"U8"> {
  return bits
    ? slice(codes, first / 2, Math.ceil(n / 2))
    : slice(codes, first / step * bytes, Math.ceil(n / step) * bytes);
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

const OPTIONS: Schema<Int4Options> = {
  groupSize: {
    kind: "number",
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    words: ["row", "tensor"],
    default: "tensor",
    kept: true,
    help: "values that share a scale: a number, row or tensor",
  },
  scaleMethod: {
    kind: "choice",
    choices: ["absmax", "minmax", "affine"],
    default: "absmax",
    kept: true,
    help: "how a scale is found",
  },
  range: {
    kind: "range",
    kept: false,
    help:
      'smallest and largest value, with groupSize "tensor", instead of looking',
  },
  ...searchSchema(ZERO_SEARCHES),
};

/** How groups are searched. Scales are positive, as everywhere in this format. */
const SCALES = scalesIn("F32", { level: 15 });
const SYMMETRIC = seekScale(
  UINT4.values.map((code) => code - 8),
  "scale",
  () => SCALES,
);
const AFFINE = seekZero(SCALES);

function searchOf({ scaleMethod }: ResolvedInt4Options): Sought {
  return scaleMethod === "affine" ? AFFINE : SYMMETRIC;
}

function check(options: ResolvedInt4Options): void {
  const { groupSize, range, scaleMethod } = options;
  checkSearch(
    options,
    range ? [] : searchOf(options).able,
    range ? "a given range" : `scaleMethod "${scaleMethod}"`,
  );
  if (range === undefined || groupSize === "tensor") return;
  throw new RangeError(
    `Cannot use range with groupSize ${groupSize}: it is for groupSize "tensor"`,
  );
}

function groupOf(
  shape: readonly number[],
  groupSize: GroupSize,
): Span {
  const matrix = matrixOf(shape);
  if (groupSize === "tensor") return everywhere(matrix);
  const columns = groupSize === "row" ? matrix.columns : groupSize;
  return { rows: 1, columns: Math.max(1, Math.min(columns, matrix.columns)) };
}

function layout(
  shape: readonly number[],
  { groupSize, scaleMethod }: ResolvedInt4Options,
): Layout<Int4Parts> {
  const group = groupOf(shape, groupSize),
    scales = groupsShape(shape, groupSize);
  return {
    matrix: matrixOf(shape),
    parts: {
      codes: packedRows({
        dtype: "U8",
        shape: withLastAxis(shape, Math.ceil(rowLength(shape) / 2)),
        flip: 8,
        padding: 0,
      }),
      scales: fieldPart("scale", group, "F32", scales, F32),
      ...(scaleMethod === "affine" && {
        // Zero points count from −8, codes of the grid from 0.
        zeroPoints: fieldPart("zero", group, "I8", scales, signedByte(8)),
      }),
    },
  };
}

function scheme(
  shape: readonly number[],
  options: ResolvedInt4Options,
): Scheme {
  const { groupSize, scaleMethod, range } = options;
  const scheme = linearScheme({
    group: groupOf(shape, groupSize),
    offset: scaleMethod === "affine" ? "zero" : undefined,
    rounding: "divide",
    fit(min, max): [number, number] {
      const [scale, zeroPoint] = scaleOf(scaleMethod, ...range ?? [min, max]);
      return [scale, zeroPoint + 8];
    },
    limit: HALF_OF_LARGEST,
    prepass: groupSize === "tensor" ? wholeRange : undefined,
  });
  return searched(scheme, searchOf(options), options, rowLength(shape));
}

/** The format `int4`; see the head of this file for layout and arithmetic. */
export const int4: Format<"int4", Int4Options, Int4Parts, ResolvedInt4Options> =
  defineFormat({
    name: "int4",
    summary:
      "signed codes, float32 scales per group, row or tensor; symmetric or with zero points",
    source: "the int4 Python module that this project grew out of",
    groupSize: "tensor",
    bitsPerValue: 4,
    // Half a step of max / 7, and room for the float32 roundings.
    errorBound: 1 / 14 + 1e-6,
    options: OPTIONS,
    check,
    like: ({ fields, groupedBy, prepass, constants }) => ({
      groupSize: prepass || !(groupedBy in fields)
        ? "tensor"
        : fields[groupedBy]?.span.columns,
      scaleMethod: constants?.zero === undefined ? "affine" : "absmax",
    }),
    layout,
    scheme,
    fast: (generic) => ({
      quantize: (...operands) => quantize(generic, ...operands),
      dequantize,
    }),
  });
