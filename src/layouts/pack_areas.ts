/**
 * Numbers of several areas to a unit: half bytes, words of eight.
 *
 * @module
 */
import type { Codec, FieldItem, Unit } from "../words/layout.ts";
import type { Span } from "../words/tile.ts";
import type { Window } from "../words/window.ts";
import type { Band } from "./band.ts";

/** Numbers of a field, one for each area of a window, row by row. */
export interface AreaNumbers {
  /** The numbers. */
  readonly field: Float32Array;
  /** The areas. */
  readonly areas: Window;
  /** What shares one. */
  readonly span: Span;
}

/** Numbers of one unit. */
let entries = /* @__PURE__ */ new Float32Array(16);

/**
 * Writes the units of a band; for areas that the window does not have the codec gets what it says.
 *
 * @param bytes The bytes of the part.
 * @param band The units.
 * @param unit What a unit is.
 * @param item Where the numbers lie in it.
 * @param numbers The numbers.
 */
export function packAreas(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  { at, codec }: FieldItem,
  numbers: AreaNumbers,
): void {
  const { areas, span } = numbers, { rows, columns } = codec.areas;
  if (entries.length < rows * columns) {
    entries = new Float32Array(rows * columns);
  }
  for (let r = 0; r < band.rows; r++) {
    const row = Math.floor((band.row + r) * unit.rows / span.rows) - areas.row;
    for (let c = 0; c < band.count; c++) {
      const column =
        Math.floor((band.column + c) * unit.columns / span.columns) -
        areas.column;
      gather(numbers, row, column, codec);
      codec.store(
        entries,
        bytes,
        band.at + r * band.rowStride + c * band.stride + at,
      );
    }
  }
}

/** Takes the numbers of the areas from a row and a column on. */
function gather(
  { field, areas }: AreaNumbers,
  row: number,
  column: number,
  { areas: { rows, columns }, beyond = NaN }: Codec,
): void {
  const inside = row >= 0 && column >= 0 && row + rows <= areas.rows &&
    column + columns <= areas.columns;
  for (let i = 0, entry = 0; i < rows; i++) {
    const first = (row + i) * areas.columns;
    for (let j = column; j < column + columns; j++, entry++) {
      entries[entry] = inside || has(areas, row + i, j)
        ? field[first + j]
        : beyond;
    }
  }
}

function has({ rows, columns }: Window, row: number, column: number): boolean {
  return row >= 0 && row < rows && column >= 0 && column < columns;
}
