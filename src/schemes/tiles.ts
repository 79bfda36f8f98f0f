/**
 * What schemes do to a tile: measure groups, find codes, look up values. Each step
 * is a kernel where the arrays of the tile live in WebAssembly memory, and plain JS
 * that gives the same bits where they do not, or where a number is one that the
 * kernel leaves alone.
 *
 * @module
 */
import type { Instance, WasmKernel } from "../kernels/arena.ts";
import { sharedInstance } from "../kernels/room.ts";
import { roundTo } from "../numeric/compute.ts";
import { firstNonFinite } from "../numeric/finite.ts";
import { settleNaNs } from "../numeric/nan.ts";
import { clamp, roundHalfAway, roundHalfToEven } from "../numeric/rounding.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { areasOf, runs, type Span, type Tile } from "../words/tile.ts";

const { fround } = Math;

// ---- which kernel, over which groups ----

/** Runs a kernel of src/kernels/wasm/tile*.ts over the groups of a tile; false where there is none or it declines. */
function done(
  name: string,
  tile: Tile,
  span: Span,
  arrays: readonly ArrayBufferView[],
  numbers: readonly number[] = [],
): boolean {
  const instance = sharedInstance(...arrays);
  const groups = instance && groupsOf(tile, span);
  return groups !== undefined && kernelOf(instance!, name)(
        ...groups,
        ...arrays.map(({ byteOffset }) => byteOffset),
        ...numbers,
      ) === 0;
}

function kernelOf({ kernels }: Instance, name: string): WasmKernel {
  return kernels[name];
}

/** Rows, columns, length of a row's first group and of the others, bytes between the numbers of rows; undefined where a tile has groups above each other. */
export function groupsOf(
  tile: Tile,
  { rows, columns }: Span,
): [number, number, number, number, number] | undefined {
  const areas = areasOf(tile, { rows, columns });
  if (rows > 1 && areas.rows > 1) return undefined;
  return [
    tile.rows,
    tile.columns,
    columns - tile.column % columns,
    columns,
    rows > 1 ? 0 : 4 * areas.columns,
  ];
}

// ---- statistics ----

/** Whether no value is a NaN or infinite. */
export function areFinite(values: Float32Array): boolean {
  const instance = sharedInstance(values);
  return instance
    ? kernelOf(instance, "tile_check")(values.length, values.byteOffset) === 0
    : firstNonFinite(values) < 0;
}

/** Smallest and largest value of every group. Of zeros the negative one is the smaller. */
export function rangesOfGroups(
  values: Float32Array,
  tile: Tile,
  span: Span,
  mins: Float32Array,
  maxs: Float32Array,
): void {
  if (
    span.rows === 1 && done("tile_ranges", tile, span, [values, mins, maxs])
  ) {
    return;
  }
  mins.fill(Infinity);
  maxs.fill(-Infinity);
  for (const { first, count, area } of runs(tile, span)) {
    let min = mins[area], max = maxs[area];
    for (let i = first; i < first + count; i++) {
      min = Math.min(min, values[i]);
      max = Math.max(max, values[i]);
    }
    mins[area] = min;
    maxs[area] = max;
  }
}

/** Largest magnitude of every group. */
export function magnitudesOfGroups(
  values: Float32Array,
  tile: Tile,
  span: Span,
  maxs: Float32Array,
): void {
  if (span.rows === 1 && done("tile_magnitudes", tile, span, [values, maxs])) {
    return;
  }
  maxs.fill(0);
  for (const { first, count, area } of runs(tile, span)) {
    let max = maxs[area];
    for (let i = first; i < first + count; i++) {
      max = Math.max(max, Math.abs(values[i]));
    }
    maxs[area] = max;
  }
}

// ---- scales and offsets ----

/** Rules for scales and offsets that kernels know; what each computes is in the `fit` beside it. */
export type FitRule =
  | "symmetric"
  | "fromZero"
  | "fromOne"
  | "signed"
  | "affine"
  | "edge";

/** The numbers by which kernels know them: src/kernels/wasm/tile.ts. */
const FIT_RULES: readonly FitRule[] = [
  "symmetric",
  "fromZero",
  "fromOne",
  "signed",
  "affine",
  "edge",
];

/** Magnitudes that a type holds, whichever way its last bits are rounded. */
export const SURELY_HELD: Readonly<Record<ComputeDtype, number>> = {
  F32: 3.4e38,
  F16: 65504,
  BF16: 3.3e38,
};

