/**
 * `openvino`: the constants of weights that NNCF compressed, as OpenVINO's IR holds them.
 *
 * ```text
 * weight      U8  [ceil(size / 2)]         two codes to a byte over the ends of rows, the first in the low
 *                                          nibble: the bytes of the constant
 * scale       F16 [out, groups, 1]         mxfp4: F8_E8M0, nvfp4: F8_E4M3; [out, 1] with groupSize "row"
 * zero_point  U8  [ceil(out · groups / 2)]  int4_asym only, packed as the codes are
 * second_order_scale  F32 [1, 1, 1]        nvfp4 only
 * ```
 *
 * | mode | element | scale of a group | code | value |
 * | --- | --- | --- | --- | --- |
 * | `int4_sym` | i4 | \\|min\\| / 8 where \\|min\\| ≥ max, else −max / 8 | clamp(RNE(x / scale), −8, 7) | code · scale |
 * | `int4_asym` | u4 | (max − min) / 15, 0 in the range | clamp(RNE(x / scale + zero), 0, 15) | (code − zero) · scale |
 * | `nf4` | nf4 | max \\|x\\| | the nearest entry, ties to the lower | table in float16 · scale |
 * | `cb4` | u4 | max \\|x\\| / 3.5 | the nearest of NNCF's codebook, ties to the lower | codebook · scale |
 * | `fp4` | f4e2m1 | max \\|x\\| / 6 | E2M1(x / scale), ties to even | E2M1 · scale |
 * | `mxfp4` | f4e2m1 | 2^⌈log2(max \\|x\\| / 6)⌉ | likewise | likewise |
 * | `nvfp4` | f4e2m1 | max \\|x\\| / 6, in E4M3 steps of the second-order scale | likewise | likewise |
 *
 * A scale is 2^-23 at least in magnitude; zero = clamp(−RNE(min / scale), 0, 15). Codes are
 * found with the scale in float32, before it is rounded to what is stored (mxfp4: with the
 * power of two). Values are products in float32 that are not rounded to float16, as the CPU
 * plugin computes them; nvfp4 rounds the product of both scales to float16 first.
 *
 * Until version 2024.0 the first of two codes was in the high nibble: `order` "high-first".
 *
 * Source: NNCF 3.4.0, `weight_lowbit.py`; OpenVINO 2026.4.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { E4M3, F16, F32, U8 } from "../layouts/codecs.ts";
import { fieldPart, flatCodes, flatNibbles } from "../layouts/parts.ts";
import { byGroups } from "../model/byte_ways.ts";
import { defineFormat } from "../model/define.ts";
import {
  checkMatrix,
  checkWholeGroups,
  groupSizeOption,
  rowGroups,
} from "../model/groups.ts";
import {
  modeFor,
  modeScheme,
  type OpenvinoMode,
  SEARCHES,
} from "../model/openvino_modes.ts";
import { matrixOf, rowLength } from "../numeric/shape.ts";
import { searched, ZERO_SEARCHES } from "../schemes/sought.ts";
import type { Dtype } from "../words/dtypes.ts";
import type { Format, Part } from "../words/format.ts";
import type { Codec, Layout } from "../words/layout.ts";
import { choiceOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere } from "../words/tile.ts";

export type { OpenvinoMode };

/** Options of the format `openvino`. */
export interface OpenvinoOptions extends SearchOptions {
  /** What codes and scales are; `"int4_sym"` by default. */
  readonly mode?: OpenvinoMode;
  /**
   * How many inputs share a scale, or `"row"` for all of them (NNCF's group size −1):
   * 128 by default, 32 for mxfp4 and 16 for nvfp4, which have no other.
   */
  readonly groupSize?: number | "row";
  /** Which of two codes is in the low nibble: the first (`"low-first"`, the default), or the second, as in files of before 2024.0. */
  readonly order?: "low-first" | "high-first";
}

/** The arrays of an `openvino` tensor. */
export interface OpenvinoParts {
  /** Two codes to a byte over the ends of rows. */
  readonly weight: Part<"U8">;
  /** Scales, one for each output and group. */
  readonly scale: Part<"F16" | "F8_E8M0" | "F8_E4M3">;
  /** Zero points, packed as the codes are. With mode int4_asym only. */
  readonly zero_point?: Part<"U8">;
  /** The scale of the scales. With mode nvfp4 only. */
  readonly second_order_scale?: Part<"F32">;
}

/** `openvino` options with everything filled in. */
export type ResolvedOpenvinoOptions =
  & Required<Omit<OpenvinoOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

