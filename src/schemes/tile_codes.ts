/**
 * Codes of the values of a tile: on an even grid, by thresholds, of E2M1.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { roundTo } from "../numeric/compute.ts";
import { clamp, roundHalfAway, roundHalfToEven } from "../numeric/rounding.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { runs, type Span, type Tile } from "../words/tile.ts";
import { COMPUTE_DTYPES, done, doneBy, roundInto } from "./tiles.ts";

const { fround } = Math;

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
export const ROUNDINGS: readonly Rounding[] = [
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

/** The codes by thresholds of values over the scales of their groups, which are not 0. */
export function encodeQuotientRanks(
  values: Float32Array,
  tile: Tile,
  span: Span,
  scales: Float32Array,
  thresholds: Thresholds,
): void {
  // Cells are between -1 and 1, and so are all thresholds that have some.
  const most = rankTableOf(thresholds).byCells ? 1 : Infinity;
  const quotients = tile.memory(values.length);
  if (!divide(values, tile, span, scales, most, quotients)) {
    for (const { first, count, area } of runs(tile, span)) {
      for (let i = first; i < first + count; i++) {
        quotients[i] = clamp(values[i] / scales[area], -most, most);
      }
    }
  }
  const ones = tile.memory(scales.length).fill(1);
  encodeRanks(quotients, tile, span, ones, thresholds);
}

/** Divides values by the divisors of their groups, and cuts quotients beyond `most`; false where there is no kernel. */
function divide(
  values: Float32Array,
  tile: Tile,
  span: Span,
  divisors: Float32Array,
  most: number,
  quotients: Float32Array,
): boolean {
  const arrays = [values, quotients, divisors];
  return done("tile_divide", tile, span, arrays, [most]);
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
  /** What they are multiplied by then; 1 by default. */
  readonly times?: number;
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
export const E2M1_RULES: readonly E2M1Steps["rule"][] = [
  "even",
  "signed",
  "low",
  "toZero",
];

/**
 * Finds codes for finite values by factors that are positive, and finite or what makes
 * quotients of 0; false where there is no kernel: none has other rules than "even" and
 * "signed" for products, or multiplies quotients by those rules.
 */
export function encodeE2M1(
  values: Float32Array,
  tile: Tile,
  span: Span,
  factors: Float32Array,
  { product = false, dtype = "F32", times = 1, rule }: E2M1Steps,
): boolean {
  if (!product && dtype !== "F32") {
    const rounded = tile.memory(values.length);
    if (!divide(values, tile, span, factors, Infinity, rounded)) return false;
    roundInto(rounded, dtype, Infinity, rounded);
    const ones = tile.memory(factors.length).fill(1);
    return encodeE2M1(rounded, tile, span, ones, { times, rule });
  }
  const arrays = [values, tile.codes, factors];
  return doneBy(E2M1_TILES_KERNELS, "tile_encode_e2m1", tile, span, arrays, [
    E2M1_RULES.indexOf(rule),
    Number(product),
    COMPUTE_DTYPES.indexOf(dtype),
    times,
  ]);
}
