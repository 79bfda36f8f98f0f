/**
 * Codes of many units at once: units one row high or one column wide, of
 * neighbouring rows and columns, that a tile has whole. A kernel moves them where
 * neighbours share a byte; plain JS moves every order.
 *
 * @module
 */
import { sharedInstance } from "../kernels/room.ts";
import type { CodesItem, Unit } from "../words/layout.ts";
import type { Tile } from "../words/tile.ts";
import { halvesOf } from "./halves.ts";
import {
  packFours,
  packUnit,
  unpackFours,
  unpackUnit,
  wordsOfCodes,
} from "./units.ts";

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

/** Takes the codes of a band out of a part. */
export function unpackBand(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): void {
  if (item.spare) return unpackSingles(bytes, band, unit, item, tile);
  if (packByKernel("tile_unpack", bytes, band, unit, item, tile)) return;
  if (unit.rows > 1) return unpackColumns(bytes, band, unit, item, tile);
  const halves = halvesOf(item.nibbles), { flip = 0 } = item;
  for (let r = 0; r < band.rows; r++) {
    const at = band.at + r * band.rowStride + item.at;
    const first = firstCode(band, unit, tile, r);
    if (halves.first && isWholeUnit(unit, item) && band.stride === unit.bytes) {
      const n = band.count * unit.bytes;
      unpackPairs(bytes, at, n, halves.first, flip, tile.codes, first);
      continue;
    }
    const words = wordsOfCodes(halves, tile, first, unit);
    for (let u = 0; u < band.count; u++) {
      const from = at + u * band.stride, to = first + u * unit.columns;
      if (words) unpackFours(bytes, from, halves, flip, words, to);
      else unpackUnit(bytes, from, halves, flip, tile.codes, to);
    }
  }
}

/** Puts the codes of a band into a part. */
export function packBand(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): void {
  if (item.spare) return packSingles(bytes, band, unit, item, tile);
  if (packByKernel("tile_pack", bytes, band, unit, item, tile)) return;
  if (unit.rows > 1) return packColumns(bytes, band, unit, item, tile);
  const halves = halvesOf(item.nibbles), { flip = 0 } = item;
  for (let r = 0; r < band.rows; r++) {
    const at = band.at + r * band.rowStride + item.at;
    const first = firstCode(band, unit, tile, r);
    if (halves.first && isWholeUnit(unit, item) && band.stride === unit.bytes) {
      const n = band.count * unit.bytes;
      packPairs(tile.codes, first, n, halves.first, flip, bytes, at);
      continue;
    }
    const words = wordsOfCodes(halves, tile, first, unit);
    for (let u = 0; u < band.count; u++) {
      const to = at + u * band.stride, from = first + u * unit.columns;
      if (words) packFours(words, from, halves, flip, bytes, to);
      else packUnit(tile.codes, from, halves, flip, bytes, to);
    }
  }
}

/** Index in the tile of the first value of row `r` of a band. */
function firstCode(
  { row, column }: Band,
  unit: Unit,
  tile: Tile,
  r: number,
): number {
  return ((row + r) * unit.rows - tile.row) * tile.columns +
    column * unit.columns - tile.column;
}

/** Whether all of a unit is codes. */
function isWholeUnit({ bytes }: Unit, { at, nibbles }: CodesItem): boolean {
  return at === 0 && nibbles.length === 2 * bytes;
}

// ---- plain JS ----

function unpackPairs(
  bytes: Uint8Array,
  at: number,
  n: number,
  first: "low" | "high",
  flip: number,
  codes: Uint8Array,
  to: number,
): void {
  const low = first === "low" ? 0 : 4, high = 4 - low;
  for (let b = at; b < at + n; b++, to += 2) {
    const byte = bytes[b];
    codes[to] = byte >> low & 15 ^ flip;
    codes[to + 1] = byte >> high & 15 ^ flip;
  }
}

function packPairs(
  codes: Uint8Array,
  from: number,
  n: number,
  first: "low" | "high",
  flip: number,
  bytes: Uint8Array,
  at: number,
): void {
  const low = first === "low" ? 0 : 4, high = 4 - low, flips = flip * 17;
  for (let b = at; b < at + n; b++, from += 2) {
    bytes[b] = (codes[from] << low | codes[from + 1] << high) ^ flips;
  }
}

/** Units of one code in the low half of a byte. */
function unpackSingles(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  { flip = 0 }: CodesItem,
  tile: Tile,
): void {
  for (let r = 0; r < band.rows; r++) {
    const first = firstCode(band, unit, tile, r);
    const at = band.at + r * band.rowStride;
    for (let u = 0; u < band.count; u++) {
      tile.codes[first + u] = bytes[at + u * band.stride] & 15 ^ flip;
    }
  }
}

function packSingles(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  { flip = 0 }: CodesItem,
  tile: Tile,
): void {
  for (let r = 0; r < band.rows; r++) {
    const first = firstCode(band, unit, tile, r);
    const at = band.at + r * band.rowStride;
    for (let u = 0; u < band.count; u++) {
      bytes[at + u * band.stride] = tile.codes[first + u] ^ flip;
    }
  }
}

/** Units one column wide. */
function unpackColumns(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  { at, nibbles, flip = 0 }: CodesItem,
  tile: Tile,
): void {
  const { low, high } = halvesOf(nibbles), { codes, columns } = tile;
  for (let r = 0; r < band.rows; r++) {
    const first = firstCode(band, unit, tile, r);
    for (let b = 0; b < low.length; b++) {
      let from = band.at + at + r * band.rowStride + b;
      const inLow = first + low[b] * columns,
        inHigh = first + high[b] * columns;
      for (let u = 0; u < band.count; u++, from += band.stride) {
        codes[inLow + u] = bytes[from] & 15 ^ flip;
        codes[inHigh + u] = bytes[from] >> 4 ^ flip;
      }
    }
  }
}