/** Memory for one number of each group, and for those that fill up the last vector: zeros. */
export function numbersOfGroups(tile: Tile, count: number): Float32Array {
  const numbers = tile.memory(Math.ceil(count / 4) * 4);
  numbers.fill(0, count);
  return numbers;
}

/** Fits scales and offsets to ranges; false where there is no kernel, or a number may not be held by the type that it is stored in. */
export function fitGroups(
  rule: FitRule,
  stored: ComputeDtype,
  mins: Float32Array,
  maxs: Float32Array,
  scales: Float32Array,
  offsets: Float32Array,
): boolean {
  const arrays = [mins, maxs, scales, offsets];
  const instance = sharedInstance(...arrays);
  return instance !== undefined && instance.kernels.tile_fit(
        scales.length,
        ...arrays.map(({ byteOffset }) => byteOffset),
        FIT_RULES.indexOf(rule),
        COMPUTE_DTYPES.indexOf(stored),
        SURELY_HELD[stored],
      ) === 0;
}

// ---- codes on an even grid ----

/** How a value x becomes a code, given scale s and offset o of its group; clamped to 0 … 15 at the end. */
export type Rounding =
  /** RNE(x / s) + o */
  | "divide"
  /** RNE((x + o·s) / s) */
  | "shift"
  /** RNE((x − o) / s): the offset is a bias in values */
  | "shiftByBias"
  /** round half away(x · (1 / s) + o) */
  | "reciprocal"
  /** RNE(x / s + o) */
  | "add"
  /** RNE(x / s + (o − 8)) + 8 */
  | "addSigned"
  /** RNE(x · s) + o */
  | "multiply"
  /** RNE(x · s + o) */
  | "multiplyAdd";

/** The numbers by which kernels know them: src/kernels/wasm/tile_steps.ts. */
const ROUNDINGS: readonly Rounding[] = [
  "divide",
  "shift",
  "shiftByBias",
  "reciprocal",
  "add",
  "addSigned",
  "multiply",
  "multiplyAdd",
];

/** Rounds the values of every group to codes; steps, but for shifts and reciprocals, are rounded to a type on the way. */
export function encodeSteps(
  values: Float32Array,
  tile: Tile,
  span: Span,
  scales: Float32Array,
  offsets: Float32Array,
  rounding: Rounding,
  dtype: ComputeDtype = "F32",
): void {
  const { codes } = tile, arrays = [values, codes, scales, offsets];
  const numbers = [ROUNDINGS.indexOf(rounding), COMPUTE_DTYPES.indexOf(dtype)];
  if (done("tile_encode_steps", tile, span, arrays, numbers)) return;
  for (const { first, count, area } of runs(tile, span)) {
    const codeOf = codesBy(rounding, scales[area], offsets[area], dtype);
    for (let i = first; i < first + count; i++) codes[i] = codeOf(values[i]);
  }
}

function codesBy(
  rounding: Rounding,
  scale: number,
  offset: number,
  dtype: ComputeDtype,
): (x: number) => number {
  switch (rounding) {
    case "shift":
    case "shiftByBias": {
      // Where the scale underflowed, every value is no step from the offset.
      if (scale === 0) {
        const code = rounding === "shift" ? clamp(offset, 0, 15) : 0;
        return () => code;
      }
      const shift = rounding === "shift" ? fround(offset * scale) : -offset;
      return (x) =>
        clamp(roundHalfToEven(fround(fround(x + shift) / scale)), 0, 15);
    }
    case "reciprocal": {
      const inverse = scale === 0 ? 0 : fround(1 / scale);
      return (x) =>
        clamp(roundHalfAway(fround(fround(x * inverse) + offset)), 0, 15);
    }
    default: {
      const round = roundTo(dtype), home = rounding === "addSigned" ? 8 : 0;
      const first = rounding.startsWith("add") || rounding === "multiplyAdd";
      const [before, after] = first ? [offset - home, home] : [0, offset];
      const product = rounding.startsWith("multiply");
      return (x) => {
        const steps = round(fround(product ? x * scale : x / scale));
        const sum = round(fround(steps + before));
        return clamp(roundHalfToEven(sum) + after, 0, 15);
      };
    }
  }
}

/** Values rounded to a type, and cut where they are beyond the largest: a copy of them but for float32. */
export function roundedValues(
  values: Float32Array,
  dtype: ComputeDtype,
  largest: number,
  tile: Tile,
): Float32Array {
  if (dtype === "F32") return values;
  const own = tile.memory(values.length);
  roundInto(values, dtype, largest, own);
  return own;
}

