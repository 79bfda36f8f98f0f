/**
 * Groups that go over several rows of a tile, each put into a row of its own: there
 * they are searched as any others.
 *
 * @module
 */
import type { SearchedTile } from "./search_kernel.ts";
import { areasOf, type Span, type Tile } from "../words/tile.ts";

/** Whether a tile has groups whose values do not lie together. */
export function areScattered(tile: Tile, span: Span): boolean {
  if (span.rows === 1) return false;
  const { rows, columns } = areasOf(tile, span);
  return rows * columns > 1;
}

/**
 * Puts every group into a row. One that the end of the matrix cuts short is filled up
 * by zeros that count nothing.
 *
 * @param groups The groups; the tile holds whole ones.
 * @returns The same in rows, with codes of their own and the fields of the tile.
 */
export function gathered(
  { values, weights, tile, span }: SearchedTile,
): SearchedTile {
  const areas = areasOf(tile, span), rows = areas.rows * areas.columns;
  const columns = Math.min(span.rows, tile.rows) *
    Math.min(span.columns, tile.columns);
  const count = rows * columns;
  const isFull = count === tile.rows * tile.columns;
  const ownValues = tile.memory(count).fill(0);
  const ownWeights = weights || !isFull
    ? tile.memory(count).fill(0)
    : undefined;
  const codes = bytesOf(tile, count).fill(0);
  eachPlace(tile, span, columns, (from, to) => {
    ownValues[to] = values[from];
    codes[to] = tile.codes[from];
    if (ownWeights) ownWeights[to] = weights ? weights[from] : 1;
  });
  return {
    values: ownValues,
    weights: ownWeights,
    tile: {
      ...tile,
      ...{ matrix: { rows, columns }, row: 0, rows, column: 0, columns },
      codes,
    },
    span: { rows: 1, columns },
  };
}

/** Puts the codes of gathered groups back. */
export function scatterCodes(from: Tile, to: Tile, span: Span): void {
  eachPlace(to, span, from.columns, (place, own) => {
    to.codes[place] = from.codes[own];
  });
}

function bytesOf({ memory }: Tile, count: number): Uint8Array {
  const { buffer, byteOffset } = memory(Math.ceil(count / 4));
  return new Uint8Array(buffer, byteOffset, count);
}

/** Visits every value with its place in the tile, and that among gathered groups of so many values. */
function eachPlace(
  tile: Tile,
  span: Span,
  size: number,
  visit: (place: number, gathered: number) => void,
): void {
  const areas = areasOf(tile, span);
  const next = Float64Array.from(
    { length: areas.rows * areas.columns },
    (_, area) => area * size,
  );
  for (let r = 0, place = 0; r < tile.rows; r++) {
    const above = Math.floor((tile.row + r) / span.rows) - areas.row;
    for (let c = 0; c < tile.columns; c++, place++) {
      const column = Math.floor((tile.column + c) / span.columns);
      const area = above * areas.columns + column - areas.column;
      visit(place, next[area]++);
    }
  }
}
