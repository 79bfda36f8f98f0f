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
  LARGEST,
  rowGroups,
} from "../model/groups.ts";
import { midpoints, NF4_VALUES } from "../numeric/codebooks.ts";
import { roundTo } from "../numeric/compute.ts";
import { signedE2M1 } from "../numeric/e2m1.ts";
import { decodeE4M3, encodeE4M3 } from "../numeric/e4m3.ts";
import { ceilLog2f, decodeE8M0 } from "../numeric/e8m0.ts";
import { firstOutside, ScaleOverflow } from "../numeric/finite.ts";
import { clamp, roundHalfToEven } from "../numeric/rounding.ts";
import { matrixOf, rowLength } from "../numeric/shape.ts";
import { e2m1Scheme } from "../schemes/e2m1.ts";
import { CB4, E2M1, NF4 } from "../schemes/grids.ts";
import { type LinearPlan, linearScheme } from "../schemes/linear.ts";
import { decodeByHalves, MX_SEARCH } from "../schemes/mx.ts";
import {
  ofTensor,
  searched,
  seekIntegers,
  seekScale,
  type Sought,
  ZERO_SEARCHES,
} from "../schemes/sought.ts";
import {
  E4M3_NUMBERS,
  holdsE2M1,
  listedScales,
  scalesIn,
} from "../schemes/stored_scale.ts";
import type { Thresholds } from "../schemes/tile_codes.ts";
import type { Dtype } from "../words/dtypes.ts";
import type { Format, Part } from "../words/format.ts";
import type { Codec, Layout } from "../words/layout.ts";
import type { Schema } from "../words/schema.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import {
  areaNumber,
  everywhere,
  indexInTensor,
  runs,
  type Span,
  type Tile,
} from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";

const { abs, fround, max: larger, min: smaller } = Math;

/** How NNCF compresses a weight. */
export type OpenvinoMode =
  | "int4_sym"
  | "int4_asym"
  | "nf4"
  | "cb4"
  | "fp4"
  | "mxfp4"
  | "nvfp4";

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
  mode: {
    kind: "choice",
    choices: ["int4_sym", "int4_asym", "nf4", "cb4", "fp4", "mxfp4", "nvfp4"],
    default: "int4_sym",
    help: "what codes and scales are",
    kept: true,
  },
  groupSize: { ...groupSizeOption(128), default: undefined },
  order: {
    kind: "choice",
    choices: ["low-first", "high-first"],
    default: "low-first",
    help: "which of two codes is in the low nibble",
    kept: true,
  },
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

// ---- numbers ----

/** What a scale is at least. */
const LEAST = 2 ** -23;

const toFloat16 = roundTo("F16");

function absmaxOf(min: number, max: number): number {
  return larger(abs(min), abs(max));
}

type Rule = Omit<LinearPlan, "group">;

const FLOAT16 = { stored: "F16", scales: { part: "scale" } } as const;

const SYMMETRIC: Rule = {
  stored: "F16",
  scales: { part: "scale", signed: true },
  fit(min, max): [number, number] {
    const scale = fround((abs(min) >= max ? abs(min) : -max) / 8);
    return [abs(scale) < LEAST ? LEAST : scale, 8];
  },
  rule: { of: "signed", divisor: 8, least: LEAST },
  rounding: "divide",
  limit: LARGEST.F16 * 8,
};

const ASYMMETRIC: Rule = {
  ...FLOAT16,
  offset: "zero",
  fit(min, max): [number, number] {
    const low = smaller(min, 0), high = larger(max, 0);
    const scale = larger(fround(fround(high - low) / 15), LEAST);
    return [scale, clamp(0 - roundHalfToEven(fround(low / scale)), 0, 15)];
  },
  rule: { of: "widened", least: LEAST },
  rounding: "add",
  limit: LARGEST.F16 * 7.5,
};

/** The nearest of ascending entries; ties go to the lower. */
function nearestOf(ascending: Float32Array): Thresholds {
  return {
    at: midpoints(ascending),
    codes: Array.from(ascending, (_, code) => code),
  };
}

const NF4_FLOAT16 = NF4_VALUES.map(toFloat16);

const NORMAL_FLOAT: Rule = {
  ...FLOAT16,
  grid: NF4,
  fit: (min, max) => [larger(absmaxOf(min, max), LEAST), 0],
  rule: { of: "magnitude", divisor: 1, least: LEAST },
  rounding: nearestOf(NF4_VALUES),
  levels: NF4_FLOAT16,
  limit: LARGEST.F16,
};

/** The largest magnitude of the codebook. */
const CB4_LARGEST = 3.5;

const CODEBOOK: Rule = {
  ...FLOAT16,
  grid: CB4,
  fit: (min, max) => [
    larger(fround(absmaxOf(min, max) / CB4_LARGEST), LEAST),
    0,
  ],
  rule: { of: "magnitude", divisor: CB4_LARGEST, least: LEAST },
  rounding: nearestOf(Float32Array.from(CB4.values)),
  limit: LARGEST.F16 * CB4_LARGEST,
};

/** The scale of a group of E2M1 values. */
function sixth(absmax: number): number {
  return larger(fround(absmax / 6), LEAST);
}

const FLOAT: Rule = {
  ...FLOAT16,
  grid: E2M1,
  fit: (min, max) => [sixth(absmaxOf(min, max)), 0],
  rule: { of: "magnitude", divisor: 6, least: LEAST },
  rounding: "e2m1",
  limit: LARGEST.F16 * 6,
};

