/**
 * `gptq`: the checkpoints of GPTQModel and AutoGPTQ, with parameters found by
 * rounding to nearest.
 *
 * ```text
 * qweight  I32 [ceil(in / 8), out]      eight inputs of an output to a word, the first in the low nibble
 * qzeros   I32 [groups, ceil(out / 8)]  eight outputs of a group to a word
 * scales   F16 [groups, out]
 * g_idx    I32 [in]                     the group of each input: input / groupSize, or any with act-order
 * value(o, i) = scale(g, o) · (code(o, i) − zero(g, o)) in float16, with g = g_idx[i]
 * ```
 *
 * The range of a group is extended to hold 0, and where symmetric to both sides
 * unless nothing is negative; a group of zeros counts as −1 … 1. scale = (max − min) / 15,
 * zero = 8 or RNE(−min / scale), code = clamp(RNE((x + zero · scale) / scale), 0, 15),
 * every step in float32 with the unrounded scale.
 *
 * Version 2 stores the zero points as they are; version 1, which every reader
 * knows, one less, in either of two ways that agree where all are 8:
 *
 * - `words`: GPTQModel subtracts 0x11111111 from the whole word, borrows and all
 * - `nibbles`: AutoGPTQ subtracts 1 from each, reads 0 … 15 as 1 … 16, and has no way to store 0
 *
 * Source: GPTQModel 7.7.0, `Quantizer.find_params`, `TorchLinear.pack_original`,
 * `dequantize_weight`, `convert_gptq_v2_to_v1_format_module`; AutoGPTQ 0.7.1,
 * `qlinear_cuda.QuantLinear`.
 *
 * @module
 */
