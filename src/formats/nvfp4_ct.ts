/**
 * `nvfp4_ct`: NVFP4 of compressed-tensors (`nvfp4-pack-quantized`): E2M1 values, an
 * E4M3 scale for each 16 along the last axis, and a float32 number for the tensor by
 * which scales are divided.
 *
 * ```
 * weight_packed         U8        [..., columns / 2]    two codes to a byte, the first in the low nibble
 * weight_scale          F8_E4M3   [..., columns / 16]   one scale for each group
 * weight_global_scale   F32       [1]                   the inverse of the scale of the tensor
 * ```
 *
 * W is the type of the weights, `inputDtype`, to which they are rounded first, and A
 * a largest magnitude:
 *
 * - weight_global_scale = W(W(1 / A of the tensor) · 2688); 1 where that is infinite
 * - weight_scale = E4M3(min(weight_global_scale · W(A of the group / 6), 448)), in
 *   float32; 0.125 where that is 0
 * - code = E2M1(x / (weight_scale / weight_global_scale)), in float32, ties to even,
 *   code 8 for a negative value that rounds to zero
 * - value = E2M1[code] · (weight_scale / weight_global_scale) in float32, rounded to
 *   bfloat16; code 8 is −0
 *
 * Source: compressed-tensors 0.20.0, `generate_gparam`, `calculate_qparams` and the
 * compressor `nvfp4-pack-quantized`.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { F32 } from "../layouts/codecs.ts";
import { fieldPart, packedRows } from "../layouts/parts.ts";
import {
  floatConfig,
  floatFault,
  type FloatScheme,
} from "../model/compressed_tensors_floats.ts";
import { byGroups } from "../model/byte_ways.ts";
import { defineFormat } from "../model/define.ts";
import { dtypeOption } from "../model/groups.ts";
import {
  checkScales,
  checkWholeGroups,
  recognizePair,
  scalePart,
  tensorScaleFault,
} from "../model/e2m1_checkpoint.ts";
import { badNumber } from "../model/numbers.ts";
import { roundTo } from "../numeric/compute.ts";
import { evenE2M1 } from "../numeric/e2m1.ts";
import { decodeE4M3, encodeE4M3 } from "../numeric/e4m3.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { e2m1Scheme } from "../schemes/e2m1.ts";
import { E2M1 } from "../schemes/grids.ts";
import { SCALE_SEARCHES, searched, seekScale } from "../schemes/sought.ts";
import type { Candidate, Format, Part, Recognized } from "../words/format.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere } from "../words/tile.ts";

const { abs, fround } = Math;

const NAME = "nvfp4_ct";
const GROUP = 16;
const SCHEME: FloatScheme = {
  format: "nvfp4-pack-quantized",
  group: GROUP,
  strategy: "tensor_group",
  scaleDtype: "torch.float8_e4m3fn",
};

/** Options of the format `nvfp4_ct`. */
export interface Nvfp4CtOptions extends SearchOptions {
  /** The type that the weights have in the library, on which rounding depends: `"BF16"` (the default) or another. */
  readonly inputDtype?: ComputeDtype;
  /** The type that values are rounded to: `"BF16"` (the default), whatever the weights were, or another. */
  readonly computeDtype?: ComputeDtype;
}

/** `nvfp4_ct` options with everything filled in. */
export type ResolvedNvfp4CtOptions =
  & Required<Omit<Nvfp4CtOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The arrays of an `nvfp4_ct` tensor. */
export interface Nvfp4CtParts {
  /** Two codes to a byte, the first in the low nibble. */
  readonly weight_packed: Part<"U8">;
  /** One E4M3 scale for each 16 values. */
  readonly weight_scale: Part<"F8_E4M3">;
  /** What scales are divided by. */
  readonly weight_global_scale: Part<"F32">;
}

/** What is stored for a group of zeros. */
const ZERO_SCALE = 0.125;