/** The same into an array, which may be that of the values. */
export function roundInto(
  values: Float32Array,
  dtype: ComputeDtype,
  largest: number,
  out: Float32Array,
): void {
  if (dtype === "F32" && values === out) return;
  const instance = sharedInstance(values, out);
  if (instance) {
    const { tile_round: kernel } = instance.kernels;
    const type = COMPUTE_DTYPES.indexOf(dtype);
    kernel(values.length, values.byteOffset, out.byteOffset, type, largest);
    return;
  }
  const round = roundTo(dtype);
  for (let i = 0; i < values.length; i++) {
    out[i] = clamp(round(values[i]), -largest, largest);
  }
}

// ---- codes by thresholds ----

/** Fifteen ascending thresholds, and the code of what exceeds none, one … all of them. */
export interface Thresholds {
  /** A value that equals one does not exceed it. */
  readonly at: ArrayLike<number>;
  /** Codes by how many are exceeded. */
  readonly codes: ArrayLike<number>;
}

/** The order in which a kernel asks for thresholds that it finds by halving. */
const ASKED = [
  7,
  7,
  7,
  7,
  3,
  11,
  3,
  11,
  1,
  5,
  9,
  13,
  0,
  2,
  4,
  6,
  8,
  10,
  12,
  14,
];

/** Bytes of a kernel's table: what is asked, codes, ranks of cells, planes of thresholds. */
const TABLE_BYTES = 192;

/** The table of src/kernels/wasm/tile_ranks.ts for some thresholds, and whether it has cells. */
interface RankTable {
  readonly bytes: Uint8Array;
  readonly asked: Float32Array;
  readonly byCells: boolean;
}

const rankTables = new WeakMap<Thresholds, RankTable>();

function rankTableOf(thresholds: Thresholds): RankTable {
  const known = rankTables.get(thresholds);
  if (known) return known;
  const { at, codes } = thresholds;
  const bytes = new Uint8Array(TABLE_BYTES), asked = new Float32Array(20);
  ASKED.forEach((rank, i) => asked[i] = at[rank]);
  bytes.set(new Uint8Array(asked.buffer));
  bytes.set(codes, 80);
  const byCells = setCells(at, bytes);
  const table = { bytes, asked, byCells };
  rankTables.set(thresholds, table);
  return table;
}

/** How near fifteen times a threshold may be to the edge of a cell: many times further than products are off. */
const EDGE = 1e-3;

/** Writes ranks of cells and planes of thresholds; false where two thresholds share a cell, or one lies at the edge of one. */
function setCells(at: Thresholds["at"], bytes: Uint8Array): boolean {
  const scaled = Array.from(at, (threshold) => 15 * threshold);
  const cells = scaled.map(Math.round);
  const apart = cells.every((cell, i) =>
    Math.abs(cell) <= 15 && (i === 0 || cell > cells[i - 1]) &&
    Math.abs(scaled[i] - cell) < 0.5 - EDGE
  );
  for (let cell = -15; cell <= 15; cell++) {
    bytes[96 + cell + 15] = cells.filter((other) => other < cell).length;
  }
  const words = new Uint8Array(
    Float32Array.of(...Array.from(at), Infinity).buffer,
  );
  words.forEach((byte, i) => bytes[128 + 16 * (i & 3) + (i >> 2)] = byte);
  return apart;
}

/** The codes of the products of values with factors, which are at most 1, by thresholds; a NaN gets the first code. */
export function encodeRanks(
  values: Float32Array,
  tile: Tile,
  span: Span,
  factors: Float32Array,
  thresholds: Thresholds,
): void {
  const { codes } = tile, { codes: codesOf } = thresholds;
  const { bytes, asked, byCells } = rankTableOf(thresholds);
  const table = tile.memory(TABLE_BYTES / 4);
  new Uint8Array(table.buffer, table.byteOffset, TABLE_BYTES).set(bytes);
  const arrays = [values, codes, factors, table];
  const numbers = [Number(byCells)];
  if (done("tile_encode_ranks", tile, span, arrays, numbers)) return;
  for (const { first, count, area } of runs(tile, span)) {
    const factor = factors[area];
    for (let i = first; i < first + count; i++) {
      codes[i] = codesOf[rankOf(fround(values[i] * factor), asked)];
    }
  }
}

