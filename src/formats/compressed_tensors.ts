/**
 * `compressed_tensors`: the "pack-quantized" checkpoints of compressed-tensors, as
 * llm-compressor writes and vLLM reads them, with parameters found by rounding to
 * nearest.
 *
 * ```text
 * weight_packed      I32 [out, ceil(in / 8)]     eight inputs to a word, the first in the low nibble
 * weight_scale       F32, F16 or BF16 [out, groups]
 * weight_shape       I64 [2]                     out and in
 * weight_zero_point  I32 [ceil(out / 8), groups] eight outputs of a group to a word; asymmetric only
 * weight_g_idx       I32 [in]                    the group of each input; with act-order only
 * value = (code − zero) · scale in the type of the scales
 * ```
 *
 * The range of a group is extended to hold 0. Symmetric: scale = max |x| / 7.5,
 * zero = 8. Asymmetric: scale = (max − min) / 15, zero = RNE(clamp(−min / scale, 0, 15)).
 * A scale of 0 becomes the epsilon of its type. code = RNE(clamp(x / scale + zero, 0, 15)),
 * clamped before it is rounded; every step in the type of the weight, which is that
 * of the scales.
 *
 * `weight_g_idx` is what versions before 0.13 wrote for `actorder: "group"`.
 *
 * Source: compressed-tensors 0.20.0, `calculate_qparams`, `quantize`,
 * `PackedQuantizationCompressor`; 0.12.2 for act-order.
 *
 * @module
 */
