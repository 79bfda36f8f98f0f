/**
 * `matmul_nbits`: the weight of onnxruntime's operator MatMulNBits, as its
 * MatMulNBitsQuantizer makes it with `quant_format=QOperator`.
 *
 * ```text
 * B            U8      [out, blocks, blockSize / 2]   two codes to a byte, the first in the low nibble
 * scales       F32/F16 [out, blocks]                  signed where symmetric
 * zero_points  U8      [out, ceil(blocks / 2)]        two to a byte; asymmetric only
 * value = (code − zero) · scale, rounded to the type of the scales; zero = 8 where symmetric
 * ```
 *
 * with blocks = ceil(in / blockSize). Symmetric: scale = m / −8, m the value of
 * largest magnitude (the smallest where two are), so that m has code 0.
 * Asymmetric: the range is extended to hold 0, scale = (max − min) / 15,
 * zero = RHA(−min / scale). The scale is rounded to its type before codes are
 * found: clamp(RHA(x · (1 / scale) + zero), 0, 15), every step in float32.
 *
 * What the library leaves where there are no values is kept, byte for byte: codes
 * are packed by a loop over the pairs of two blocks that never clears a pair, so
 * an odd row ends in the high nibble of the byte before; the rest of the last
 * block is 0, and the zero point beside the last of an odd number is 8.
 *
 * Source: microsoft/onnxruntime 1.32.0, onnxruntime/core/mlas/lib/q4_dq.cpp:
 * `BlockwiseQuantizer::quantizeAndTranspose`, `range2scale`, `range2scalezp`.
 *
 * @module
 */