function scheme(
  shape: readonly number[],
  options: ResolvedNvfp4CtOptions,
): Scheme {
  const { inputDtype, computeDtype } = options;
  const round = roundTo(inputDtype);
  const scaleOf = (scale: number, divisor: number) => fround(scale / divisor);
  const scheme = e2m1Scheme({
    matrix: matrixOf(shape),
    group: GROUP,
    stored: "scale",
    ofTensor: {
      role: "tensorDivisor",
      find(absmax): number {
        const divisor = round(fround(round(fround(1 / absmax)) * 2688));
        return divisor < Infinity ? divisor : 1;
      },
    },
    fit(absmax, divisor): number {
      const scale = fround(divisor * round(fround(absmax / 6)));
      return decodeE4M3(encodeE4M3(scale)) || ZERO_SCALE;
    },
    code(x, scale, divisor): number {
      const scaled = fround(x / scaleOf(scale, divisor));
      return evenE2M1(abs(scaled)) | (scaled < 0 ? 8 : 0);
    },
    steps: {
      factor: scaleOf,
      rule: "even",
      e4m3: (divisor) => ({
        divisor: 6,
        dtype: inputDtype,
        times: divisor,
        orElse: ZERO_SCALE,
        factor: ["quotient", divisor],
      }),
    },
    scale: scaleOf,
    grid: E2M1,
    inputDtype,
    computeDtype,
  });
  const search = seekScale(E2M1.values, "scale", {
    numbers: "E4M3",
    scaleOf,
    ofTensor: "tensorDivisor",
    holds: computeDtype,
  });
  return searched(scheme, search, options, rowLength(shape));
}

function checkNumbers(
  { weight_scale, weight_global_scale }: Nvfp4CtParts,
): void {
  const [divisor] = weight_global_scale.data;
  if (!(divisor > 0 && divisor < Infinity)) {
    const wanted = "positive and finite";
    throw badNumber(NAME, "weight_global_scale", 0, divisor, wanted);
  }
  checkScales(NAME, "weight_scale", weight_scale);
}

function recognize(candidate: Candidate): Recognized | undefined {
  const { weight_packed, weight_scale, weight_global_scale } = candidate.parts;
  const fits = weight_packed.dtype === "U8" && weight_scale.dtype === "F8_E4M3";
  if (!fits) return undefined;
  const pair = {
    format: NAME,
    codes: "weight_packed",
    scales: "weight_scale",
    group: GROUP,
  };
  const fault =
    tensorScaleFault("weight_global_scale", weight_global_scale, [1]) ??
      floatFault(candidate, SCHEME);
  return { ...recognizePair(candidate, pair, fault), options: {} };
}

/**
 * NVFP4 of compressed-tensors; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, { format: "nvfp4_ct", shape: [4, 64] });
 * console.log(q.parts.weight_scale.shape); // [4, 4]
 * console.log(q.parts.weight_global_scale.data[0]); // 2688: the largest magnitude rounds to 1
 * console.log(dequantize(q).length); // 256
 * ```
 */
export const nvfp4_ct: Format<
  "nvfp4_ct",
  Nvfp4CtOptions,
  Nvfp4CtParts,
  ResolvedNvfp4CtOptions
> = defineFormat({
  name: NAME,
  summary:
    "compressed-tensors NVFP4: groups of 16 E2M1 values, E4M3 scales, a float32 divisor per tensor",
  source: "compressed-tensors 0.20.0 nvfp4-pack-quantized",
  groupSize: GROUP,
  bitsPerValue: 4.5,
  // That of nvfp4_modelopt, and bfloat16's roundings.
  errorBound: 0.186,
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
  checkNumbers,
  like: ({ computeDtype }): Nvfp4CtOptions => ({ computeDtype }),
  layout(shape) {
    const matrix = matrixOf(shape);
    return {
      matrix,
      parts: {
        weight_packed: packedRows({
          dtype: "U8",
          shape: withLastAxis(shape, rowLength(shape) / 2),
        }),
        weight_scale: scalePart(GROUP, shape),
        weight_global_scale: fieldPart(
          "tensorDivisor",
          everywhere(matrix),
          "F32",
          [1],
          F32,
        ),
      },
    };
  },
  scheme,
  fast: byGroups(E2M1_TILES_KERNELS),
  convention: {
    entries: {
      weight_packed: "{stem}.weight_packed",
      weight_scale: "{stem}.weight_scale",
      weight_global_scale: "{stem}.weight_global_scale",
    },
    library: "compressed-tensors",
    needed: ["weight_packed", "weight_scale", "weight_global_scale"],
    recognize,
    layers: "linear",
    config: (_options, floats) => ({
      quantization_config: floatConfig(SCHEME, floats),
    }),
  },
});