const OPTIONS: Schema<OpenvinoOptions> = {
  mode: choiceOption({
    choices: ["int4_sym", "int4_asym", "nf4", "cb4", "fp4", "mxfp4", "nvfp4"],
    default: "int4_sym",
    help: "what codes and scales are",
    kept: true,
  }),
  groupSize: { ...groupSizeOption(128), default: undefined },
  order: choiceOption({
    choices: ["low-first", "high-first"],
    default: "low-first",
    help: "which of two codes is in the low nibble",
    kept: true,
  }),
  ...searchSchema(ZERO_SEARCHES),
};

/** Group sizes that a mode prescribes. */
const SIZES: Partial<Record<OpenvinoMode, number>> = { mxfp4: 32, nvfp4: 16 };

function complete(options: ResolvedOpenvinoOptions): ResolvedOpenvinoOptions {
  const { mode, groupSize = SIZES[mode] ?? 128 } = options;
  return { ...options, groupSize };
}

function check(
  options: ResolvedOpenvinoOptions,
  shape: readonly number[],
): void {
  const { mode, groupSize } = options;
  checkSearch(options, SEARCHES[mode].able, `mode "${mode}"`);
  checkMatrix("openvino", shape);
  const size = SIZES[mode];
  if (size !== undefined && groupSize !== size) {
    throw new RangeError(
      `Cannot use groupSize ${groupSize} with mode ${mode}: it must be ${size}`,
    );
  }
  checkWholeGroups("openvino", shape, groupSize);
}

// ---- where it lies ----

const SCALES: Partial<Record<OpenvinoMode, [Dtype, Codec]>> = {
  mxfp4: ["F8_E8M0", U8],
  nvfp4: ["F8_E4M3", E4M3],
};

function layout(
  shape: readonly number[],
  { mode, groupSize, order }: ResolvedOpenvinoOptions,
): Layout<OpenvinoParts> {
  const matrix = matrixOf(shape), { rows } = matrix;
  const { groups, ...group } = rowGroups(shape, groupSize);
  const first = order === "low-first" ? "low" : "high";
  const [dtype, codec] = SCALES[mode] ?? ["F16", F16];
  return {
    matrix,
    parts: {
      weight: flatCodes(matrix, { first, flip: mode === "int4_sym" ? 8 : 0 }),
      scale: fieldPart(
        mode === "mxfp4" ? "exponent" : "scale",
        group,
        dtype,
        groupSize === "row" ? [rows, groups] : [rows, groups, 1],
        codec,
      ),
      ...(mode === "int4_asym" && {
        zero_point: flatNibbles("zero", group, matrix, { first }),
      }),
      ...(mode === "nvfp4" && {
        second_order_scale: fieldPart(
          "tensorScale",
          everywhere(matrix),
          "F32",
          [1, 1, 1],
          F32,
        ),
      }),
    },
  };
}

function scheme(
  shape: readonly number[],
  options: ResolvedOpenvinoOptions,
): Scheme {
  const { mode, groupSize } = options;
  const { groups: _, ...group } = rowGroups(shape, groupSize);
  const scheme = modeScheme(mode, matrixOf(shape), group);
  return searched(scheme, SEARCHES[mode], options, rowLength(shape));
}

/**
 * The format `openvino`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weight = Float32Array.from({ length: 10 * 96 }, (_, i) => Math.sin(i));
 * const q = quantize(weight, {
 *   format: "openvino",
 *   shape: [10, 96],
 *   mode: "int4_asym",
 *   groupSize: 32,
 * });
 * console.log(q.parts.scale.shape, q.parts.zero_point?.shape); // [10, 3, 1] [15]
 * console.log(dequantize(q).length); // 960
 * ```
 */
export const openvino: Format<
  "openvino",
  OpenvinoOptions,
  OpenvinoParts,
  ResolvedOpenvinoOptions
> = defineFormat({
  name: "openvino",
  summary:
    "OpenVINO weights that NNCF compressed: int4, nf4 and E2M1 in groups, float16 scales",
  source:
    "openvinotoolkit/nncf 3.4.0 quantization/algorithms/weight_compression/weight_lowbit.py",
  groupSize: 128,
  bitsPerValue: 4.125,
  // Half the step from -3.5 to -2.5 of the codebook.
  errorBound: 0.143,
  options: OPTIONS,
  complete,
  check,
  like: (scheme) => ({
    mode: modeFor(scheme),
    groupSize: scheme.fields[scheme.groupedBy]?.span.columns,
  }),
  layout,
  scheme,
  fast: byGroups(E2M1_TILES_KERNELS),
});