import { F16, I32 } from "../layouts/codecs.ts";
import { codesAt } from "../layouts/items.ts";
import { nearRows } from "../layouts/near_rows.ts";
import { lowFirst } from "../layouts/orders.ts";
import { fieldPart } from "../layouts/parts.ts";
import { eightInWord } from "../layouts/words.ts";
import { defineFormat } from "../model/define.ts";
import { gptqConvention } from "../model/gptq_checkpoint.ts";
import { firstOutside } from "../numeric/finite.ts";
import { roundHalfToEven } from "../numeric/rounding.ts";
import { matrixOf } from "../numeric/shape.ts";
import { UINT4 } from "../schemes/grids.ts";
import {
  checkGroups,
  decodeInOrder,
  MOST_COLUMNS_IN_ORDER,
  orderPlan,
  setOrder,
} from "../schemes/act_order.ts";
import { linearScheme } from "../schemes/linear.ts";
import {
  searched,
  seekScale,
  seekZero,
  type Sought,
  ZERO_SEARCHES,
} from "../schemes/sought.ts";
import type { StoredPlan } from "../schemes/stored_plan.ts";
import { areWithin } from "../schemes/tiles.ts";
import type { Format, Part } from "../words/format.ts";
import type { Codec, Layout } from "../words/layout.ts";
import { booleanOption, choiceOption, numberOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { fieldAreas, type FieldPlans, type Tile } from "../words/tile.ts";

const { ceil, floor, fround } = Math;

/** Options of the format `gptq`. */
export interface GptqOptions extends SearchOptions {
  /** How many inputs share a scale, or `"row"` for all of them; 128 by default. */
  readonly groupSize?: number | "row";
  /** Zero point 8 for every group (the default), or one for each. */
  readonly symmetric?: boolean;
  /**
   * How zero points are stored: 1 (the default: `checkpoint_format` "gptq", the one
   * that every reader knows) or 2 ("gptq_v2"). Asymmetric tensors are best written
   * as 2: readers of 1 do not agree on them.
   */
  readonly version?: 1 | 2;
  /**
   * How version 1 takes 1 from zero points: from `"words"`, as GPTQModel writes and
   * reads (the default), or from `"nibbles"`, as AutoGPTQ does. The same where symmetric.
   */
  readonly zeros?: "words" | "nibbles";
  /**
   * Read `g_idx` as it is, as checkpoints quantized with `desc_act` need it. What
   * is written is in natural order, and without this only that is read.
   */
  readonly actOrder?: boolean;
  /** The type that values are rounded to: `"F16"`, as the libraries do (the default), or `"F32"`. */
  readonly computeDtype?: "F16" | "F32";
}

/** The arrays of a `gptq` tensor. */
export interface GptqParts {
  /** Codes, eight inputs of an output to a word. */
  readonly qweight: Part<"I32">;
  /** Zero points, eight outputs of a group to a word. */
  readonly qzeros: Part<"I32">;
  /** Scales, one for each group and output. */
  readonly scales: Part<"F16">;
  /** The group of each input. */
  readonly g_idx: Part<"I32">;
}

/** `gptq` options with everything filled in. */
export type ResolvedGptqOptions =
  & Required<Omit<GptqOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

const OPTIONS: Schema<GptqOptions> = {
  groupSize: numberOption({
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    words: ["row"],
    default: 128,
    help: "values that share a scale, along the last axis",
    kept: true,
  }),
  symmetric: booleanOption({
    default: true,
    help: "zero point 8 for every group, or one for each",
    kept: true,
  }),
  version: numberOption({
    min: 1,
    max: 2,
    choices: [1, 2],
    default: 1,
    help: "how zero points are stored: less by one, or (2) as they are",
    kept: true,
  }),
  zeros: choiceOption({
    choices: ["words", "nibbles"],
    default: "words",
    help:
      "what version 1 takes one from: GPTQModel's words or AutoGPTQ's nibbles",
    kept: true,
  }),
  actOrder: booleanOption({
    default: false,
    help: "read g_idx as it is, in whatever order groups are",
    kept: true,
  }),
  computeDtype: choiceOption({
    choices: ["F16", "F32"],
    default: "F16",
    help: "type that values are rounded to",
    kept: true,
  }),
  ...searchSchema(ZERO_SEARCHES),
};

/** More groups than float32 can count: fields are float32. */
const MOST_GROUPS = 2 ** 24;

function groupOf(
  shape: readonly number[],
  { groupSize }: ResolvedGptqOptions,
): { rows: number; columns: number; groups: number } {
  const { columns } = matrixOf(shape);
  const size = groupSize === "row" ? Math.max(1, columns) : groupSize;
  return { rows: 1, columns: size, groups: ceil(columns / size) };
}

function check(options: ResolvedGptqOptions, shape: readonly number[]): void {
  checkSearch(
    options,
    searchOf(options).able,
    `symmetric: ${options.symmetric}`,
  );
  const { rows, columns } = matrixOf(shape);
  if (shape.length > 2 || rows === 0 && shape[shape.length - 1] > 0) {
    throw new RangeError(
      `Cannot hold shape [${shape}] as gptq: it takes the weight of a linear layer, [outputs, inputs], with one output or more`,
    );
  }
  const { groups } = groupOf(shape, options);
  if (groups > MOST_GROUPS) {
    throw new RangeError(
      `Cannot use groupSize ${options.groupSize}: it makes ${groups} groups of ${columns} inputs, at most ${MOST_GROUPS} can be held`,
    );
  }
  if (options.actOrder && columns > MOST_COLUMNS_IN_ORDER) {
    throw new RangeError(
      `Cannot use actOrder with ${columns} inputs: at most ${MOST_COLUMNS_IN_ORDER} can be held`,
    );
  }
}

/** What GPTQModel takes from a word of version 1. */
const ONE_EACH = 0x11111111;

function zerosOf({ version, zeros }: ResolvedGptqOptions): Codec {
  if (version === 2) return eightInWord();
  // From a nibble of 0 this borrows from all above: encode refuses such a zero point.
  return zeros === "nibbles" ? eightInWord(1) : eightInWord(0, ONE_EACH);
}

function layout(
  shape: readonly number[],
  options: ResolvedGptqOptions,
): Layout<GptqParts> {
  const matrix = matrixOf(shape), { rows, columns } = matrix;
  const { groups, ...group } = groupOf(shape, options);
  const wholeRows = options.actOrder;
  const zeros = fieldPart(
    "zero",
    group,
    "I32",
    [groups, ceil(rows / 8)],
    zerosOf(options),
    "columns",
  );
  const scales = fieldPart(
    "scale",
    group,
    "F16",
    [groups, rows],
    F16,
    "columns",
  );
  return {
    matrix,
    parts: {
      qweight: {
        dtype: "I32",
        shape: [ceil(columns / 8), rows],
        unit: { rows: 1, columns: 8, bytes: 4 },
        order: "columns",
        holds: [codesAt(0, lowFirst(8))],
        near: nearRows,
      },
      qzeros: { ...zeros, wholeRows },
      scales: { ...scales, wholeRows },
      g_idx: fieldPart(
        "order",
        { rows: Math.max(1, rows), columns: 1 },
        "I32",
        [columns],
        I32,
      ),
    },
  };
}

// ---- numbers ----

/** Scale and zero point of a group; no zero point less than `least`. */
function fitOf(symmetric: boolean, least: number) {
  return (min: number, max: number): readonly [number, number] => {
    let low = Math.min(min, 0), high = Math.max(max, 0);
    if (symmetric) {
      high = Math.max(-low, high);
      if (low < 0) low = -high;
    }
    if (low === 0 && high === 0) [low, high] = [-1, 1];
    const scale = fround(fround(high - low) / 15);
    if (symmetric) return [scale, 8];
    const zero = scale === 0 ? 0 : roundHalfToEven(fround(-low / scale));
    return [scale, Math.max(least, zero)];
  };
}

/** A range from minus this to this has the largest scale of float16. */
const LIMIT = 65504 * 7.5;

const SCALES: StoredPlan = { dtype: "F16" };
const SYMMETRIC = seekScale(
  UINT4.values.map((code) => code - 8),
  "scale",
  SCALES,
);
const ASYMMETRIC = seekZero(SCALES);
const FROM_ONE = seekZero(SCALES, 1);

function searchOf(options: ResolvedGptqOptions): Sought {
  if (options.symmetric) return SYMMETRIC;
  return holdsZeroPoint0(options) ? ASYMMETRIC : FROM_ONE;
}

/** Nibbles of version 1 hold zero points less by one. */
function holdsZeroPoint0({ version, zeros }: ResolvedGptqOptions): boolean {
  return version === 2 || zeros === "words";
}

function scheme(
  shape: readonly number[],
  options: ResolvedGptqOptions,
): Scheme {
  const { rows, columns } = matrixOf(shape);
  const { groups, ...group } = groupOf(shape, options);
  const { symmetric, actOrder, computeDtype } = options;
  const linear = (least: number) =>
    linearScheme({
      group,
      offset: "zero",
      rounding: "shift",
      fit: fitOf(symmetric, least),
      rule: symmetric ? "symmetric" : least === 0 ? "fromZero" : "fromOne",
      stored: "F16",
      limit: LIMIT,
      computeDtype,
    });
  const free = linear(0), fromOne = linear(1);
  const holdsZero = holdsZeroPoint0(options);
  const number = {
    span: group,
    wholeRows: actOrder ? columns : undefined,
  };
  const fields: FieldPlans = {
    scale: number,
    zero: number,
    order: orderPlan({ rows, columns }),
  };
  let inOrder: Float32Array | undefined;
  const check = (tile: Tile) => {
    if (symmetric) rejectOtherZeros(tile, fields);
    rejectScales(tile, fields);
    if (actOrder) checkGroups(tile, groups, "g_idx");
    // Tiles with the same columns have the same array.
    else if (tile.fields.order !== inOrder) {
      rejectOrder(tile, group.columns);
      inOrder = tile.fields.order;
    }
  };
  const scheme: Scheme = {
    ...free,
    fields,
    constants: symmetric ? { zero: 8 } : undefined,
    together: actOrder ? { rows: 1, columns: Math.max(1, columns) } : undefined,
    encode(values, tile, context): void {
      const { overflow = "throw" } = context;
      const { encode } = !holdsZero && overflow === "clamp" ? fromOne : free;
      encode(values, tile, context);
      if (!holdsZero && overflow === "throw") rejectZero(tile, fields);
      setOrder(tile, group.columns);
    },
    check,
    decode(tile, out): void {
      check(tile);
      if (actOrder) decodeInOrder(tile, free, fields, out);
      else free.decode(tile, out);
    },
  };
  return searched(scheme, searchOf(options), options, columns);
}

// ---- what is never written ----

/** Throws where a number of a field is not between these. */
function reject(
  tile: Tile,
  plans: FieldPlans,
  role: string,
  [min, max]: readonly [min: number, max: number],
  message: (x: number, group: string) => string,
): void {
  const field = tile.fields[role];
  if (areWithin(field, min, max)) return;
  const bad = firstOutside(field, min, max);
  const areas = fieldAreas(tile, plans[role]);
  const group = areas.column + bad % areas.columns;
  const output = areas.row + floor(bad / areas.columns);
  throw new RangeError(
    message(field[bad], `group ${group} of output ${output}`),
  );
}

function rejectZero(tile: Tile, plans: FieldPlans): void {
  reject(
    tile,
    plans,
    "zero",
    [1, Infinity],
    (_, group) =>
      `Cannot quantize ${group}: nothing in it is negative, which makes its zero point 0, and zeros "nibbles" has no way to store that; use version 2 or zeros "words"`,
  );
}

function rejectOtherZeros(tile: Tile, plans: FieldPlans): void {
  reject(
    tile,
    plans,
    "zero",
    [8, 8],
    (z, group) =>
      `Cannot dequantize: part "qzeros" has zero point ${z} for ${group}, and symmetric means 8; read it with symmetric: false, or with the other version`,
  );
}

function rejectScales(tile: Tile, plans: FieldPlans): void {
  reject(
    tile,
    plans,
    "scale",
    [0, Infinity],
    (s, group) =>
      `Cannot dequantize: part "scales" has ${s} for ${group}; it must be a number and not negative`,
  );
}

function rejectOrder({ fields: { order }, column }: Tile, size: number) {
  // Group by group: every tile has the numbers of all of its columns.
  for (let c = 0; c < order.length;) {
    const group = floor((column + c) / size);
    const end = Math.min((group + 1) * size - column, order.length);
    while (c < end && order[c] === group) c++;
    if (c === end) continue;
    throw new RangeError(
      `Cannot dequantize: part "g_idx" has ${order[c]} for input ${
        column + c
      }, not ${group}; read it with actOrder: true`,
    );
  }
}

/**
 * The format `gptq`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weight = Float32Array.from({ length: 16 * 256 }, (_, i) => Math.sin(i));
 * const q = quantize(weight, { format: "gptq", shape: [16, 256] });
 * console.log(q.parts.qweight.shape); // [32, 16]: eight inputs to a word
 * console.log(q.parts.scales.shape); // [2, 16]: one for each group of 128 inputs
 * console.log(dequantize(q).length); // 4096
 * ```
 */
export const gptq: Format<
  "gptq",
  GptqOptions,
  GptqParts,
  ResolvedGptqOptions
> = defineFormat({
  name: "gptq",
  summary:
    "GPTQ checkpoints: groups along the inputs, float16 scales, zero points; act-order is read",
  source: "GPTQModel 7.7.0 and AutoGPTQ 0.7.1, rounding to nearest",
  groupSize: 128,
  bitsPerValue: 4 + 20 / 128,
  // Half a step of 2 · max / 15; where nothing is negative, the upper half of the
  // range has no codes beyond seven steps of max / 15.
  errorBound: 8 / 15 + 1e-3,
  options: OPTIONS,
  convention: gptqConvention,
  check,
  like: ({ fields, groupedBy, constants, computeDtype }) => ({
    groupSize: fields[groupedBy]?.span.columns,
    symmetric: constants?.zero !== undefined,
    computeDtype: computeDtype === "F16" ? "F16" : "F32",
    actOrder: fields[groupedBy]?.wholeRows !== undefined,
  }),
  layout,
  scheme,
});
