/**
 * Codes of bands in plain JS, which moves every order.
 *
 * @module
 */
import type { CodesItem, Unit } from "../words/layout.ts";
import type { Tile } from "../words/tile.ts";
import { type Band, firstCode, isWholeUnit } from "./band.ts";
import { halvesOf, runOf } from "./halves.ts";
import {
  packFours,
  packUnit,
  unpackFours,
  unpackUnit,
  wordsOfCodes,
} from "./unit_codes.ts";

/** Takes the codes of a band out of a part. */
export function unpackPlain(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): void {
  if (item.spare) return unpackSingles(bytes, band, unit, item, tile);
  if (unit.rows > 1) return unpackColumns(bytes, band, unit, item, tile);
  const halves = halvesOf(item.nibbles), { flip = 0 } = item;
  const low = 4 * halves.low[0]; // bits before the first of a pair
  const arePairs = runOf(halves) === 1 && isWholeUnit(unit, item) &&
    band.stride === unit.bytes;
  for (let r = 0; r < band.rows; r++) {
    const at = band.at + r * band.rowStride + item.at;
    const first = firstCode(band, unit, tile, r);
    if (arePairs) {
      const n = band.count * unit.bytes;
      unpackPairs(bytes, at, n, low, flip, tile.codes, first);
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
export function packPlain(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): void {
  if (item.spare) return packSingles(bytes, band, unit, item, tile);
  if (unit.rows > 1) return packColumns(bytes, band, unit, item, tile);
  const halves = halvesOf(item.nibbles), { flip = 0 } = item;
  const low = 4 * halves.low[0]; // bits before the first of a pair
  const arePairs = runOf(halves) === 1 && isWholeUnit(unit, item) &&
    band.stride === unit.bytes;
  for (let r = 0; r < band.rows; r++) {
    const at = band.at + r * band.rowStride + item.at;
    const first = firstCode(band, unit, tile, r);
    if (arePairs) {
      const n = band.count * unit.bytes;
      packPairs(tile.codes, first, n, low, flip, bytes, at);
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

function unpackPairs(
  bytes: Uint8Array,
  at: number,
  n: number,
  low: number,
  flip: number,
  codes: Uint8Array,
  to: number,
): void {
  const high = 4 - low;
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
  low: number,
  flip: number,
  bytes: Uint8Array,
  at: number,
): void {
  const high = 4 - low, flips = flip * 17;
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