/** The scheme of mode mxfp4. */
function microscaled(matrix: Matrix, { columns: group }: Span): Scheme {
  const inverseOf = (exponent: number) => 1 / decodeE8M0(exponent);
  const scheme = e2m1Scheme({
    matrix,
    group,
    stored: "exponent",
    fit: (absmax) => clamp(ceilLog2f(sixth(absmax)), -127, 127) + 127,
    code: (x, exponent) => signedE2M1(fround(x / decodeE8M0(exponent))),
    steps: {
      factor: inverseOf,
      product: true,
      rule: "signed",
      e8m0: {
        rule: "logarithm",
        divisor: 6,
        least: LEAST,
        factorOfZero: inverseOf(0),
      },
    },
    scale: decodeE8M0,
    grid: E2M1,
    computeDtype: "F32",
  });
  return { ...scheme, decode: decodeByHalves(group, "F32") };
}

const RULES: Readonly<
  Record<Exclude<OpenvinoMode, "mxfp4" | "nvfp4">, Rule>
> = {
  int4_sym: SYMMETRIC,
  int4_asym: ASYMMETRIC,
  nf4: NORMAL_FLOAT,
  cb4: CODEBOOK,
  fp4: FLOAT,
};

const FLOAT16_SCALES = scalesIn("F16");
const onGrid = (levels: readonly number[]) =>
  seekScale(levels, "scale", () => FLOAT16_SCALES);

/** The scale of a group by that of all: products that are no float16 are left out. */
function productOf(scale: number, second: number): number {
  return toFloat16(fround(scale * second));
}

const SEARCHES: Readonly<Record<OpenvinoMode, Sought>> = {
  int4_sym: seekIntegers({ symmetric: true, dtype: "F16", signed: true }),
  int4_asym: seekIntegers({ symmetric: false, dtype: "F16" }),
  nf4: onGrid([...NF4_FLOAT16]),
  cb4: onGrid(CB4.values),
  fp4: onGrid(E2M1.values),
  mxfp4: MX_SEARCH,
  nvfp4: seekScale(
    E2M1.values,
    "scale",
    ofTensor("tensorScale", (second) =>
      listedScales(
        E4M3_NUMBERS,
        (scale) => productOf(scale, second),
        (scale) => holdsE2M1(scale),
      )),
  ),
};

function scheme(
  shape: readonly number[],
  options: ResolvedOpenvinoOptions,
): Scheme {
  const { mode, groupSize } = options;
  const { groups: _, ...group } = rowGroups(shape, groupSize);
  const scheme = mode === "nvfp4"
    ? twoScales(matrixOf(shape), group)
    : mode === "mxfp4"
    ? microscaled(matrixOf(shape), group)
    : linearScheme({ ...RULES[mode], group });
  return searched(scheme, SEARCHES[mode], options, rowLength(shape));
}

/** The largest magnitude in a group whose two scales make a float16. */
const MOST = 65519 * 6;

/** The scheme of mode nvfp4. */
function twoScales(matrix: Matrix, group: Span): Scheme {
  const scheme = e2m1Scheme({
    matrix,
    group: group.columns,
    stored: "scale",
    ofTensor: {
      role: "tensorScale",
      find: (absmax) =>
        larger(fround(sixth(smaller(absmax, MOST)) / 448), LEAST),
    },
    fit: (absmax, second) =>
      decodeE4M3(encodeE4M3(fround(sixth(absmax) / second))),
    code: (x, _stored, _second, absmax) =>
      signedE2M1(fround(x / sixth(absmax))),
    steps: {
      factor: (_stored, _second, absmax) => sixth(absmax),
      rule: "signed",
      e4m3: (second) => ({
        divisor: 6,
        over: second,
        factor: ["unscaled", LEAST],
      }),
    },
    scale: productOf,
    grid: E2M1,
    computeDtype: "F32",
  });
  const encode: Scheme["encode"] = (values, tile, context) => {
    const { overflow = "throw" } = context;
    const within = overflow === "clamp"
      ? values.map((x) => clamp(x, -MOST, MOST))
      : values;
    if (overflow === "throw") rejectLarge(values, tile, group);
    scheme.encode(within, tile, context);
  };
  const { groupKernel } = scheme, { role, find } = groupKernel!.ofTensor!;
  return {
    ...scheme,
    productDtype: "F16",
    checks: undefined,
    encode,
    groupKernel: {
      ...groupKernel!,
      encode,
      // The kernel leaves what is no number alone: values that are to be refused.
      ofTensor: { role, find: (most) => most <= MOST ? find(most) : NaN },
    },
  };
}

function rejectLarge(values: Float32Array, tile: Tile, group: Span): void {
  if (firstOutside(values, -MOST, MOST) < 0) return;
  for (const { first, count } of runs(tile, group)) {
    for (let i = first; i < first + count; i++) {
      if (abs(values[i]) <= MOST) continue;
      const index = indexInTensor(tile, first);
      const number = areaNumber(tile.matrix, group, index);
      throw new ScaleOverflow(number, index, "float16");
    }
  }
}

/** The mode that comes nearest to a scheme. */
function modeFor({ grid, fields, constants }: Scheme): OpenvinoMode {
  if (grid.name === NF4.name) return "nf4";
  if (grid.name === CB4.name) return "cb4";
  if (grid.name === E2M1.name) {
    if ("exponent" in fields) return "mxfp4";
    return "tensorScale" in fields ? "nvfp4" : "fp4";
  }
  return constants?.zero === 8 ? "int4_sym" : "int4_asym";
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
