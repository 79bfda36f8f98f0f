/**
 * Where the units of a part lie that a tile touches.
 *
 * @module
 */
import { type CodesItem, type PartBytes, unitsOf } from "../words/layout.ts";

export type { PartBytes } from "../words/layout.ts";
import type { Tile } from "../words/tile.ts";
import type { Matrix, Window } from "../words/window.ts";
import type { Band } from "./band.ts";

/** Where some units of a part lie. */
export function bandOf(
  { plan, area }: PartBytes,
  matrix: Matrix,
  { row, rows, column, columns }: Window,
): Band {
  const { unit: { bytes }, order } = plan, have = unitsOf(plan, matrix, area);
  const [rowStride, stride] = order === "rows"
    ? [have.columns * bytes, bytes]
    : [bytes, have.rows * bytes];
  const at = (row - have.row) * rowStride + (column - have.column) * stride;
  return { at, row, rows, rowStride, column, count: columns, stride };
}

/** The units that a tile has whole, all in a row or all in a column. Others, and those with halves of bytes to spare beside more than one code, are left to be done one by one. */
export function wholeUnits(
  part: PartBytes,
  { spare, nibbles }: CodesItem,
  matrix: Matrix,
  { row, rows, column, columns }: Tile,
): Band | undefined {
  const { unit } = part.plan, { rowStep, rows: tall } = unit;
  const isSingle = spare && nibbles.length === 1 && nibbles[0] === 0;
  if (
    spare && !isSingle || rowStep !== undefined || tall > 1 && unit.columns > 1
  ) {
    return undefined;
  }
  const first = Math.ceil(column / unit.columns);
  const count = Math.floor((column + columns) / unit.columns) - first;
  if (row % tall !== 0 || rows % tall !== 0 || count <= 0) return undefined;
  return bandOf(part, matrix, {
    row: row / tall,
    rows: rows / tall,
    column: first,
    columns: count,
  });
}

/** Calls `visit` with the offset and the place of every unit that a tile touches, but for those in a band. */
export function atEdges(
  part: PartBytes,
  matrix: Matrix,
  tile: Tile,
  band: Band | undefined,
  visit: (at: number, row: number, column: number) => void,
): void {
  const { unit } = part.plan;
  const all = bandOf(part, matrix, unitsOf(part.plan, matrix, tile));
  const end = all.column + all.count;
  const from = band ? band.column : end, to = band ? from + band.count : end;
  if (from === all.column && to === end) return;
  for (let r = 0; r < all.rows; r++) {
    for (let c = all.column; c < end; c++) {
      if (c >= from && c < to) continue;
      visit(
        all.at + r * all.rowStride + (c - all.column) * all.stride,
        (all.row + r) * (unit.rowStep === undefined ? unit.rows : 1),
        c * unit.columns,
      );
    }
  }
}
