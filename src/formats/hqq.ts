/**
 * `hqq`: half-quadratic quantization: scale and zero point for each group, zero
 * points being floats.
 *
 * ```
 * W_q          U8           [rows / 2, columns]   rows and columns of the groups: byte (r, c) has the
 *                                                 code of (r, c) in its high nibble, of (r + rows / 2, c)
 *                                                 in its low one
 * scale zero   F16 BF16 F32 [rows, 1] or [1, columns]
 * shape        I64          [axes]                the logical shape
 * nbits group_size axis     I32 []                4, the group size, the axis
 * packing compute_dtype unpack_view_dtype         texts in U8: "4bit_u8", "torch.float16", "torch.uint8"
 * view_as_float round_zero optimize channel_wise offload_meta quant_scale quant_zero
 * stores_quant_config encoded_state_dict          U8 []: 0 or 1
 * ```
 *
 * The tensor is seen as groups, with `axis` 1 as [values / groupSize, groupSize], one
 * group to a row, with `axis` 0 as [groupSize, values / groupSize], one to a column.
 * With `viewAsFloat` the bytes of W_q have the element type C, `computeDtype`.
 *
 * Every step in float32:
 *
 * - s = min(15 · (1 / (max − min)), 20000), 1 where max − min is 1e-4 at most
 * - z = −min · s, with `roundZero` rounded half to even
 * - code = clamp(RNE(x · s + z), 0, 15); stored are C(1 / s) and C(z)
 * - value = C(C(code − zero) · scale)
 *
 * The library goes on from there to a better z, by a search whose sums and powers are
 * not reproducible; what it finds is read like any other.
 *
 * Source: hqq 0.2.8, hqq/core/quantize.py and bitpack.py with `optimize=False`.
 *
 * @module
 */
