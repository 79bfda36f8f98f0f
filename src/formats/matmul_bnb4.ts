/**
 * `matmul_bnb4`: the weights of onnxruntime's operator MatMulBnb4: bitsandbytes'
 * codes and scales in two arrays.
 *
 * ```text
 * B        U8   [⌈values / 2⌉]           byte k: value 2k (high nibble) and 2k + 1 (low nibble)
 * absmax   F32  [⌈values / blockSize⌉]   one scale for each block
 * ```
 *
 * The logical shape is [N, K], as the operator has it; blocks run over it as one row.
 * Quantized: scale = max |x|, code = nearest(x · (1 / scale)), the inverse of 0 being
 * 0. The thresholds are the operator's: those of CUDA for FP4, of NF4 the midpoints
 * but for four that are up to three ulp beside them. Value: table[code] · scale, code
 * 8 of FP4 being +0.
 *
 * Source: onnxruntime 1.32.0, MatMulBnb4Quantizer and
 * contrib_ops/cpu/quantization/blockwise_quant_block_bnb4.h.
 *
 * @module
 */
import { F32 } from "../layouts/codecs.ts";
import { fieldPart, packedRows } from "../layouts/parts.ts";
import { defineFormat } from "../model/define.ts";
import { NF4_ORT_THRESHOLDS } from "../numeric/codebooks.ts";
import { rowLength, sizeOf } from "../numeric/shape.ts";
import {
  codebookOf,
  codebookScheme,
  FP4_CODEBOOK,
} from "../schemes/codebook.ts";
import { FP4, NF4 } from "../schemes/grids.ts";
import { SCALE_SEARCHES, searched, seekScale } from "../schemes/sought.ts";
import type { Format, Part } from "../words/format.ts";
import { choiceOption, numberOption } from "../words/options.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import type { Matrix } from "../words/window.ts";

/** Options of the format `matmul_bnb4`. */
export interface MatmulBnb4Options extends SearchOptions {
  /** What codes stand for: `"nf4"` (the default; the operator's `quant_type` 1) or `"fp4"` (0). */
  readonly quantType?: "nf4" | "fp4";
  /** How many values share a scale, `block_size` of the operator: a power of two from 16 to 4096; 64 by default. */
  readonly blockSize?: number;
}

/** `matmul_bnb4` options with everything filled in. */
export type ResolvedMatmulBnb4Options =
  & Required<Omit<MatmulBnb4Options, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The arrays of a `matmul_bnb4` tensor. */
export interface MatmulBnb4Parts {
  /** Codes, two to a byte, the first in the high nibble. */
  readonly B: Part<"U8">;
  /** The scale of each block. */
  readonly absmax: Part<"F32">;
}

const KINDS = {
  nf4: { grid: NF4, codebook: codebookOf(NF4.values, NF4_ORT_THRESHOLDS) },
  fp4: { grid: FP4, codebook: FP4_CODEBOOK },
};

const SCALES = { dtype: "F32" } as const;

const SEARCHES = {
  nf4: seekScale(NF4.values, "scale", SCALES),
  fp4: seekScale(FP4.values, "scale", SCALES),
};

function flat(shape: readonly number[]): Matrix {
  return { rows: 1, columns: sizeOf(shape) };
}

/**
 * Weights of MatMulBnb4; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { quantize, repack } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 8 * 96 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, { format: "nf4", shape: [8, 96] });
 * const { parts } = repack(q, "matmul_bnb4");
 * console.log(parts.B.shape, parts.absmax.shape); // [384] [12]
 * ```
 */
export const matmul_bnb4: Format<
  "matmul_bnb4",
  MatmulBnb4Options,
  MatmulBnb4Parts,
  ResolvedMatmulBnb4Options
> = defineFormat({
  name: "matmul_bnb4",
  summary:
    "onnxruntime MatMulBnb4: bitsandbytes NF4 or FP4, flat blocks with float32 scales",
  source: "onnxruntime 1.32.0 MatMulBnb4Quantizer",
  groupSize: 64,
  bitsPerValue: 4.5,
  // That of nf4.
  errorBound: 0.152,
  options: {
    quantType: choiceOption({
      choices: ["nf4", "fp4"],
      default: "nf4",
      kept: true,
      help: "what codes stand for",
    }),
    blockSize: numberOption({
      min: 16,
      max: 4096,
      powerOfTwo: true,
      default: 64,
      kept: true,
      help: "values that share a scale",
    }),
    ...searchSchema(SCALE_SEARCHES),
  },
  like: ({ grid, fields, groupedBy }): MatmulBnb4Options => ({
    quantType: grid.name === "fp4" ? "fp4" : "nf4",
    blockSize: fields[groupedBy]?.span.columns,
  }),
  layout(shape, { quantType, blockSize }) {
    const matrix = flat(shape), { values } = KINDS[quantType].grid;
    return {
      matrix,
      parts: {
        B: packedRows({
          dtype: "U8",
          shape: [Math.ceil(matrix.columns / 2)],
          first: "high",
          padding: values.indexOf(0),
        }),
        absmax: fieldPart(
          "scale",
          { rows: 1, columns: blockSize },
          "F32",
          [Math.ceil(matrix.columns / blockSize)],
          F32,
        ),
      },
    };
  },
  scheme(shape, options): Scheme {
    const { quantType, blockSize } = options;
    const scheme = codebookScheme({
      ...KINDS[quantType],
      matrix: flat(shape),
      blockSize,
      computeDtype: "F32",
      arithmetic: "onnxruntime",
    });
    return searched(scheme, SEARCHES[quantType], options, rowLength(shape));
  },
});