/** How many thresholds x exceeds. */
function rankOf(x: number, asked: Float32Array): number {
  let rank = x > asked[0] ? 1 : 0;
  rank = 2 * rank + (x > asked[4 + rank] ? 1 : 0);
  rank = 2 * rank + (x > asked[8 + rank] ? 1 : 0);
  return 2 * rank + (x > asked[12 + rank] ? 1 : 0);
}

// ---- codes of E2M1 ----

/** How quotients become codes of E2M1. */
export interface E2M1Steps {
  /** Values are multiplied with factors in place of being divided by them. */
  readonly product?: boolean;
  /** The type that quotients are rounded to; F32 by default. */
  readonly dtype?: ComputeDtype;
  /**
   * Where a quotient halfway between two magnitudes goes, and what has the sign:
   *
   * - `"even"`: to the even code; what is below zero
   * - `"signed"`: to the even code; what has a sign bit, as −0 has
   * - `"low"`: to the smaller magnitude; what is not above zero
   * - `"toZero"`: to the smaller magnitude; what is below zero, but for code 8
   */
  readonly rule: "even" | "signed" | "low" | "toZero";
}

/** The numbers by which kernels know them: src/kernels/wasm/tile_e2m1.ts. */
const E2M1_RULES: readonly E2M1Steps["rule"][] = [
  "even",
  "signed",
  "low",
  "toZero",
];

/**
 * Finds codes for finite values by factors that are finite and positive; false where
 * there is no kernel: none rounds quotients to a type, or has other rules than "even"
 * and "signed" for products.
 */
export function encodeE2M1(
  values: Float32Array,
  tile: Tile,
  span: Span,
  factors: Float32Array,
  { product = false, dtype = "F32", rule }: E2M1Steps,
): boolean {
  return done("tile_encode_e2m1", tile, span, [values, tile.codes, factors], [
    E2M1_RULES.indexOf(rule),
    Number(product),
    COMPUTE_DTYPES.indexOf(dtype),
  ]);
}

// ---- values ----

/**
 * How codes become values: `(g − o)·s`, or `g·s + o`, rounded to the dtype after the
 * product and after the sum; `step` rounds after the difference, too.
 */
export interface Lookup {
  /** What codes stand for, in float32. */
  readonly values: ArrayLike<number>;
  /** What the offset is; without one it is 0. */
  readonly offset?: "zero" | "bias" | "step";
  /** In which dtype values are computed. */
  readonly computeDtype: ComputeDtype;
}

/** The numbers by which kernels know element types: src/kernels/wasm/tile_round.ts. */
export const COMPUTE_DTYPES: readonly ComputeDtype[] = ["F32", "F16", "BF16"];

/** Values of codes by a rule of their own: a table for every group. */
export function decodeTables(
  { codes, ...window }: Tile,
  span: Span,
  scales: Float32Array,
  offsets: Float32Array,
  value: (code: number, scale: number, offset: number) => number,
  out: Float32Array,
): void {
  const values = new Float32Array(16);
  for (const { first, count, area } of runs(window, span)) {
    for (let code = 0; code < 16; code++) {
      values[code] = value(code, scales[area], offsets[area]);
    }
    for (let i = first; i < first + count; i++) out[i] = values[codes[i]];
  }
}

/** Looks up the values of every group; all NaNs have the bits of numeric/nan.ts. */
export function decodeGroups(
  tile: Tile,
  span: Span,
  scales: Float32Array,
  offsets: Float32Array,
  { values: grid, offset, computeDtype }: Lookup,
  out: Float32Array,
): void {
  const { codes } = tile, table = tile.memory(16), biased = offset === "bias";
  table.set(grid);
  const arrays = [codes, scales, offsets, table, out];
  const way = biased ? 1 : offset === "step" && computeDtype !== "F32" ? 2 : 0;
  const numbers = [way, COMPUTE_DTYPES.indexOf(computeDtype)];
  if (done("tile_decode", tile, span, arrays, numbers)) return;
  const round = roundTo(computeDtype), values = new Float32Array(16);
  let sum = 0;
  for (const { first, count, area } of runs(tile, span)) {
    const scale = scales[area], offset = offsets[area];
    for (let code = 0; code < 16; code++) {
      const g = table[code];
      values[code] = biased
        ? round(fround(round(fround(g * scale)) + offset))
        : round(fround((way === 2 ? round : fround)(g - offset) * scale));
      sum += values[code] * 0;
    }
    for (let i = first; i < first + count; i++) out[i] = values[codes[i]];
  }
  // What is not finite shows in the sum.
  if (sum !== 0) settleNaNs(out);
}