function packColumns(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  { at, nibbles, flip = 0 }: CodesItem,
  tile: Tile,
): void {
  const { low, high } = halvesOf(nibbles), { codes, columns } = tile;
  for (let r = 0; r < band.rows; r++) {
    const first = firstCode(band, unit, tile, r);
    for (let b = 0; b < low.length; b++) {
      let to = band.at + at + r * band.rowStride + b;
      const inLow = first + low[b] * columns,
        inHigh = first + high[b] * columns;
      for (let u = 0; u < band.count; u++, to += band.stride) {
        bytes[to] = (codes[inLow + u] | codes[inHigh + u] << 4) ^ flip * 17;
      }
    }
  }
}

// ---- kernels ----

/** Packs or unpacks a band by a kernel; false where there is none for it. */
function packByKernel(
  name: "tile_pack" | "tile_unpack",
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): boolean {
  const { first, low, high } = halvesOf(item.nibbles), { flip = 0 } = item;
  const isColumn = unit.rows > 1;
  if (!isWholeUnit(unit, item)) return false;
  if (isColumn ? unit.bytes !== 1 && unit.bytes !== 4 : !first) return false;
  // Edges are left out of whole rows, so that a band with them is one row at a time.
  if (band.count * unit.columns !== tile.columns) return false;
  const length = band.rows * band.count * unit.bytes;
  const packed = tile.memory(Math.ceil(length / 4));
  const instance = sharedInstance(tile.codes, packed);
  if (!instance) return false;
  const within = new Uint8Array(packed.buffer, packed.byteOffset, length);
  const unpacks = name === "tile_unpack";
  if (unpacks && !gather(bytes, band, unit, within)) return false;
  const { kernels } = instance, { byteOffset: codes } = tile.codes;
  if (isColumn) {
    const kernel =
      kernels[unpacks ? "tile_unpack_columns" : "tile_pack_columns"];
    const order = orderOfRows(low, high);
    for (let r = 0; r < band.rows; r++) {
      const own = codes + r * unit.rows * tile.columns;
      const at = packed.byteOffset + r * band.count * unit.bytes;
      kernel(band.count, at, own, unit.bytes, order, flip);
    }
  } else {
    const values = band.rows * tile.columns, order = first === "low" ? 0 : 1;
    const { byteOffset: bytes } = packed;
    if (unpacks) kernels.tile_unpack(values, bytes, codes, order, flip);
    else kernels.tile_pack(values, codes, bytes, order, flip);
  }
  return unpacks || scatter(within, band, unit, bytes);
}

/** The rows of a column's codes, as a word of four bits each. */
function orderOfRows(low: Uint16Array, high: Uint16Array): number {
  let order = 0;
  low.forEach((row, b) => order |= row << 8 * b | high[b] << 8 * b + 4);
  return order;
}

/** Whether the units of a band lie without gaps, row after row. */
function isTogether({ rows, rowStride, count, stride }: Band, unit: Unit) {
  return stride === unit.bytes && (rows === 1 || rowStride === count * stride);
}

/** Copies the units of a band, row by row; false where they are no elements of an array. */
function gather(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  to: Uint8Array,
): boolean {
  const { rows, count, at, rowStride, stride } = band;
  if (stride !== unit.bytes) {
    const from = elementsOf(bytes, band, unit);
    if (from) {
      copyUnits(from, elementsOf(to, NO_BAND, unit)!, band, unit, true);
    }
    return from !== undefined;
  }
  const length = isTogether(band, unit) ? to.length : count * stride;
  for (let r = 0; r * length < to.length && r < rows; r++) {
    const start = at + r * rowStride;
    to.set(bytes.subarray(start, start + length), r * length);
  }
  return true;
}

function scatter(
  from: Uint8Array,
  band: Band,
  unit: Unit,
  bytes: Uint8Array,
): boolean {
  const { rows, count, at, rowStride, stride } = band;
  if (stride !== unit.bytes) {
    const to = elementsOf(bytes, band, unit);
    if (to) copyUnits(to, elementsOf(from, NO_BAND, unit)!, band, unit, false);
    return to !== undefined;
  }
  const length = isTogether(band, unit) ? from.length : count * stride;
  for (let r = 0; r * length < from.length && r < rows; r++) {
    bytes.set(from.subarray(r * length, (r + 1) * length), at + r * rowStride);
  }
  return true;
}

/** Copies units that lie anywhere to where they lie row by row, or from there. */
function copyUnits(
  units: Elements,
  packed: Elements,
  { rows, count, ...band }: Band,
  { bytes: width }: Unit,
  packs: boolean,
): void {
  const rowStride = band.rowStride / width, stride = band.stride / width;
  for (let c = 0, first = band.at / width; c < count; c++, first += stride) {
    for (let r = 0, i = c, at = first; r < rows; r++) {
      if (packs) packed[i] = units[at];
      else units[at] = packed[i];
      i += count;
      at += rowStride;
    }
  }
}

type Elements = Int32Array | Uint8Array;

/** All bytes of an array. */
const NO_BAND = { at: 0, rowStride: 0, stride: 0 };

/** The units of a part as elements of an array, where they are bytes, or words at whole words. */
function elementsOf(
  array: Uint8Array,
  { at, rowStride, stride }: Pick<Band, "at" | "rowStride" | "stride">,
  unit: Unit,
): Elements | undefined {
  if (unit.bytes === 1) return array;
  const { buffer, byteOffset, byteLength } = array;
  const aligned = (byteOffset | at | rowStride | stride) % 4 === 0;
  return aligned && unit.bytes === 4
    ? new Int32Array(buffer, byteOffset, byteLength >> 2)
    : undefined;
}
