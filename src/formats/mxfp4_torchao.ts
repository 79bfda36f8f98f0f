/**
 * `mxfp4_torchao`: torchao's `MXTensor` of E2M1 values: a power of two for each 32
 * along the last axis.
 *
 * ```
 * _weight_qdata   U8        [..., columns / 2]    two codes to a byte, the first in the low nibble
 * _weight_scale   F8_E8M0   [..., columns / 32]   2^(byte − 127)
 * ```
 *
 * With `swizzled`, as `quantize_` of the library leaves them, scales lie in tiles
 * (src/layouts/swizzled.ts): [..., ⌈rows / 128⌉ · 32, ⌈columns / 128⌉ · 16].
 *
 * Every step in float32, A being the largest magnitude of a group. The byte, by
 * `scaleRule`:
 *
 * - `floor`: the exponent of A, less 2; `even`: that of the next power of two where A is
 *   1.75 times one or more; `ceil`: that of the next one where A is none. 0 at least.
 * - `rceil`: ⌈log2(A / 6)⌉ + 127, the logarithm rounded to float32, 0 … 254
 *
 * code = E2M1(x / max(2^(byte − 127), 2^-126)), with `rceil` E2M1(x · 2^(127 − byte)) and
 * E2M1(x) for byte 0; ties to even, with the sign of x. value = E2M1[code] ·
 * C(2^(byte − 127)), rounded to the `computeDtype` C; code 8 is −0.
 *
 * Source: torchao 0.18.0, `MXTensor.to_mx` and `.dequantize` in
 * torchao/prototype/mx_formats, run on the CPU; the names are those of its
 * `flatten_tensor_state_dict`.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { packedRows } from "../layouts/parts.ts";
import { swizzledShape } from "../layouts/swizzled.ts";
import { byGroups } from "../model/byte_ways.ts";
import { defineFormat } from "../model/define.ts";
import { dtypeOption } from "../model/groups.ts";
import {
  checkExponents,
  checkWholeGroups,
  exponentPart,
} from "../model/e2m1_checkpoint.ts";
import {
  named,
  recognizeTorchao,
  SWIZZLED,
  torchaoConvention,
  torchDtype,
} from "../model/torchao_checkpoint.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { e2m1Scheme } from "../schemes/e2m1.ts";
import { E2M1 } from "../schemes/grids.ts";
import { type ScaleRule, searchedMx, torchaoRules } from "../schemes/mx.ts";
import { SCALE_SEARCHES } from "../schemes/sought.ts";
import type { Candidate, Format, Part, Recognized } from "../words/format.ts";
import { choiceOption } from "../words/options.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";

const NAME = "mxfp4_torchao";
const TYPE = "MXTensor";
const GROUP = 32;

/** Options of the format `mxfp4_torchao`. */
export interface Mxfp4TorchaoOptions extends SearchOptions {
  /** How exponents are found, `ScaleCalculationMode` in the library: `"floor"` (its default), `"even"`, `"ceil"` or `"rceil"`. */
  readonly scaleRule?: ScaleRule;
  /** The type that values are rounded to, in the library that of the weights before: `"BF16"` by default. */
  readonly computeDtype?: ComputeDtype;
  /** Whether scales lie in the order of tensor cores, `is_swizzled_scales` in the library; no by default. */
  readonly swizzled?: boolean;
}

/** `mxfp4_torchao` options with everything filled in. */
export type ResolvedMxfp4TorchaoOptions =
  & Required<Omit<Mxfp4TorchaoOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The arrays of an `mxfp4_torchao` tensor. */
export interface Mxfp4TorchaoParts {
  /** Two codes to a byte, the first in the low nibble. */
  readonly _weight_qdata: Part<"U8">;
  /** One E8M0 byte for each 32 values. */
  readonly _weight_scale: Part<"F8_E8M0">;
}

function recognize(candidate: Candidate): Recognized | undefined {
  const { _weight_qdata: codes, _weight_scale: scales } = candidate.parts;
  if (codes.dtype !== "U8" || scales.dtype !== "F8_E8M0") return undefined;
  return recognizeTorchao(candidate, {
    type: TYPE,
    format: NAME,
    codes: "_weight_qdata",
    scales: "_weight_scale",
    group: GROUP,
  });
}

