/**
 * Bands: many units at once, one row high or one column wide, of neighbouring rows
 * and columns, that a tile has whole.
 *
 * @module
 */
import type { CodesItem, Unit } from "../words/layout.ts";
import type { Tile } from "../words/tile.ts";

/** Units of neighbouring rows and columns. */
export interface Band {
  /** Offset of the first unit's bytes. */
  readonly at: number;
  /** Number of its row, in units. */
  readonly row: number;
  /** How many rows of units. */
  readonly rows: number;
  /** Bytes from a row to the next. */
  readonly rowStride: number;
  /** Number of the first unit's column, in units. */
  readonly column: number;
  /** How many units in each row. */
  readonly count: number;
  /** Bytes from a unit to the next in its row. */
  readonly stride: number;
}

/** Index in the tile of the first value of row `r` of a band. */
export function firstCode(
  { row, column }: Band,
  unit: Unit,
  tile: Tile,
  r: number,
): number {
  return ((row + r) * unit.rows - tile.row) * tile.columns +
    column * unit.columns - tile.column;
}

/** Whether all of a unit is codes. */
export function isWholeUnit(
  { bytes }: Unit,
  { at, nibbles }: CodesItem,
): boolean {
  return at === 0 && nibbles.length === 2 * bytes;
}
