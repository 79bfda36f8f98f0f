/**
 * `nvfp4_modelopt`: NVFP4 as NVIDIA's ModelOpt exports it: E2M1 values, an E4M3
 * scale for each 16 along the last axis, and a float32 scale for the tensor.
 *
 * ```
 * weight          U8      [..., columns / 2]    two codes to a byte, the first in the low nibble
 * weight_scale    F8_E4M3 [..., columns / 16]   one scale for each group
 * weight_scale_2  F32     []                    the scale of the tensor
 * ```
 *
 * Every step in float32, A being a largest magnitude:
 *
 * - weight_scale_2 = A of the tensor / 2688
 * - weight_scale = E4M3(clamp(A of the group / (6 · weight_scale_2), 2^-9, 448)); 1 where that is 0
 * - code = E2M1(x / (weight_scale · weight_scale_2)), ties to even, code 8 for a
 *   negative value that rounds to zero
 * - value = E2M1[code] · (weight_scale · weight_scale_2), code 8 being +0
 *
 * A tensor of zeros has weight_scale_2 0, NaN for scales (0xFF), codes 7, and
 * comes back as NaN, as in the library.
 *
 * Source: nvidia-modelopt 0.47.0, `NVFP4QTensor.quantize` and `.dequantize` in
 * modelopt/torch/quantization/qtensor/nvfp4_tensor.py, run on the CPU.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { F32 } from "../layouts/codecs.ts";
import { fieldPart, packedRows } from "../layouts/parts.ts";
import { memberOf, shownValue } from "../model/config.ts";
import { modeloptConfig, modeloptSettings } from "../model/modelopt_config.ts";
import { byGroups } from "../model/byte_ways.ts";
import { defineFormat } from "../model/define.ts";
import { dtypeOption } from "../model/groups.ts";
import { checkScales, NEGATIVE_NAN_E4M3 } from "../model/e2m1_checkpoint.ts";
import { badNumber } from "../model/numbers.ts";
import { evenE2M1 } from "../numeric/e2m1.ts";
import { decodeE4M3, encodeE4M3 } from "../numeric/e4m3.ts";
import { clamp } from "../numeric/rounding.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { e2m1Scheme } from "../schemes/e2m1.ts";
import { E2M1_PLUS_ZERO } from "../schemes/grids.ts";
import { SCALE_SEARCHES, searched, seekScale } from "../schemes/sought.ts";
import type { Candidate, Format, Part, Recognized } from "../words/format.ts";
import type { Layout } from "../words/layout.ts";
import type { Schema } from "../words/schema.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere } from "../words/tile.ts";

const { abs, fround } = Math;

const NAME = "nvfp4_modelopt";
const GROUP = 16;

/** Options of the format `nvfp4_modelopt`. */
export interface Nvfp4ModeloptOptions extends SearchOptions {
  /** The type that values are rounded to when they are computed from codes: `"F32"` (the default), or that of the weights before. */
  readonly computeDtype?: ComputeDtype;
}

/** `nvfp4_modelopt` options with everything filled in. */
export interface ResolvedNvfp4ModeloptOptions extends ResolvedSearchOptions {
  /** The type that values are rounded to. */
  readonly computeDtype: ComputeDtype;
}

/** The arrays of an `nvfp4_modelopt` tensor. */
export interface Nvfp4ModeloptParts {
  /** Two codes to a byte, the first in the low nibble. */
  readonly weight: Part<"U8">;
  /** One E4M3 scale for each 16 values. */
  readonly weight_scale: Part<"F8_E4M3">;
  /** The scale of the tensor. */
  readonly weight_scale_2: Part<"F32">;
}

function layout(shape: readonly number[]): Layout<Nvfp4ModeloptParts> {
  const matrix = matrixOf(shape), columns = rowLength(shape);
  const group = { rows: 1, columns: GROUP };
  return {
    matrix,
    parts: {
      weight: packedRows({
        dtype: "U8",
        shape: withLastAxis(shape, columns / 2),
      }),
      weight_scale: fieldPart(
        "scale",
        group,
        "F8_E4M3",
        withLastAxis(shape, columns / GROUP),
        NEGATIVE_NAN_E4M3,
      ),
      weight_scale_2: fieldPart(
        "tensorScale",
        everywhere(matrix),
        "F32",
        [],
        F32,
      ),
    },
  };
}

function scheme(
  shape: readonly number[],
  options: ResolvedNvfp4ModeloptOptions,
): Scheme {
  const { computeDtype } = options;
  const scaleOf = (scale: number, ofTensor: number) => fround(scale * ofTensor);
  const scheme = e2m1Scheme({
    matrix: matrixOf(shape),
    group: GROUP,
    stored: "scale",
    ofTensor: { role: "tensorScale", find: (absmax) => absmax / (6 * 448) },
    fit(absmax, ofTensor): number {
      const scale = fround(absmax / fround(6 * ofTensor));
      // NaN, of 0 / 0, passes through the clamp.
      return decodeE4M3(
        encodeE4M3(scale === 0 ? 1 : clamp(scale, 2 ** -9, 448)),
      );
    },
    code(x, scale, ofTensor): number {
      const scaled = fround(x / scaleOf(scale, ofTensor));
      return evenE2M1(abs(scaled)) | (scaled < 0 ? 8 : 0);
    },
    steps: {
      factor: scaleOf,
      rule: "even",
      e4m3: (ofTensor) => ({
        divisor: fround(6 * ofTensor),
        least: 2 ** -9,
        ofZero: 1,
        factor: ["product", ofTensor],
      }),
    },
    scale: scaleOf,
    grid: E2M1_PLUS_ZERO,
    computeDtype,
  });
  const search = seekScale(E2M1_PLUS_ZERO.values, "scale", {
    numbers: "E4M3",
    scaleOf,
    ofTensor: "tensorScale",
  });
  return searched(scheme, search, options, rowLength(shape));
}

