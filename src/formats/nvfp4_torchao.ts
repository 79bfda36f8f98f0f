/**
 * `nvfp4_torchao`: torchao's `NVFP4Tensor`: E2M1 values, an E4M3 scale for each 16
 * along the last axis, and maybe a float32 scale for the tensor.
 *
 * ```
 * _weight_qdata              U8        [..., columns / 2]    two codes to a byte, the first in the low nibble
 * _weight_scale              F8_E4M3   [..., columns / 16]   one scale for each group
 * _weight_per_tensor_scale   F32       []                    the scale of the tensor, with `perTensorScale` only
 * ```
 *
 * With `swizzled`, as `quantize_` of the library leaves them, scales lie in tiles
 * (src/layouts/swizzled.ts): [..., ⌈rows / 128⌉ · 32, ⌈columns / 64⌉ · 16].
 *
 * Every step in float32, A being a largest magnitude:
 *
 * - _weight_per_tensor_scale t = A of the tensor / 2688
 * - _weight_scale s = E4M3(clamp((A of the group / 6) / t, 2^-6, 448)), without t the same
 *   of A / 6
 * - code = E2M1(x · ((1 / t) / s)), without t E2M1(x · (1 / s)); ties to even, with the
 *   sign of x
 * - value = E2M1[code] · (t · s), rounded to `computeDtype`; code 8 is −0
 *
 * A tensor of zeros has t = 0, NaN for scales (0xFF), codes 11, and comes back as NaN,
 * as in the library.
 *
 * Source: torchao 0.18.0, `NVFP4Tensor.to_nvfp4` and `.dequantize` in
 * torchao/prototype/mx_formats/nvfp4_tensor.py, run on the CPU; the names are those of
 * its `flatten_tensor_state_dict`.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { F32 } from "../layouts/codecs.ts";
import { fieldPart, packedRows } from "../layouts/parts.ts";
import { swizzledShape } from "../layouts/swizzled.ts";
import { byGroups } from "../model/byte_ways.ts";
import { defineFormat } from "../model/define.ts";
import { dtypeOption } from "../model/groups.ts";
import {
  checkScales,
  checkWholeGroups,
  NEGATIVE_NAN_E4M3,
  scalePart,
  tensorScaleFault,
} from "../model/e2m1_checkpoint.ts";
import { badNumber } from "../model/numbers.ts";
import { TENSOR_SCALES } from "../model/tensor_scale.ts";
import {
  recognizeTorchao,
  SWIZZLED,
  torchaoConvention,
} from "../model/torchao_checkpoint.ts";
import { signedE2M1 } from "../numeric/e2m1.ts";
import { decodeE4M3, encodeE4M3, LARGEST_E4M3 } from "../numeric/e4m3.ts";
import { clamp } from "../numeric/rounding.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { e2m1Scheme } from "../schemes/e2m1.ts";
import { E2M1 } from "../schemes/grids.ts";
import { SCALE_SEARCHES, searched, seekScale } from "../schemes/sought.ts";
import type { Candidate, Format, Part, Recognized } from "../words/format.ts";
import { booleanOption } from "../words/options.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere } from "../words/tile.ts";

const { fround } = Math;

const NAME = "nvfp4_torchao";
const TYPE = "NVFP4Tensor";
const GROUP = 16;

/** Options of the format `nvfp4_torchao`. */
export interface Nvfp4TorchaoOptions extends SearchOptions {
  /** Whether the tensor has a scale of its own; yes by default, as in the library's configs. */
  readonly perTensorScale?: boolean;
  /** The type that values are rounded to, in the library that of the weights before: `"BF16"` by default. */
  readonly computeDtype?: ComputeDtype;
  /** Whether scales lie in the order of tensor cores, `is_swizzled_scales` in the library; no by default. */
  readonly swizzled?: boolean;
}

/** `nvfp4_torchao` options with everything filled in. */
export type ResolvedNvfp4TorchaoOptions =
  & Required<Omit<Nvfp4TorchaoOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The arrays of an `nvfp4_torchao` tensor. */
export interface Nvfp4TorchaoParts {
  /** Two codes to a byte, the first in the low nibble. */
  readonly _weight_qdata: Part<"U8">;
  /** One E4M3 scale for each 16 values. */
  readonly _weight_scale: Part<"F8_E4M3">;
  /** The scale of the tensor; only with `perTensorScale`. */
  readonly _weight_per_tensor_scale?: Part<"F32">;
}

/** The smallest scale that the library stores. */
const LEAST_SCALE = 2 ** -6;

function scaleOf(scale: number, ofTensor: number): number {
  return fround(ofTensor * scale);
}

/** The bits that its rounding leaves of a NaN with its sign set. */
const CODE_OF_NAN = 11;