import { constantPart, fieldPart } from "../layouts/parts.ts";
import { TORCH_NAMES } from "../layouts/quant_state.ts";
import { splitRows } from "../layouts/split_rows.ts";
import { shownValue } from "../model/config.ts";
import { defineFormat } from "../model/define.ts";
import { dtypeOption, FLOATS } from "../model/groups.ts";
import {
  checkSettings,
  hqqConvention,
  scalarOf,
  shapeOf,
} from "../model/hqq_checkpoint.ts";
import { firstMisfit } from "../model/misfit.ts";
import { badNumber } from "../model/numbers.ts";
import { FROM_BITS } from "../numeric/compute.ts";
import { firstNonFinite } from "../numeric/finite.ts";
import { rowLength, sizeOf } from "../numeric/shape.ts";
import { hqqScheme } from "../schemes/hqq.ts";
import { BIAS_SEARCHES, searched, type Sought } from "../schemes/sought.ts";
import { bytesPerElement } from "../words/dtypes.ts";
import type { Candidate, Format, Part, Recognized } from "../words/format.ts";
import type { Layout, PartPlan } from "../words/layout.ts";
import { booleanOption, numberOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import type { Span } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";

const NAME = "hqq";

/** Options of the format `hqq`. */
export interface HqqOptions extends SearchOptions {
  /** How many values share a scale: a multiple of 8, 64 by default; or `"row"`: all of a row, with `axis` 0 of a column (`group_size=None`). */
  readonly groupSize?: number | "row";
  /** Whether a group is a row of the tensor as [values / groupSize, groupSize] (1, the default), or a column of it as [groupSize, values / groupSize] (0). */
  readonly axis?: number;
  /** Whether zero points are whole numbers. No by default. */
  readonly roundZero?: boolean;
  /** The type of scales, zero points and values: `"F16"` by default. */
  readonly computeDtype?: ComputeDtype;
  /** Whether the bytes of `W_q` have that type. No by default. */
  readonly viewAsFloat?: boolean;
}

/** `hqq` options with everything filled in. */
export type ResolvedHqqOptions =
  & Required<Omit<HqqOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The arrays of an `hqq` tensor. */
export interface HqqParts {
  /** Codes, two to a byte. */
  readonly W_q: Part<"U8" | ComputeDtype>;
  /** One scale for each group. */
  readonly scale: Part<ComputeDtype>;
  /** One zero point for each group. */
  readonly zero: Part<ComputeDtype>;
  /** The logical shape. */
  readonly shape: Part<"I64">;
  /** 4. */
  readonly nbits: Part<"I32">;
  /** How many values share a scale. */
  readonly group_size: Part<"I32">;
  /** 0 or 1. */
  readonly axis: Part<"I32">;
  /** `4bit_u8`. */
  readonly packing: Part<"U8">;
  /** What torch calls the type of the values. */
  readonly compute_dtype: Part<"U8">;
  /** `torch.uint8`. */
  readonly unpack_view_dtype: Part<"U8">;
  /** Whether `W_q` has the type of the values. */
  readonly view_as_float: Part<"U8">;
  /** Whether zero points were rounded. */
  readonly round_zero: Part<"U8">;
  /** Whether a search improved zero points: not here. */
  readonly optimize: Part<"U8">;
  /** 1. */
  readonly channel_wise: Part<"U8">;
  /** 0. */
  readonly offload_meta: Part<"U8">;
  /** 0: scales are not quantized. */
  readonly quant_scale: Part<"U8">;
  /** 0: zero points are not quantized. */
  readonly quant_zero: Part<"U8">;
  /** 1. */
  readonly stores_quant_config: Part<"U8">;
  /** 1: what is not a tensor is encoded as one. */
  readonly encoded_state_dict: Part<"U8">;
}

const OPTIONS: Schema<HqqOptions> = {
  groupSize: numberOption({
    min: 8,
    max: Number.MAX_SAFE_INTEGER,
    words: ["row"],
    default: 64,
    kept: true,
    help: "values that share a scale, or all of a row",
  }),
  axis: numberOption({
    min: 0,
    max: 1,
    default: 1,
    kept: true,
    help:
      "whether groups are rows (1) or columns (0) of the tensor cut by group size",
  }),
  roundZero: booleanOption({
    default: false,
    kept: false,
    help: "round zero points to whole numbers",
  }),
  computeDtype: dtypeOption("F16", true, "type of scales and values"),
  viewAsFloat: booleanOption({
    default: false,
    kept: true,
    help: "give the bytes of codes the type of values",
  }),
  ...searchSchema(BIAS_SEARCHES),
};

// ---- where bytes lie ----

/** How many values a group has. */
function groupLength(
  shape: readonly number[],
  { groupSize, axis }: Pick<ResolvedHqqOptions, "groupSize" | "axis">,
): number {
  if (groupSize !== "row") return groupSize;
  const columns = rowLength(shape);
  return axis === 1 ? columns : sizeOf(shape) / columns || 0;
}

/** The tensor as rows and columns of groups. */
function grouped(
  shape: readonly number[],
  { groupSize, axis }: Pick<ResolvedHqqOptions, "groupSize" | "axis">,
): Matrix {
  const group = groupLength(shape, { groupSize, axis });
  const groups = sizeOf(shape) / group || 0;
  return axis === 1
    ? { rows: groups, columns: group }
    : { rows: group, columns: groups };
}

function check(options: ResolvedHqqOptions, shape: readonly number[]): void {
  const { groupSize, computeDtype, viewAsFloat } = options;
  const refuse = (why: string): never => {
    throw new RangeError(`Cannot lay out shape [${shape}] as ${NAME}: ${why}`);
  };
  if (groupSize !== "row") {
    if (groupSize % 8 !== 0) {
      throw new RangeError(
        `Cannot use groupSize ${groupSize}: HQQ takes multiples of 8`,
      );
    }
    if (sizeOf(shape) % groupSize !== 0) {
      refuse(
        `it has ${sizeOf(shape)} values, it must be a multiple of ${groupSize}`,
      );
    }
  }
  const { rows, columns } = grouped(shape, options);
  if (rows % 2 !== 0) {
    refuse(`its groups make ${rows} rows, it must be an even number`);
  }
  const width = viewAsFloat ? bytesPerElement(computeDtype) : 1;
  if (columns % width !== 0) {
    refuse(
      `rows of ${columns} bytes are no whole elements of ${computeDtype}`,
    );
  }
}

/**
 * The matrix, the area of a group, and where the code of the second half of rows
 * lies. With groups in rows these are as well groups of two long rows, of which
 * either half is one: windows can cut those.
 */
function geometry(
  shape: readonly number[],
  options: Pick<ResolvedHqqOptions, "groupSize" | "axis">,
): { matrix: Matrix; group: Span; rowStep?: number } {
  const { rows, columns } = grouped(shape, options);
  if (options.axis === 1) {
    return {
      matrix: { rows: 2, columns: rows / 2 * columns },
      group: { rows: 1, columns: Math.max(1, columns) },
    };
  }
  return {
    matrix: { rows, columns },
    group: { rows: Math.max(1, rows), columns: 1 },
    rowStep: rows / 2,
  };
}

function layout(
  shape: readonly number[],
  options: ResolvedHqqOptions,
): Layout<HqqParts> {
  const { computeDtype, viewAsFloat, axis } = options;
  const { rows, columns } = grouped(shape, options);
  const { matrix, group, rowStep } = geometry(shape, options);
  const dtype = viewAsFloat ? computeDtype : "U8";
  const groups = axis === 1 ? [rows, 1] : [1, columns];
  const numbers = (role: string) =>
    fieldPart(role, group, computeDtype, groups, FLOATS[computeDtype]);
  return {
    matrix,
    parts: {
      W_q: {
        dtype,
        shape: [rows / 2, columns / bytesPerElement(dtype)],
        unit: { rows: 2, columns: 1, bytes: 1, rowStep },
        order: "rows",
        holds: [{ kind: "codes", at: 0, nibbles: [1, 0] }],
        mover: rowStep === undefined ? undefined : splitRows,
      },
      scale: numbers("scale"),
      zero: numbers("zero"),
      ...metaParts(matrix, shape, options),
    },
  };
}

type MetaParts = {
  [K in Exclude<keyof HqqParts, "W_q" | "scale" | "zero">]: PartPlan;
};

function metaParts(
  matrix: Matrix,
  shape: readonly number[],
  options: ResolvedHqqOptions,
): MetaParts {
  const { axis, roundZero, computeDtype, viewAsFloat } = options;
  const words = (array: Int32Array | BigInt64Array) =>
    new Uint8Array(array.buffer);
  const number = (name: string, value: number) =>
    constantPart(
      matrix,
      { dtype: "I32", shape: [] },
      words(Int32Array.of(value)),
      name,
    );
  const text = (name: string, value: string) =>
    constantPart(
      matrix,
      { dtype: "U8", shape: [value.length] },
      new TextEncoder().encode(value),
      name,
    );
  const flag = (value: boolean, name?: string) =>
    constantPart(
      matrix,
      { dtype: "U8", shape: [] },
      Uint8Array.of(Number(value)),
      name,
    );
  const dimensions = constantPart(
    matrix,
    { dtype: "I64", shape: [shape.length] },
    words(BigInt64Array.from(shape, BigInt)),
    "shape",
  );
  return {
    shape: dimensions,
    nbits: number("nbits", 4),
    group_size: number("group_size", groupLength(shape, options)),
    axis: number("axis", axis),
    packing: text("packing", "4bit_u8"),
    compute_dtype: text("compute_dtype", `torch.${TORCH_NAMES[computeDtype]}`),
    unpack_view_dtype: text("unpack_view_dtype", "torch.uint8"),
    view_as_float: flag(viewAsFloat, "view_as_float"),
    round_zero: flag(roundZero),
    optimize: flag(false),
    channel_wise: flag(true),
    offload_meta: flag(false),
    quant_scale: flag(false, "quant_scale"),
    quant_zero: flag(false, "quant_zero"),
    stores_quant_config: flag(true),
    encoded_state_dict: flag(true, "encoded_state_dict"),
  };
}

// ---- what numbers mean ----

function scheme(
  shape: readonly number[],
  options: ResolvedHqqOptions,
): Scheme {
  const { computeDtype, roundZero } = options;
  const { group } = geometry(shape, options);
  const plan = { group, roundZero, computeDtype };
  const columns = rowLength(shape);
  const sought: Sought = { kind: "hqq", able: BIAS_SEARCHES, plan };
  return searched(hqqScheme(plan), sought, options, columns);
}

/** The exponents of infinities and NaNs. */
const EXPONENTS = { F16: 0x7c00, BF16: 0x7f80 };

/** Index of the first number that has all of some bits, or −1. */
function firstWith(numbers: Uint16Array, bits: number): number {
  for (let i = 0; i < numbers.length; i++) {
    if ((numbers[i] & bits) === bits) return i;
  }
  return -1;
}

function checkNumbers(
  parts: HqqParts,
  { computeDtype }: ResolvedHqqOptions,
): void {
  const decode = FROM_BITS[computeDtype];
  for (const name of ["scale", "zero"] as const) {
    const { data } = parts[name];
    const index = computeDtype === "F32"
      ? firstNonFinite(data)
      : firstWith(data as Uint16Array, EXPONENTS[computeDtype]);
    if (index < 0) continue;
    throw badNumber(NAME, name, index, decode(data[index]), "finite");
  }
}

// ---- in checkpoints ----

function recognize(candidate: Candidate): Recognized | undefined {
  const { parts, stem } = candidate;
  const fail = (fault: string): never => {
    const name = stem === undefined ? "" : ` ${stem}`;
    throw new RangeError(`Cannot read${name} as ${NAME}: ${fault}`);
  };
  const bits = scalarOf(candidate, "nbits", fail);
  if (bits !== 4) return undefined;
  const packing = candidate.text("packing");
  if (packing !== "4bit_u8") {
    fail(`its packing is ${shownValue(packing)}, not "4bit_u8"`);
  }
  const axis = scalarOf(candidate, "axis", fail);
  if (axis !== 0 && axis !== 1) fail(`its axis is ${axis}, not 0 or 1`);
  const size = scalarOf(candidate, "group_size", fail);
  const { dtype } = parts.scale;
  if (!Object.hasOwn(FLOATS, dtype)) {
    fail(`its scales are ${dtype}, not F16, BF16 or F32`);
  }
  const shape = shapeOf(candidate, fail);
  const options = hqq.resolve({
    groupSize: size === groupLength(shape, { groupSize: "row", axis })
      ? "row"
      : size,
    axis,
    computeDtype: dtype as ComputeDtype,
    viewAsFloat: parts.W_q.dtype !== "U8",
  }, shape);
  const misfit = firstMisfit(candidate, layout(shape, options));
  if (misfit) {
    fail(`its ${misfit.name} is ${misfit.seen}, not ${misfit.wanted}`);
  }
  checkSettings(candidate, { size, ...options }, fail);
  const { roundZero: _, ...kept } = options;
  return { shape, options: kept };
}

/**
 * HQQ's tensors; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, { format: "hqq", shape: [4, 64] });
 * console.log(q.parts.W_q.shape, q.parts.scale.shape); // [2, 64] [4, 1]
 * console.log(dequantize(q).length); // 256
 * ```
 */
export const hqq: Format<"hqq", HqqOptions, HqqParts, ResolvedHqqOptions> =
  defineFormat({
    name: NAME,
    summary: "HQQ: scales and zero points in floats, groups in rows or columns",
    source: "hqq 0.2.8 with optimize=False",
    groupSize: 64,
    bitsPerValue: 4.5,
    // Half a step of 2 / 15, and what scale and zero point in float16 are off.
    errorBound: 0.068,
    options: OPTIONS,
    check,
    checkNumbers,
    layout,
    scheme,
    convention: hqqConvention(recognize),
  });
