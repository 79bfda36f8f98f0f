/**
 * `mxfp4_modelopt`: MXFP4 of NVIDIA's ModelOpt: E2M1 values and a power of two for
 * each 32 along the last axis.
 *
 * ```
 * weight         U8   [..., columns / 2]    two codes to a byte, the first in the low nibble
 * weight_scale   U8   [..., columns / 32]   E8M0: 2^(byte − 127)
 * ```
 *
 * Every step in float32, A being the largest magnitude of a group:
 *
 * - byte = ⌈log2(A / 6)⌉ + 127, the logarithm rounded to float32, 0 at least
 * - code = E2M1(x / 2^(byte − 127)), ties toward zero; code 8, which is −0, for what is
 *   not positive and rounds to zero, 0 itself too
 * - value = E2M1[code] · 2^(byte − 127), rounded to `computeDtype`
 *
 * Source: nvidia-modelopt 0.47.0, `MXFP4QTensor.quantize` and `.dequantize` in
 * modelopt/torch/quantization/qtensor/mxfp4_tensor.py, run on the CPU.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { packedRows } from "../layouts/parts.ts";
import { memberOf, shownValue } from "../model/config.ts";
import { modeloptConfig, modeloptSettings } from "../model/modelopt_config.ts";
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
import { MODELOPT_RULES, searchedMx } from "../schemes/mx.ts";
import { SCALE_SEARCHES } from "../schemes/sought.ts";
import type { Candidate, Format, Part, Recognized } from "../words/format.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";

const NAME = "mxfp4_modelopt";
const GROUP = 32;

/** Options of the format `mxfp4_modelopt`. */
export interface Mxfp4ModeloptOptions extends SearchOptions {
  /** The type that values are rounded to when they are computed from codes: `"F32"` (the default), or that of the weights before. */
  readonly computeDtype?: ComputeDtype;
}

/** `mxfp4_modelopt` options with everything filled in. */
export type ResolvedMxfp4ModeloptOptions =
  & Required<Omit<Mxfp4ModeloptOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The arrays of an `mxfp4_modelopt` tensor. */
export interface Mxfp4ModeloptParts {
  /** Two codes to a byte, the first in the low nibble. */
  readonly weight: Part<"U8">;
  /** One E8M0 byte for each 32 values. */
  readonly weight_scale: Part<"U8">;
}

function recognize(candidate: Candidate): Recognized | undefined {
  const { weight, weight_scale } = candidate.parts;
  if (weight.dtype !== "U8" || weight_scale.dtype !== "U8") return undefined;
  const pair = {
    format: NAME,
    codes: "weight",
    scales: "weight_scale",
    group: GROUP,
  };
  const shape = recognizePair(candidate, pair, configFault(candidate));
  return { ...shape, options: {} };
}

/** What the config says against the tensor. */
function configFault(candidate: Candidate): string | undefined {
  const settings = modeloptSettings(candidate);
  const algorithm = memberOf(settings, "quant_algo") ?? undefined;
  return algorithm === undefined || /mxfp4/i.test(String(algorithm))
    ? undefined
    : `the config says quant_algo ${
      shownValue(algorithm)
    }, its parts are those of MXFP4`;
}

/**
 * MXFP4 of ModelOpt; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, { format: "mxfp4_modelopt", shape: [4, 64] });
 * console.log(q.parts.weight.shape, q.parts.weight_scale.shape); // [4, 32] [4, 2]
 * console.log(dequantize(q).length); // 256
 * ```
 */
export const mxfp4_modelopt: Format<
  "mxfp4_modelopt",
  Mxfp4ModeloptOptions,
  Mxfp4ModeloptParts,
  ResolvedMxfp4ModeloptOptions
> = defineFormat({
  name: NAME,
  summary:
    "NVIDIA ModelOpt MXFP4: groups of 32 E2M1 values, power-of-two scale",
  source: "nvidia-modelopt 0.47.0 MXFP4QTensor",
  groupSize: GROUP,
  bitsPerValue: 4.25,
  // Half the step from 4 to 6 where the largest value is 5.
  errorBound: 0.2 + 1e-6,
  options: {
    computeDtype: dtypeOption("F32", true, "type that values are rounded to"),
    ...searchSchema(SCALE_SEARCHES),
  },
  check: (_options, shape) => checkWholeGroups(NAME, GROUP, shape),
  checkNumbers: ({ weight_scale }) =>
    checkExponents(NAME, "weight_scale", weight_scale),
  like: ({ computeDtype }): Mxfp4ModeloptOptions => ({ computeDtype }),
  layout(shape) {
    const weight = packedRows({
      dtype: "U8",
      shape: withLastAxis(shape, rowLength(shape) / 2),
    });
    const weight_scale = exponentPart("U8", GROUP, shape);
    return { matrix: matrixOf(shape), parts: { weight, weight_scale } };
  },
  scheme(shape, options): Scheme {
    const { computeDtype } = options;
    const scheme = e2m1Scheme({
      ...MODELOPT_RULES,
      matrix: matrixOf(shape),
      group: GROUP,
      grid: E2M1,
      computeDtype,
    });
    return searchedMx(scheme, options, rowLength(shape));
  },
  fast: byGroups(E2M1_TILES_KERNELS),
  convention: {
    entries: { weight: "{stem}.weight", weight_scale: "{stem}.weight_scale" },
    needed: ["weight", "weight_scale"],
    recognize,
    ...modeloptConfig(() => ({
      algorithm: "mxfp4",
      type: "float",
      group: GROUP,
    })),
  },
});
