/**
 * `keras`: the kernels of Keras layers that `quantize("int4")` has made of Dense and
 * EinsumDense.
 *
 * ```text
 * kernel        I8   [in, ceil(out / 2)]  two outputs of an input to a byte, the first in the low nibble,
 *                                         in two's complement (axis 0: [ceil(in / 2), out], two inputs)
 * kernel_scale  F32 or BF16 [groups, out]; [out] with groupSize "row"
 * kernel_zero   I8   [groups, out]        −8 … 7; not with groupSize "row"
 * ```
 *
 * The shape is that of the weight, [out, in]: a Dense kernel is its transpose.
 *
 * In groups: scale = (max − min + 1e-7) / 15, the range not extended to hold 0, a last
 * group that is cut short filled up with zeros; zero = clamp(RNE(−min / scale) − 8, −8, 7),
 * code = clamp(RNE(x / scale) + zero, −8, 7), value = (code − zero) · scale. With
 * groupSize "row" `kernel_scale` is what values are multiplied by, 7 / (max |x| + 1e-7):
 * code = clamp(RNE(x · scale), −8, 7), value = code · (1 / scale).
 *
 * The values are of the layer's type, the steps in float32, and codes are found with
 * the scale before it is rounded to that type; so are values when they are read.
 *
 * Source: Keras 3.15.1 on JAX, `Int4QuantizationConfig`, `abs_max_quantize`,
 * `abs_max_quantize_grouped_with_zero_point`, `pack_int4`. `g_idx` is in the natural order.
 *
 * @module
 */
