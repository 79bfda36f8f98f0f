/**
 * `mxfp4_ct`: MXFP4 of compressed-tensors (`mxfp4-pack-quantized`): E2M1 values and a
 * power of two for each 32 along the last axis.
 *
 * ```
 * weight_packed   U8   [..., columns / 2]    two codes to a byte, the first in the low nibble
 * weight_scale    U8   [..., columns / 32]   E8M0: 2^(byte − 127)
 * ```
 *
 * W is the type of the weights, `inputDtype`, to which they are rounded first:
 *
 * - byte = the exponent of the largest magnitude, that of the next power of two from
 *   1.75 times one on, less 2; 0 at least. In float16 what has no exponent, zeros and
 *   subnormals, has byte 127.
 * - code = E2M1(W(x / 2^(byte − 127))), ties to even, code 8 for a negative value that
 *   rounds to zero
 * - value = E2M1[code] · 2^(byte − 127), rounded to bfloat16; code 8 is −0
 *
 * A magnitude from 1.75 times the largest power of two on, where the library takes
 * the scale to be infinite, has that of the next power of two here.
 *
 * Source: compressed-tensors 0.20.0, `calculate_qparams` and the compressor
 * `mxfp4-pack-quantized`.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { packedRows } from "../layouts/parts.ts";
import {
  floatConfig,
  floatFault,
  type FloatScheme,
} from "../model/compressed_tensors_floats.ts";
import { byGroups } from "../model/byte_ways.ts";
import { defineFormat } from "../model/define.ts";
import { dtypeOption } from "../model/groups.ts";
import {
  checkExponents,
  checkWholeGroups,
  exponentPart,
  recognizePair,
} from "../model/e2m1_checkpoint.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { e2m1Scheme } from "../schemes/e2m1.ts";
import { E2M1 } from "../schemes/grids.ts";
import { compressedTensorsRules, searchedMx } from "../schemes/mx.ts";
import { SCALE_SEARCHES } from "../schemes/sought.ts";
import type { Candidate, Format, Part, Recognized } from "../words/format.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";

const NAME = "mxfp4_ct";
const GROUP = 32;
const SCHEME: FloatScheme = {
  format: "mxfp4-pack-quantized",
  group: GROUP,
  strategy: "group",
  scaleDtype: "torch.uint8",
};

/** Options of the format `mxfp4_ct`. */
export interface Mxfp4CtOptions extends SearchOptions {
  /** The type that the weights have in the library, on which rounding depends: `"BF16"` (the default) or another. */
  readonly inputDtype?: ComputeDtype;
  /** The type that values are rounded to: `"BF16"` (the default), whatever the weights were, or another. */
  readonly computeDtype?: ComputeDtype;
}

/** `mxfp4_ct` options with everything filled in. */
export type ResolvedMxfp4CtOptions =
  & Required<Omit<Mxfp4CtOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The arrays of an `mxfp4_ct` tensor. */
export interface Mxfp4CtParts {
  /** Two codes to a byte, the first in the low nibble. */
  readonly weight_packed: Part<"U8">;
  /** One E8M0 byte for each 32 values. */
  readonly weight_scale: Part<"U8">;
}

function recognize(candidate: Candidate): Recognized | undefined {
  const { weight_packed: codes, weight_scale: scales } = candidate.parts;
  if (codes.dtype !== "U8" || scales.dtype !== "U8") return undefined;
  const pair = {
    format: NAME,
    codes: "weight_packed",
    scales: "weight_scale",
    group: GROUP,
  };
  const fault = floatFault(candidate, SCHEME);
  return { ...recognizePair(candidate, pair, fault), options: {} };
}

/**
 * MXFP4 of compressed-tensors; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, { format: "mxfp4_ct", shape: [4, 64] });
 * console.log(q.parts.weight_packed.shape, q.parts.weight_scale.shape); // [4, 32] [4, 2]
 * console.log(dequantize(q).length); // 256
 * ```
 */
export const mxfp4_ct: Format<
  "mxfp4_ct",
  Mxfp4CtOptions,
  Mxfp4CtParts,
  ResolvedMxfp4CtOptions
> = defineFormat({
  name: NAME,
  summary:
    "compressed-tensors MXFP4: groups of 32 E2M1 values, power-of-two scale",
  source: "compressed-tensors 0.20.0 mxfp4-pack-quantized",
  groupSize: GROUP,
  bitsPerValue: 4.25,
  // Half the step from 4 to 6 where the largest value is 5, and bfloat16's rounding.
  errorBound: 0.204,
  options: {
    inputDtype: dtypeOption(
      "BF16",
      false,
      "type of the weights in the library",
    ),
    computeDtype: dtypeOption("BF16", true, "type that values are rounded to"),
    ...searchSchema(SCALE_SEARCHES),
  },
  check: (_options, shape) => checkWholeGroups(NAME, GROUP, shape),
  checkNumbers: ({ weight_scale }) =>
    checkExponents(NAME, "weight_scale", weight_scale),
  like: ({ computeDtype }): Mxfp4CtOptions => ({ computeDtype }),
  layout(shape) {
    const weight_packed = packedRows({
      dtype: "U8",
      shape: withLastAxis(shape, rowLength(shape) / 2),
    });
    const weight_scale = exponentPart("U8", GROUP, shape);
    return { matrix: matrixOf(shape), parts: { weight_packed, weight_scale } };
  },
  scheme(shape, options): Scheme {
    const { inputDtype, computeDtype } = options;
    const scheme = e2m1Scheme({
      ...compressedTensorsRules(inputDtype),
      matrix: matrixOf(shape),
      group: GROUP,
      grid: E2M1,
      inputDtype,
      computeDtype,
    });
    return searchedMx(scheme, options, rowLength(shape));
  },
  fast: byGroups(E2M1_TILES_KERNELS),
  convention: {
    entries: {
      weight_packed: "{stem}.weight_packed",
      weight_scale: "{stem}.weight_scale",
    },
    library: "compressed-tensors",
    needed: ["weight_packed", "weight_scale"],
    recognize,
    layers: "linear",
    config: (_options, floats) => ({
      quantization_config: floatConfig(SCHEME, floats),
    }),
  },
});
