/**
 * `gather_blocks`: the table of onnxruntime's operator GatherBlockQuantized, such as
 * the embeddings of a language model, as its MatMulNBitsQuantizer makes it of Gather.
 *
 * ```text
 * data         U8  [ceil(size / 2)]        INT4 where symmetric, else UINT4: two codes to a byte over the
 *                                          ends of rows, the first in the low nibble
 * scales       F32 [..., blocks]           along the last axis; signed where symmetric
 * zero_points  U8  [ceil(size of scales / 2)]  packed as the codes are; asymmetric only
 * value = (code − zero) · scale in float32
 * ```
 *
 * Symmetric: scale = m / −8, m the value of largest magnitude (the smallest where two
 * are), code = clamp(RNE(x / scale), −8, 7). Asymmetric: the range is extended to hold
 * 0, scale = (max − min) / 15, zero = clamp(RNE(−min / scale), 0, 15),
 * code = clamp(RNE(x / scale + zero), 0, 15). A block of zeros has scale 0 and codes
 * that stand for 0: 0 where symmetric, else 8 with zero point 8.
 *
 * The attributes of the operator are `quantize_axis`, the last one, and `block_size`.
 *
 * Source: microsoft/onnxruntime 1.32.0,
 * onnxruntime/python/tools/quantization/matmul_nbits_quantizer.py.
 *
 * @module
 */
import { F32 } from "../layouts/codecs.ts";
import { fieldPart, flatCodes, flatNibbles } from "../layouts/parts.ts";
import { defineFormat } from "../model/define.ts";
import { LARGEST, symmetricOption } from "../model/groups.ts";
import { clamp, roundHalfToEven } from "../numeric/rounding.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { linearScheme } from "../schemes/linear.ts";
import {
  searched,
  seekIntegers,
  type Sought,
  ZERO_SEARCHES,
} from "../schemes/sought.ts";
import type { Format, Part } from "../words/format.ts";
import type { Layout } from "../words/layout.ts";
import { numberOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";

const { abs, ceil, fround, max: larger, min: smaller } = Math;

/** Options of the format `gather_blocks`. */
export interface GatherBlocksOptions extends SearchOptions {
  /** How many values of a row share a scale: a power of two, 16 or more; 32 by default. */
  readonly blockSize?: number;
  /** Signed scales and no zero points (the default), or a zero point for each block. */
  readonly symmetric?: boolean;
}

/** The arrays of a `gather_blocks` tensor. */
export interface GatherBlocksParts {
  /** Two codes to a byte over the ends of rows, the first in the low nibble. */
  readonly data: Part<"U8">;
  /** One scale for each block. */
  readonly scales: Part<"F32">;
  /** Zero points, packed as the codes are. With `symmetric: false` only. */
  readonly zero_points?: Part<"U8">;
}

/** `gather_blocks` options with everything filled in. */
export type ResolvedGatherBlocksOptions =
  & Required<Omit<GatherBlocksOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

const OPTIONS: Schema<GatherBlocksOptions> = {
  blockSize: numberOption({
    min: 16,
    max: 2 ** 30,
    powerOfTwo: true,
    default: 32,
    help: "values that share a scale, along the last axis",
    kept: true,
  }),
  symmetric: symmetricOption(true),
  ...searchSchema(ZERO_SEARCHES),
};

function searchOf({ symmetric }: ResolvedGatherBlocksOptions): Sought {
  return seekIntegers({ symmetric, dtype: "F32", signed: true });
}

function check(options: ResolvedGatherBlocksOptions): void {
  const { able } = searchOf(options);
  checkSearch(options, able, `symmetric: ${options.symmetric}`);
}

function layout(
  shape: readonly number[],
  { blockSize, symmetric }: ResolvedGatherBlocksOptions,
): Layout<GatherBlocksParts> {
  const matrix = matrixOf(shape), block = { rows: 1, columns: blockSize };
  const scales = withLastAxis(shape, ceil(matrix.columns / blockSize));
  return {
    matrix,
    parts: {
      data: flatCodes(matrix, { flip: symmetric ? 8 : 0 }),
      scales: fieldPart("scale", block, "F32", scales, F32),
      ...(!symmetric && { zero_points: flatNibbles("zero", block, matrix) }),
    },
  };
}

/** Scale and zero point of a block. */
function fitOf(
  symmetric: boolean,
): (min: number, max: number) => readonly [scale: number, zero: number] {
  if (symmetric) {
    return (min, max) => [fround((abs(max) > abs(min) ? max : min) / -8), 8];
  }
  return (min, max) => {
    const low = smaller(min, 0), high = larger(max, 0);
    const scale = fround(fround(high - low) / 15);
    if (scale === 0) return [0, 8];
    return [scale, clamp(roundHalfToEven(fround(-low / scale)), 0, 15)];
  };
}

function scheme(
  shape: readonly number[],
  options: ResolvedGatherBlocksOptions,
): Scheme {
  const { blockSize, symmetric } = options;
  const scheme = linearScheme({
    group: { rows: 1, columns: blockSize },
    offset: symmetric ? undefined : "zero",
    fit: fitOf(symmetric),
    rule: symmetric ? "signed" : { of: "widened", zero: 8 },
    // What is stored of symmetric codes is less by 8, and rounded as such.
    rounding: symmetric ? "divide" : "add",
    zeroScale: () => 8,
    limit: symmetric ? LARGEST.F32 : LARGEST.F32 / 2,
    scales: { part: "scales", signed: symmetric },
  });
  return searched(scheme, searchOf(options), options, rowLength(shape));
}

/**
 * The format `gather_blocks`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const table = Float32Array.from({ length: 100 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(table, { format: "gather_blocks", shape: [100, 64] });
 * console.log(q.parts.data.shape, q.parts.scales.shape); // [3200] [100, 2]
 * console.log(dequantize(q).length); // 6400
 * ```
 */
export const gather_blocks: Format<
  "gather_blocks",
  GatherBlocksOptions,
  GatherBlocksParts,
  ResolvedGatherBlocksOptions
> = defineFormat({
  name: "gather_blocks",
  summary:
    "onnxruntime GatherBlockQuantized: blocks along the last axis, float32 scales, zero points",
  source:
    "microsoft/onnxruntime 1.32.0 python/tools/quantization/matmul_nbits_quantizer.py",
  groupSize: 32,
  bitsPerValue: 5,
  // The far end of a symmetric range has code 7 where it needs 8.
  errorBound: 0.126,
  options: OPTIONS,
  like: ({ fields, groupedBy, constants }) => ({
    blockSize: fields[groupedBy]?.span.columns,
    symmetric: constants?.zero === 8,
  }),
  check,
  layout,
  scheme,
});
