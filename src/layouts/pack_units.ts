/**
 * Codes of one unit at a time, of which a tile may have only some.
 *
 * @module
 */
import type { BitsItem, CodesItem, Unit } from "../words/layout.ts";
import type { Tile } from "../words/tile.ts";
import type { PartBytes } from "./units.ts";

/** Index in the tile of value `k` of a unit, or −1 where the tile does not have it. */
function valueIndex(
  k: number,
  { columns, rowStep = 1 }: Unit,
  unitRow: number,
  unitColumn: number,
  tile: Tile,
): number {
  const row = unitRow + Math.floor(k / columns) * rowStep - tile.row;
  const column = unitColumn + k % columns - tile.column;
  const inside = row >= 0 && row < tile.rows && column >= 0 &&
    column < tile.columns;
  return inside ? row * tile.columns + column : -1;
}

export function unpackCodes(
  { bytes, plan: { unit } }: PartBytes,
  { at, nibbles, flip = 0 }: CodesItem,
  unitAt: number,
  row: number,
  column: number,
  tile: Tile,
): void {
  for (let k = 0; k < nibbles.length; k++) {
    const to = valueIndex(k, unit, row, column, tile);
    if (to < 0) continue;
    const nibble = nibbles[k], byte = bytes[unitAt + at + (nibble >> 1)];
    tile.codes[to] = (byte >> 4 * (nibble & 1) & 15) ^ flip;
  }
}

export function packCodes(
  { bytes, plan: { unit } }: PartBytes,
  item: CodesItem,
  unitAt: number,
  row: number,
  column: number,
  tile: Tile,
): void {
  const { at, nibbles, flip = 0, spare = [] } = item;
  for (let k = 0; k < nibbles.length; k++) {
    const from = valueIndex(k, unit, row, column, tile), nibble = nibbles[k];
    const code = from < 0
      ? paddingAt(k, item, unit, row, column, tile)
      : tile.codes[from] ^ flip;
    const byte = unitAt + at + (nibble >> 1), shift = 4 * (nibble & 1);
    bytes[byte] = bytes[byte] & ~(15 << shift) | code << shift;
  }
  for (const nibble of spare) {
    bytes[unitAt + at + (nibble >> 1)] &= nibble & 1 ? 15 : 240;
  }
}

/** What is stored where the tile has no value: see {@linkcode CodesItem.padding} and {@linkcode CodesItem.stale}. */
function paddingAt(
  k: number,
  { padding = 0, stale, flip = 0 }: CodesItem,
  unit: { columns: number },
  unitRow: number,
  unitColumn: number,
  tile: Tile,
): number {
  const { columns } = tile.matrix, column = unitColumn + k % unit.columns;
  const last = columns - 1;
  if (stale === undefined || column !== columns || columns % 2 === 0) {
    return padding;
  }
  if (last % stale === 0) return 0;
  const row = unitRow + Math.floor(k / unit.columns) - tile.row;
  return tile.codes[row * tile.columns + last - 1 - tile.column] ^ flip;
}

// ---- codes of other widths ----

/** Index in the tile of the first value of a unit that the tile has whole, in one row; −1 for others. */
function wholeUnitIndex(
  unit: Unit,
  unitRow: number,
  unitColumn: number,
  tile: Tile,
): number {
  const row = unitRow - tile.row, column = unitColumn - tile.column;
  const whole = unit.rows === 1 && row >= 0 && row < tile.rows &&
    column >= 0 && column + unit.columns <= tile.columns;
  return whole ? row * tile.columns + column : -1;
}

export function unpackBits(
  { bytes, plan: { unit } }: PartBytes,
  { at, width, places, above, flip = 0 }: BitsItem,
  unitAt: number,
  row: number,
  column: number,
  tile: Tile,
): void {
  const { codes } = tile, start = unitAt + at;
  const mask = (1 << width) - 1, below = (1 << above) - 1;
  const first = wholeUnitIndex(unit, row, column, tile);
  for (let k = 0; k < places.length; k++) {
    const to = first < 0 ? valueIndex(k, unit, row, column, tile) : first + k;
    if (to < 0) continue;
    const bit = places[k] * width;
    const bits = bytes[start + (bit >> 3)] >> (bit & 7) & mask;
    codes[to] = codes[to] & below | (bits ^ flip) << above;
  }
}

export function packBits(
  { bytes, plan: { unit } }: PartBytes,
  { at, width, places, above, flip = 0 }: BitsItem,
  unitAt: number,
  row: number,
  column: number,
  tile: Tile,
): void {
  const { codes } = tile, start = unitAt + at, mask = (1 << width) - 1;
  const first = wholeUnitIndex(unit, row, column, tile);
  for (let k = 0; k < places.length; k++) {
    const from = first < 0 ? valueIndex(k, unit, row, column, tile) : first + k;
    const bits = from < 0 ? 0 : codes[from] >> above & mask ^ flip;
    const bit = places[k] * width, byte = start + (bit >> 3);
    const shift = bit & 7;
    bytes[byte] = bytes[byte] & ~(mask << shift) | bits << shift;
  }
}
