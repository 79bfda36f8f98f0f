/**
 * Values of the codes of a tile.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { settleNaNs } from "../numeric/nan.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { runs, type Span, type Tile } from "../words/tile.ts";
import { COMPUTE_DTYPES, done } from "./tiles.ts";

const { fround } = Math;

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

/** Values of codes by a rule of their own: a table for every group. */
export function decodeTables(
  tile: Tile,
  span: Span,
  scales: Float32Array,
  offsets: Float32Array,
  value: (code: number, scale: number, offset: number) => number,
  out: Float32Array,
): void {
  const { codes } = tile, values = new Float32Array(16);
  if (scales.length === 1) {
    // One table for all values is a grid.
    for (let code = 0; code < 16; code++) {
      values[code] = value(code, scales[0], offsets[0]);
    }
    const scale = tile.memory(1).fill(1), offset = tile.memory(1).fill(0);
    const lookup = { values, computeDtype: "F32" } as const;
    return decodeGroups(tile, span, scale, offset, lookup, out);
  }
  for (const { first, count, area } of runs(tile, span)) {
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