import { I32 } from "../layouts/codecs.ts";
import { fieldPart, packedRows } from "../layouts/parts.ts";
import { eightInWord } from "../layouts/words.ts";
import { compressedTensorsConvention } from "../model/compressed_tensors.ts";
import { defineFormat } from "../model/define.ts";
import {
  checkMatrix,
  checkWholeGroups,
  dtypeOption,
  FLOATS,
  groupSizeOption,
  LARGEST,
  likeRows,
  rowGroups,
  symmetricOption,
} from "../model/groups.ts";
import { roundTo } from "../numeric/compute.ts";
import { clamp, roundHalfToEven } from "../numeric/rounding.ts";
import { matrixOf, rowLength } from "../numeric/shape.ts";
import {
  inActOrder,
  MOST_COLUMNS_IN_ORDER,
  orderPlan,
} from "../schemes/act_order.ts";
import { linearScheme } from "../schemes/linear.ts";
import {
  searched,
  seekIntegers,
  type Sought,
  ZERO_SEARCHES,
} from "../schemes/sought.ts";
import { encodeInType } from "../schemes/tile_rounded.ts";
import type { Format, Part } from "../words/format.ts";
import type { Layout, PartPlan } from "../words/layout.ts";
import { booleanOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";

const { abs, ceil, fround, max: larger, min: smaller } = Math;

/** Options of the format `compressed_tensors`. */
export interface CompressedTensorsOptions extends SearchOptions {
  /** How many inputs share a scale: 128 by default, `"row"` for all of them (the library's strategy "channel"). */
  readonly groupSize?: number | "row";
  /** Zero point 8 for every group (the default), or one for each. */
  readonly symmetric?: boolean;
  /** The type of the weight and the scales, in which everything is computed: `"F32"` (the default), `"F16"` or `"BF16"`. */
  readonly scaleDtype?: ComputeDtype;
  /**
   * Read `weight_g_idx`, as checkpoints quantized with `actorder: "group"` by a
   * version before 0.13 have it. What is written is in natural order.
   */
  readonly actOrder?: boolean;
}

/** The arrays of a `compressed_tensors` tensor. */
export interface CompressedTensorsParts {
  /** Codes, eight inputs to a word. */
  readonly weight_packed: Part<"I32">;
  /** Scales, one for each output and group. */
  readonly weight_scale: Part<ComputeDtype>;
  /** Outputs and inputs. */
  readonly weight_shape: Part<"I64">;
  /** Zero points, eight outputs to a word. With `symmetric: false` only. */
  readonly weight_zero_point?: Part<"I32">;
  /** The group of each input. With `actOrder` only. */
  readonly weight_g_idx?: Part<"I32">;
}

/** `compressed_tensors` options with everything filled in. */
export type ResolvedCompressedTensorsOptions =
  & Required<Omit<CompressedTensorsOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

const OPTIONS: Schema<CompressedTensorsOptions> = {
  groupSize: groupSizeOption(128),
  symmetric: symmetricOption(true),
  scaleDtype: dtypeOption(
    "F32",
    true,
    "type of the weight and the scales, in which values are computed",
  ),
  actOrder: booleanOption({
    default: false,
    help: "read weight_g_idx, the group of each column",
    kept: true,
  }),
  ...searchSchema(ZERO_SEARCHES),
};

function check(
  options: ResolvedCompressedTensorsOptions,
  shape: readonly number[],
): void {
  const { groupSize, actOrder, symmetric } = options;
  checkSearch(options, searchOf(options).able, `symmetric: ${symmetric}`);
  checkMatrix("compressed_tensors", shape);
  checkWholeGroups("compressed_tensors", shape, groupSize);
  const { columns } = matrixOf(shape);
  if (!actOrder || columns <= MOST_COLUMNS_IN_ORDER) return;
  throw new RangeError(
    `Cannot use actOrder with ${columns} inputs: at most ${MOST_COLUMNS_IN_ORDER} can be held`,
  );
}

/** Outputs and inputs, as a part says them. */
function shapePart(matrix: Matrix): PartPlan<"I64"> {
  const { rows, columns } = matrix;
  const bytes = new Uint8Array(
    BigInt64Array.of(BigInt(rows), BigInt(columns)).buffer,
  );
  return {
    dtype: "I64",
    shape: [2],
    unit: { ...everywhere(matrix), bytes: 16 },
    order: "rows",
    holds: [{
      kind: "constant",
      at: 0,
      bytes,
      otherwise: 'part "weight_shape" of compressed_tensors',
    }],
  };
}

function layout(
  shape: readonly number[],
  { groupSize, symmetric, scaleDtype, actOrder }:
    ResolvedCompressedTensorsOptions,
): Layout<CompressedTensorsParts> {
  const matrix = matrixOf(shape), { rows, columns } = matrix;
  const { groups, ...group } = rowGroups(shape, groupSize);
  const wholeRows = actOrder;
  const scales = fieldPart(
    "scale",
    group,
    scaleDtype,
    [rows, groups],
    FLOATS[scaleDtype],
  );
  return {
    matrix,
    parts: {
      weight_packed: packedRows({
        dtype: "I32",
        shape: [rows, ceil(columns / 8)],
        columns: 8,
      }),
      weight_scale: { ...scales, wholeRows },
      weight_shape: shapePart(matrix),
      ...(!symmetric && {
        weight_zero_point: {
          ...fieldPart(
            "zero",
            group,
            "I32",
            [ceil(rows / 8), groups],
            eightInWord(),
          ),
          wholeRows,
        },
      }),
      ...(actOrder && {
        weight_g_idx: fieldPart(
          "order",
          orderPlan(matrix).span,
          "I32",
          [columns],
          I32,
        ),
      }),
    },
  };
}

/** The distance from 1 to the next number. */
const EPSILON: Readonly<Record<ComputeDtype, number>> = {
  F32: 2 ** -23,
  F16: 2 ** -10,
  BF16: 2 ** -7,
};

/** Scale and zero point of a range. */
function fitOf(
  { symmetric, scaleDtype }: ResolvedCompressedTensorsOptions,
): (min: number, max: number) => readonly [scale: number, zero: number] {
  const round = roundTo(scaleDtype), epsilon = EPSILON[scaleDtype];
  return (min, max) => {
    const low = smaller(min, 0), high = larger(max, 0);
    if (symmetric) {
      const scale = round(fround(larger(abs(low), abs(high)) / 7.5));
      return [scale === 0 ? epsilon : scale, 8];
    }
    const scale = round(fround(round(fround(high - low)) / 15));
    const steps = round(fround(-8 - round(fround(low / scale))));
    // 0 / 0 is zero point 0 to the library, 8 steps from the lowest code.
    const zero = roundHalfToEven(clamp(steps, -8, 7));
    return [scale === 0 ? epsilon : scale, (zero || 0) + 8];
  };
}

function searchOf(
  { symmetric, scaleDtype }: ResolvedCompressedTensorsOptions,
): Sought {
  return seekIntegers({ symmetric, dtype: scaleDtype });
}

function scheme(
  shape: readonly number[],
  options: ResolvedCompressedTensorsOptions,
): Scheme {
  const { groupSize, symmetric, scaleDtype, actOrder } = options;
  const { groups: _, ...group } = rowGroups(shape, groupSize);
  const most = LARGEST[scaleDtype];
  const linear = linearScheme({
    group,
    offset: symmetric ? undefined : "zero",
    fit: fitOf(options),
    rule: {
      ...(symmetric ? { of: "magnitude", divisor: 7.5 } : { of: "widened" }),
      dtype: scaleDtype,
      ofZero: EPSILON[scaleDtype],
      home: 8,
    },
    rounding: "addSigned",
    inputDtype: scaleDtype,
    encodeInType,
    stepDtype: scaleDtype,
    stored: scaleDtype,
    limit: symmetric ? most : most / 2,
    computeDtype: scaleDtype,
    scales: { part: "weight_scale" },
  });
  const scheme = actOrder
    ? inActOrder(linear, matrixOf(shape), "weight_g_idx")
    : linear;
  return searched(scheme, searchOf(options), options, rowLength(shape));
}

/**
 * The format `compressed_tensors`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weight = Float32Array.from({ length: 16 * 256 }, (_, i) => Math.sin(i));
 * const q = quantize(weight, {
 *   format: "compressed_tensors",
 *   shape: [16, 256],
 *   symmetric: false,
 *   scaleDtype: "BF16", // the type of the model
 * });
 * console.log(q.parts.weight_packed.shape); // [16, 32]: eight inputs to a word
 * console.log(q.parts.weight_zero_point?.shape); // [2, 2]: eight outputs to a word
 * console.log(dequantize(q).length); // 4096
 * ```
 */
export const compressed_tensors: Format<
  "compressed_tensors",
  CompressedTensorsOptions,
  CompressedTensorsParts,
  ResolvedCompressedTensorsOptions
> = defineFormat({
  name: "compressed_tensors",
  summary:
    "compressed-tensors pack-quantized checkpoints: scales in the model's type, zero points",
  source:
    "vllm-project/compressed-tensors 0.20.0 compressed_tensors/quantization",
  groupSize: 128,
  bitsPerValue: 4 + 32 / 128,
  // Steps of 1 / 7.5; the upper end saturates at seven of them.
  errorBound: 0.0668,
  options: OPTIONS,
  check,
  like: (scheme) => ({
    ...likeRows(scheme),
    // Values are computed in the type of the scales.
    scaleDtype: scheme.computeDtype,
    actOrder: scheme.fields[scheme.groupedBy]?.wholeRows !== undefined,
  }),
  layout,
  scheme,
  convention: compressedTensorsConvention,
});