function check(
  _options: ResolvedNvfp4ModeloptOptions,
  shape: readonly number[],
): void {
  const columns = rowLength(shape);
  if (columns % GROUP === 0) return;
  throw new RangeError(
    `Cannot lay out shape [${shape}] as ${NAME}: the last axis is ${columns}, ` +
      `it must be a multiple of ${GROUP}`,
  );
}

function checkNumbers(
  { weight_scale, weight_scale_2 }: Nvfp4ModeloptParts,
): void {
  const [ofTensor] = weight_scale_2.data;
  if (!(ofTensor >= 0 && ofTensor < Infinity)) {
    const wanted = "finite and not negative";
    throw badNumber(NAME, "weight_scale_2", 0, ofTensor, wanted);
  }
  // Where the scale of the tensor is 0 the library itself writes NaN. Versions before
  // the clamp at 2^-9, and programs like them, write 0 for groups of tiny values.
  checkScales(NAME, "weight_scale", weight_scale, ofTensor === 0 ? [0xff] : []);
}

// ---- in checkpoints ----

function recognize(candidate: Candidate): Recognized | undefined {
  const { weight, weight_scale: scale, weight_scale_2: ofTensor } =
    candidate.parts;
  // FP8 checkpoints and others use the same names for other things.
  if (weight.dtype !== "U8" || scale.dtype !== "F8_E4M3") return undefined;
  const fault = shapeFault(weight.shape, scale.shape) ??
    (ofTensor.dtype === "F32" && ofTensor.shape.length === 0
      ? undefined
      : `its weight_scale_2 is ${ofTensor.dtype} [${ofTensor.shape}], not F32 []`) ??
    configFault(candidate);
  if (fault === undefined) {
    const columns = 2 * rowLength(weight.shape);
    return { shape: withLastAxis(weight.shape, columns), options: {} };
  }
  const name = candidate.stem === undefined ? "" : ` ${candidate.stem}`;
  throw new RangeError(`Cannot read${name} as ${NAME}: ${fault}`);
}

function shapeFault(
  weight: readonly number[],
  scale: readonly number[],
): string | undefined {
  const expected = withLastAxis(weight, rowLength(weight) * 2 / GROUP);
  return weight.length > 0 && String(expected) === String(scale)
    ? undefined
    : `its weight [${weight}] and weight_scale [${scale}] make no groups of ${GROUP}`;
}

/** What the config says against the tensor. */
function configFault(candidate: Candidate): string | undefined {
  const settings = modeloptSettings(candidate);
  const algorithm = memberOf(settings, "quant_algo");
  if (algorithm !== undefined && !String(algorithm).includes("NVFP4")) {
    return `the config says quant_algo ${
      shownValue(algorithm)
    }, its parts are those of NVFP4`;
  }
  const group = memberOf(settings, "group_size");
  return group === undefined || group === GROUP
    ? undefined
    : `the config says group_size ${
      shownValue(group)
    }, its parts make groups of ${GROUP}`;
}

const OPTIONS: Schema<Nvfp4ModeloptOptions> = {
  computeDtype: dtypeOption("F32", true, "type that values are rounded to"),
  ...searchSchema(SCALE_SEARCHES),
};

/**
 * NVFP4 as ModelOpt exports it; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, { format: "nvfp4_modelopt", shape: [4, 64] });
 * console.log(q.parts.weight.shape, q.parts.weight_scale.shape); // [4, 32] [4, 4]
 * console.log(dequantize(q).length); // 256
 * ```
 */
export const nvfp4_modelopt: Format<
  "nvfp4_modelopt",
  Nvfp4ModeloptOptions,
  Nvfp4ModeloptParts,
  ResolvedNvfp4ModeloptOptions
> = defineFormat({
  name: NAME,
  summary:
    "NVIDIA ModelOpt NVFP4: groups of 16 E2M1 values, E4M3 scales, a float32 scale per tensor",
  source: "nvidia-modelopt 0.47.0 NVFP4QTensor",
  groupSize: GROUP,
  bitsPerValue: 4.5,
  // Half the step from 4 to 6 under a scale that was rounded up by 1 / 16.
  errorBound: 0.18,
  options: OPTIONS,
  check,
  checkNumbers,
  like: ({ computeDtype }) => ({ computeDtype }),
  layout,
  scheme,
  fast: byGroups(E2M1_TILES_KERNELS),
  convention: {
    entries: {
      weight: "{stem}.weight",
      weight_scale: "{stem}.weight_scale",
      weight_scale_2: "{stem}.weight_scale_2",
    },
    needed: ["weight", "weight_scale", "weight_scale_2"],
    recognize,
    ...modeloptConfig(() => ({
      algorithm: "W4A16_NVFP4",
      type: "float",
      group: GROUP,
    })),
  },
});