import { signedByte } from "../layouts/codecs.ts";
import { nearRows } from "../layouts/near_rows.ts";
import { lowFirst } from "../layouts/orders.ts";
import { fieldPart } from "../layouts/parts.ts";
import { inShortColumns } from "../layouts/short_columns.ts";
import { defineFormat } from "../model/define.ts";
import {
  checkMatrix,
  FLOATS,
  groupSizeOption,
  LARGEST,
  rowGroups,
} from "../model/groups.ts";
import { roundTo } from "../numeric/compute.ts";
import { clamp, roundHalfToEven } from "../numeric/rounding.ts";
import { matrixOf, rowLength } from "../numeric/shape.ts";
import { UINT4 } from "../schemes/grids.ts";
import { type LinearPlan, linearScheme } from "../schemes/linear.ts";
import { checkZeros } from "../schemes/numbers.ts";
import {
  searched,
  seekIntegers,
  seekScale,
  type Sought,
  ZERO_SEARCHES,
} from "../schemes/sought.ts";
import type { Dtype } from "../words/dtypes.ts";
import type { Format, Part } from "../words/format.ts";
import type { Codec, Layout, PartPlan } from "../words/layout.ts";
import { choiceOption, numberOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import type { Tile } from "../words/tile.ts";

const { abs, ceil, fround, max: larger } = Math;

/** Options of the format `keras`. */
export interface KerasOptions extends SearchOptions {
  /** How many inputs share a scale: 128 by default, `"row"` for all of them (the library's block size −1). */
  readonly groupSize?: number | "row";
  /** The axis of the kernel, [in, out], along which two codes go to a byte: −1, as layers have it (the default), or 0. */
  readonly axis?: -1 | 0;
  /** The type of the layer's variables: `"F32"` (the default) or `"BF16"`. */
  readonly scaleDtype?: "F32" | "BF16";
}

/** The arrays of a `keras` tensor. */
export interface KerasParts {
  /** Two codes to a byte. */
  readonly kernel: Part<"I8">;
  /** Scales, or with groupSize `"row"` what values were multiplied by. */
  readonly kernel_scale: Part<"F32" | "BF16">;
  /** Zero points. Not with groupSize `"row"`. */
  readonly kernel_zero?: Part<"I8">;
}

/** `keras` options with everything filled in. */
export type ResolvedKerasOptions =
  & Required<Omit<KerasOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

const OPTIONS: Schema<KerasOptions> = {
  groupSize: groupSizeOption(128),
  axis: numberOption({
    min: -1,
    max: 0,
    choices: [-1, 0],
    default: -1,
    help: "axis of the kernel, [in, out], along which codes are packed",
    kept: true,
  }),
  scaleDtype: choiceOption({
    choices: ["F32", "BF16"],
    default: "F32",
    help: "type of the layer's variables",
    kept: true,
  }),
  ...searchSchema(ZERO_SEARCHES),
};

// ---- where it lies ----

function kernelPart(
  { rows, columns }: { rows: number; columns: number },
  axis: -1 | 0,
): PartPlan<"I8"> {
  const pairs = axis === 0
    ? { shape: [ceil(columns / 2), rows], unit: { rows: 1, columns: 2 } }
    : { shape: [columns, ceil(rows / 2)], unit: { rows: 2, columns: 1 } };
  return {
    dtype: "I8",
    shape: pairs.shape,
    unit: { ...pairs.unit, bytes: 1 },
    order: "columns",
    holds: [{ kind: "codes", at: 0, nibbles: lowFirst(2), flip: 8 }],
    near: nearRows,
  };
}

function layout(
  shape: readonly number[],
  { groupSize, axis, scaleDtype }: ResolvedKerasOptions,
): Layout<KerasParts> {
  const matrix = matrixOf(shape), { rows } = matrix;
  const { groups, ...group } = rowGroups(shape, groupSize);
  const byRow = groupSize === "row";
  const numbers = (
    role: string,
    dtype: Dtype,
    shape: readonly number[],
    codec: Codec,
  ) => inShortColumns(fieldPart(role, group, dtype, shape, codec, "columns"));
  return {
    matrix,
    parts: {
      kernel: kernelPart(matrix, axis),
      kernel_scale: numbers(
        byRow ? "divisor" : "scale",
        scaleDtype,
        byRow ? [matrix.columns === 0 ? 0 : rows] : [groups, rows],
        FLOATS[scaleDtype],
      ),
      ...(!byRow && {
        kernel_zero: numbers("zero", "I8", [groups, rows], signedByte(8)),
      }),
    },
  };
}

// ---- numbers ----

/** `keras.config.epsilon()`. */
const EPSILON = fround(1e-7);

type Rule = Pick<
  LinearPlan,
  "scale" | "offset" | "fit" | "rule" | "rounding" | "limit" | "padded"
>;

/** One scale for a row, by which values are multiplied. */
function byRow(most: number): Rule {
  return {
    scale: "divisor",
    fit(min, max): [number, number] {
      const largest = larger(abs(min), abs(max));
      if (largest === Infinity) return [Infinity, 8];
      return [fround(7 / fround(largest + EPSILON)), 8];
    },
    rounding: "multiply",
    limit: most,
  };
}

function byGroup(dtype: "F32" | "BF16"): Rule {
  const round = roundTo(dtype);
  return {
    offset: "zero",
    fit(min, max): [number, number] {
      const range = min === max ? 0 : round(fround(max - min));
      const scale = fround(fround(range + EPSILON) / 15);
      const zero = clamp(roundHalfToEven(fround(-min / scale)) - 8, -8, 7);
      return [scale, zero + 8];
    },
    // In bfloat16 the range is rounded, and the scale is not.
    rule: { of: "range", rangeDtype: dtype, plus: EPSILON },
    rounding: "divide",
    limit: LARGEST[dtype] / 2,
    padded: true,
  };
}

function searchOf(
  { groupSize, scaleDtype: dtype }: ResolvedKerasOptions,
): Sought {
  if (groupSize !== "row") return seekIntegers({ symmetric: false, dtype });
  const levels = UINT4.values.map((code) => code - 8);
  const stored = { dtype, level: 8, asInverses: true };
  return seekScale(levels, "divisor", stored);
}

function check(options: ResolvedKerasOptions, shape: readonly number[]): void {
  checkMatrix("keras", shape);
  const { able } = searchOf(options);
  checkSearch(options, able, `groupSize ${options.groupSize}`);
}

function scheme(
  shape: readonly number[],
  options: ResolvedKerasOptions,
): Scheme {
  const { groupSize, scaleDtype } = options;
  const { groups: _, ...group } = rowGroups(shape, groupSize);
  const rule = groupSize === "row"
    ? byRow(LARGEST[scaleDtype])
    : byGroup(scaleDtype);
  const linear = linearScheme({
    ...rule,
    group,
    inputDtype: scaleDtype,
    stored: scaleDtype,
    computeDtype: scaleDtype,
    scales: { part: "kernel_scale" },
  });
  const checkOwn = (tile: Tile) => {
    if (tile.fields.zero) checkZeros(tile, linear.fields, "kernel_zero", -8);
  };
  const scheme: Scheme = {
    ...linear,
    check(tile): void {
      checkOwn(tile);
      linear.check?.(tile);
    },
    decode(tile, out): void {
      checkOwn(tile);
      linear.decode(tile, out);
    },
  };
  return searched(scheme, searchOf(options), options, rowLength(shape));
}

/**
 * The format `keras`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * // The weight of Dense(10) on 256 inputs: its kernel transposed.
 * const weight = Float32Array.from({ length: 10 * 256 }, (_, i) => Math.sin(i));
 * const q = quantize(weight, { format: "keras", shape: [10, 256] });
 * console.log(q.parts.kernel.shape); // [256, 5]: two outputs to a byte
 * console.log(q.parts.kernel_scale.shape); // [2, 10]: one for each 128 inputs
 * console.log(dequantize(q).length); // 2560
 * ```
 */
export const keras: Format<
  "keras",
  KerasOptions,
  KerasParts,
  ResolvedKerasOptions
> = defineFormat({
  name: "keras",
  summary:
    "Keras int4 layers: groups with zero points along inputs, or one multiplier an output",
  source: "keras-team/keras 3.15.1 keras/src/quantizers/quantizers.py",
  groupSize: 128,
  bitsPerValue: 4 + 40 / 128,
  errorBound: 0.068,
  options: OPTIONS,
  check,
  like: ({ fields, groupedBy, computeDtype }) => ({
    groupSize: groupedBy === "divisor"
      ? "row"
      : fields[groupedBy]?.span.columns,
    scaleDtype: computeDtype === "BF16" ? "BF16" : "F32",
  }),
  layout,
  scheme,
});