const ELEMENT = torchDtype("float4_e2m1fn_x2");
/** Matrix products in plain torch, on every device. */
const KERNEL = named("KernelPreference", "EMULATED");
/** How the library finds the exponents of activations. */
const RULE = named("ScaleCalculationMode", "RCEIL");

/** The library multiplies by such weights only activations that it quantizes too. */
const ACTIVATIONS = named("QuantizeTensorToMXKwargs", {
  elem_dtype: ELEMENT,
  block_size: GROUP,
  scaling_mode: RULE,
  kernel_preference: KERNEL,
  is_swizzled_scales: true,
});

/**
 * MXFP4 of torchao; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, {
 *   format: "mxfp4_torchao",
 *   shape: [4, 64],
 *   scaleRule: "rceil",
 * });
 * console.log(q.parts._weight_qdata.shape, q.parts._weight_scale.shape); // [4, 32] [4, 2]
 * console.log(dequantize(q).length); // 256
 * ```
 */
export const mxfp4_torchao: Format<
  "mxfp4_torchao",
  Mxfp4TorchaoOptions,
  Mxfp4TorchaoParts,
  ResolvedMxfp4TorchaoOptions
> = defineFormat({
  name: NAME,
  summary:
    "torchao MXFP4: groups of 32 E2M1 values, power-of-two scale by one of four rules",
  source: "torchao 0.18.0 MXTensor",
  groupSize: GROUP,
  bitsPerValue: 4.25,
  // What is beyond 6 times the scale, up to 8 times it, becomes 6 times it.
  errorBound: 0.25,
  options: {
    scaleRule: choiceOption({
      choices: ["floor", "even", "ceil", "rceil"],
      default: "floor",
      kept: false,
      help: "how exponents are found",
    }),
    computeDtype: dtypeOption("BF16", true, "type that values are rounded to"),
    swizzled: SWIZZLED,
    ...searchSchema(SCALE_SEARCHES),
  },
  check: ({ swizzled }, shape) => {
    checkWholeGroups(NAME, GROUP, shape);
    if (swizzled) swizzledShape(shape, GROUP);
  },
  checkNumbers: ({ _weight_scale }) =>
    checkExponents(NAME, "_weight_scale", _weight_scale),
  like: ({ computeDtype }): Mxfp4TorchaoOptions => ({ computeDtype }),
  layout(shape, { swizzled }) {
    const _weight_qdata = packedRows({
      dtype: "U8",
      shape: withLastAxis(shape, rowLength(shape) / 2),
    });
    const _weight_scale = exponentPart("F8_E8M0", GROUP, shape, swizzled);
    return { matrix: matrixOf(shape), parts: { _weight_qdata, _weight_scale } };
  },
  scheme(shape, options): Scheme {
    const { scaleRule, computeDtype } = options;
    const scheme = e2m1Scheme({
      ...torchaoRules(scaleRule, computeDtype),
      matrix: matrixOf(shape),
      group: GROUP,
      grid: E2M1,
      computeDtype,
    });
    return searchedMx(scheme, options, rowLength(shape));
  },
  fast: byGroups(E2M1_TILES_KERNELS),
  convention: {
    entries: {
      _weight_qdata: "{stem}._weight_qdata",
      _weight_scale: "{stem}._weight_scale",
    },
    needed: ["_weight_qdata", "_weight_scale"],
    recognize,
    ...torchaoConvention<ResolvedMxfp4TorchaoOptions>({
      type: TYPE,
      attributes: () => ({
        elem_dtype: ELEMENT,
        block_size: GROUP,
        kernel_preference: KERNEL,
        act_quant_kwargs: ACTIVATIONS,
      }),
      arrays: () => ["qdata", "scale"],
      config: () => ["MXDynamicActivationMXWeightConfig", {
        block_size: GROUP,
        activation_dtype: ELEMENT,
        weight_dtype: ELEMENT,
        kernel_preference: KERNEL,
        scaling_mode: RULE,
      }],
    }),
  },
});