import { F16, F32, nibbles } from "../layouts/codecs.ts";
import { fieldPart, packedRows } from "../layouts/parts.ts";
import { defineFormat } from "../model/define.ts";
import { roundTo } from "../numeric/compute.ts";
import { clamp, roundHalfAway } from "../numeric/rounding.ts";
import { matrixOf, rowLength } from "../numeric/shape.ts";
import { linearScheme } from "../schemes/linear.ts";
import {
  searched,
  seekIntegers,
  type Sought,
  ZERO_SEARCHES,
} from "../schemes/sought.ts";
import type { Format, Part } from "../words/format.ts";
import type { Layout } from "../words/layout.ts";
import { booleanOption, choiceOption, numberOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { runs, type Span, type Tile } from "../words/tile.ts";

const { abs, fround, max: larger, min: smaller } = Math;

/** Options of the format `matmul_nbits`. */
export interface MatMulNBitsOptions extends SearchOptions {
  /** How many values of a row share a scale: a power of two, 16 or more; 32 by default. */
  readonly blockSize?: number;
  /** Signed scales and the zero point 8 (the default), or a zero point for each block. */
  readonly symmetric?: boolean;
  /** The type of the scales, and of the values that are computed with them: `"F32"` (the default) or `"F16"`. */
  readonly scaleDtype?: "F32" | "F16";
  /** The type that values are rounded to; that of the scales by default, as onnxruntime does. */
  readonly computeDtype?: "F32" | "F16";
}

/** The arrays of a `matmul_nbits` tensor. */
export interface MatMulNBitsParts {
  /** Two codes to a byte, the first in the low nibble; a block starts at a byte. */
  readonly B: Part<"U8">;
  /** One scale for each block. */
  readonly scales: Part<"F32" | "F16">;
  /** Two zero points to a byte, the first in the low nibble; a row starts at a byte. With `symmetric: false` only. */
  readonly zero_points?: Part<"U8">;
}

/** `matmul_nbits` options with everything filled in. */
export interface ResolvedMatMulNBitsOptions extends ResolvedSearchOptions {
  /** How many values share a scale. */
  readonly blockSize: number;
  /** Whether every zero point is 8. */
  readonly symmetric: boolean;
  /** The type of the scales. */
  readonly scaleDtype: "F32" | "F16";
  /** The type that values are rounded to. */
  readonly computeDtype: "F32" | "F16";
}

const OPTIONS: Schema<MatMulNBitsOptions> = {
  blockSize: numberOption({
    min: 16,
    max: 2 ** 30,
    powerOfTwo: true,
    default: 32,
    help: "values that share a scale, along the last axis",
    kept: true,
  }),
  symmetric: booleanOption({
    default: true,
    help: "signed scales and zero point 8, or a zero point for each block",
    kept: true,
  }),
  scaleDtype: choiceOption({
    choices: ["F32", "F16"],
    default: "F32",
    help: "type of the scales",
    kept: true,
  }),
  computeDtype: choiceOption({
    choices: ["F32", "F16"],
    help: "type that values are rounded to; that of the scales by default",
    kept: true,
  }),
  ...searchSchema(ZERO_SEARCHES),
};

function complete(
  options: ResolvedMatMulNBitsOptions,
): ResolvedMatMulNBitsOptions {
  const { scaleDtype, computeDtype = scaleDtype } = options;
  return { ...options, computeDtype };
}

// ---- the scale rules ----

/** Scale and zero point of a block, the scale as it is stored. */
function fitOf(
  { symmetric, scaleDtype }: ResolvedMatMulNBitsOptions,
): (min: number, max: number) => readonly [scale: number, zero: number] {
  const stored = roundTo(scaleDtype);
  if (symmetric) {
    return (min, max) => [
      stored(fround((abs(max) > abs(min) ? max : min) / -8)),
      8,
    ];
  }
  return (min, max) => {
    const low = smaller(min, 0), high = larger(max, 0);
    const scale = fround(fround(high - low) / 15);
    // The unrounded scale has the say.
    const zero = scale === 0
      ? 0
      : clamp(fround(0 - fround(low / scale)), 0, 15);
    return [stored(scale), roundHalfAway(zero)];
  };
}

const MOST: Readonly<Record<"F32" | "F16", number>> = {
  F32: 3.4028234663852886e38,
  F16: 65504,
};

/** The largest magnitude of values whose scale can be stored. */
function limitOf({ symmetric, scaleDtype }: ResolvedMatMulNBitsOptions) {
  const most = MOST[scaleDtype];
  if (scaleDtype === "F32") return symmetric ? most : most / 2;
  return symmetric ? 8 * most : 7.5 * most;
}

// ---- the format ----

function searchOf(
  { symmetric, scaleDtype }: ResolvedMatMulNBitsOptions,
): Sought {
  return seekIntegers({ symmetric, dtype: scaleDtype, signed: true });
}

function check(options: ResolvedMatMulNBitsOptions): void {
  const { able } = searchOf(options);
  checkSearch(options, able, `symmetric: ${options.symmetric}`);
}

function scheme(
  shape: readonly number[],
  options: ResolvedMatMulNBitsOptions,
): Scheme {
  const { blockSize, symmetric, scaleDtype, computeDtype } = options;
  const block = { rows: 1, columns: blockSize };
  const linear = linearScheme({
    group: block,
    offset: symmetric ? undefined : "zero",
    rounding: "reciprocal",
    fit: fitOf(options),
    rule: symmetric ? "signed" : "affine",
    stored: scaleDtype,
    limit: limitOf(options),
    computeDtype,
  });
  const scheme: Scheme = {
    ...linear,
    fields: {
      ...linear.fields,
      // Scales of a range are never negative, and no scale is NaN.
      scale: { span: block, between: [symmetric ? -Infinity : 0, Infinity] },
    },
    // What an odd row ends in comes from a pair of blocks.
    together: { rows: 1, columns: 2 * blockSize },
    encode(values, tile, context): void {
      linear.encode(values, tile, context);
      if (symmetric) signZeros(values, tile, block);
    },
  };
  return searched(scheme, searchOf(options), options, rowLength(shape));
}

/** Of zeros alone, the library takes the first for the one of largest magnitude: the scale has the other sign. */
function signZeros(values: Float32Array, tile: Tile, block: Span): void {
  const { scale } = tile.fields;
  if (!scale.includes(0)) return;
  for (const { first, count, area } of runs(tile, block)) {
    if (scale[area] !== 0) continue;
    const own = values.subarray(first, first + count);
    if (own.every((x) => x === 0)) scale[area] = own[0] / -8;
  }
}

function layout(
  shape: readonly number[],
  { blockSize, symmetric, scaleDtype }: ResolvedMatMulNBitsOptions,
): Layout<MatMulNBitsParts> {
  const matrix = matrixOf(shape), { rows, columns } = matrix;
  const block = { rows: 1, columns: blockSize };
  const blocks = Math.ceil(columns / blockSize);
  return {
    matrix,
    parts: {
      B: packedRows({
        dtype: "U8",
        shape: [rows, blocks, blockSize / 2],
        columns: blockSize,
        stale: 2 * blockSize,
      }),
      scales: fieldPart(
        "scale",
        block,
        scaleDtype,
        [rows, blocks],
        scaleDtype === "F16" ? F16 : F32,
      ),
      ...(!symmetric && {
        zero_points: fieldPart(
          "zero",
          block,
          "U8",
          [rows, Math.ceil(blocks / 2)],
          nibbles(1, 2, 8),
        ),
      }),
    },
  };
}

/**
 * The format `matmul_nbits`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weight = Float32Array.from({ length: 8 * 96 }, (_, i) => Math.sin(i));
 * const q = quantize(weight, {
 *   format: "matmul_nbits",
 *   shape: [8, 96], // [N, K]: the operator's B, transposed as it stores it
 *   symmetric: false,
 * });
 * console.log(q.parts.B.shape, q.parts.zero_points?.shape); // [8, 3, 16] [8, 2]
 * console.log(dequantize(q).length); // 768
 * ```
 */
export const matmul_nbits: Format<
  "matmul_nbits",
  MatMulNBitsOptions,
  MatMulNBitsParts,
  ResolvedMatMulNBitsOptions
> = defineFormat({
  name: "matmul_nbits",
  summary:
    "onnxruntime MatMulNBits: blocks of a power of two, float32 or float16 scales, zero points",
  source: "microsoft/onnxruntime 1.32.0 onnxruntime/core/mlas/lib/q4_dq.cpp",
  groupSize: 32,
  bitsPerValue: 5,
  // The far end of a symmetric range has code 15, seven steps from zero, where it needs eight.
  errorBound: 0.126,
  options: OPTIONS,
  complete,
  check,
  like: ({ fields, groupedBy, constants, computeDtype }) => ({
    blockSize: fields[groupedBy]?.span.columns,
    // Values are computed in the type of the scales.
    scaleDtype: computeDtype === "F16" ? "F16" : "F32",
    symmetric: constants?.zero !== undefined,
  }),
  layout,
  scheme,
});