function scheme(
  shape: readonly number[],
  options: ResolvedNvfp4TorchaoOptions,
): Scheme {
  const { perTensorScale, computeDtype } = options;
  const inverseOf = (scale: number, ofTensor: number) =>
    fround(fround(1 / ofTensor) / scale);
  const scheme = e2m1Scheme({
    matrix: matrixOf(shape),
    group: GROUP,
    stored: "scale",
    ...(perTensorScale && {
      ofTensor: {
        role: "tensorScale",
        find: (absmax: number) => absmax / 2688,
      },
    }),
    fit(absmax, ofTensor): number {
      const scale = fround(fround(absmax / 6) / ofTensor);
      return decodeE4M3(encodeE4M3(clamp(scale, LEAST_SCALE, LARGEST_E4M3)));
    },
    steps: {
      factor: inverseOf,
      product: true,
      rule: "signed",
      e4m3: (ofTensor) => ({
        divisor: 6,
        over: ofTensor,
        least: LEAST_SCALE,
        factor: ["inverse", fround(1 / ofTensor)],
      }),
    },
    code(x, scale, ofTensor): number {
      const scaled = fround(x * inverseOf(scale, ofTensor));
      return Number.isNaN(scaled) ? CODE_OF_NAN : signedE2M1(scaled);
    },
    scale: scaleOf,
    grid: E2M1,
    computeDtype,
  });
  const search = seekScale(E2M1.values, "scale", {
    numbers: "E4M3",
    scaleOf,
    ofTensor: perTensorScale ? "tensorScale" : undefined,
    holds: computeDtype,
  });
  return searched(scheme, search, options, rowLength(shape));
}

function checkNumbers(
  { _weight_scale, _weight_per_tensor_scale }: Nvfp4TorchaoParts,
): void {
  const ofTensor = _weight_per_tensor_scale?.data[0] ?? 1;
  if (!(ofTensor >= 0 && ofTensor < Infinity)) {
    const name = "_weight_per_tensor_scale";
    throw badNumber(NAME, name, 0, ofTensor, "finite and not negative");
  }
  // Where the scale of the tensor is 0 the library itself writes NaN.
  const taken = ofTensor === 0 ? [0x7f, 0xff] : [];
  checkScales(NAME, "_weight_scale", _weight_scale, taken);
}

function recognize(candidate: Candidate): Recognized | undefined {
  const { parts } = candidate;
  const { _weight_qdata, _weight_scale, _weight_per_tensor_scale } = parts;
  const fits = _weight_qdata.dtype === "U8" &&
    _weight_scale.dtype === "F8_E4M3";
  if (!fits) return undefined;
  const { shape, options } = recognizeTorchao(
    candidate,
    {
      type: TYPE,
      format: NAME,
      codes: "_weight_qdata",
      scales: "_weight_scale",
      group: GROUP,
    },
    tensorScaleFault("_weight_per_tensor_scale", _weight_per_tensor_scale, []),
  );
  const perTensorScale = _weight_per_tensor_scale !== undefined;
  return { shape, options: { perTensorScale, ...options } };
}

/**
 * NVFP4 of torchao; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, { format: "nvfp4_torchao", shape: [4, 64] });
 * console.log(q.parts._weight_qdata.shape, q.parts._weight_scale.shape); // [4, 32] [4, 4]
 * console.log(dequantize(q).length); // 256
 * ```
 */
export const nvfp4_torchao: Format<
  "nvfp4_torchao",
  Nvfp4TorchaoOptions,
  Nvfp4TorchaoParts,
  ResolvedNvfp4TorchaoOptions
> = defineFormat({
  name: NAME,
  summary:
    "torchao NVFP4: groups of 16 E2M1 values, E4M3 scales, maybe a float32 scale per tensor",
  source: "torchao 0.18.0 NVFP4Tensor",
  groupSize: GROUP,
  bitsPerValue: 4.5,
  // That of nvfp4_modelopt, and bfloat16's roundings.
  errorBound: 0.186,
  options: {
    perTensorScale: booleanOption({
      default: true,
      kept: true,
      help: "a scale for the whole tensor",
    }),
    computeDtype: dtypeOption("BF16", true, "type that values are rounded to"),
    swizzled: SWIZZLED,
    ...searchSchema(SCALE_SEARCHES),
  },
  check: ({ swizzled }, shape) => {
    checkWholeGroups(NAME, GROUP, shape);
    if (swizzled) swizzledShape(shape, GROUP);
  },
  checkNumbers,
  like: ({ fields, computeDtype }): Nvfp4TorchaoOptions => ({
    perTensorScale: TENSOR_SCALES.some((role) => role in fields),
    computeDtype,
  }),
  layout(shape, { perTensorScale, swizzled }) {
    const matrix = matrixOf(shape);
    return {
      matrix,
      parts: {
        _weight_qdata: packedRows({
          dtype: "U8",
          shape: withLastAxis(shape, rowLength(shape) / 2),
        }),
        _weight_scale: scalePart(GROUP, shape, NEGATIVE_NAN_E4M3, swizzled),
        ...(perTensorScale && {
          _weight_per_tensor_scale: fieldPart(
            "tensorScale",
            everywhere(matrix),
            "F32",
            [],
            F32,
          ),
        }),
      },
    };
  },
  scheme,
  fast: byGroups(E2M1_TILES_KERNELS),
  convention: {
    entries: {
      _weight_qdata: "{stem}._weight_qdata",
      _weight_scale: "{stem}._weight_scale",
      _weight_per_tensor_scale: "{stem}._weight_per_tensor_scale",
    },
    needed: ["_weight_qdata", "_weight_scale"],
    recognize,
    ...torchaoConvention<ResolvedNvfp4TorchaoOptions>({
      type: TYPE,
      attributes: () => ({
        block_size: GROUP,
        use_triton_kernel: false,
        act_quant_kwargs: null,
      }),
      arrays: ({ perTensorScale }) => [
        ...(perTensorScale ? ["per_tensor_scale"] : []),
        "qdata",
        "scale",
      ],
      config: ({ perTensorScale }) => ["NVFP4WeightOnlyConfig", {
        use_dynamic_per_tensor_scale: perTensorScale,
      }],
    }),
  },
});
