/**
 * The codes of one unit, by the halves of its bytes.
 *
 * @module
 */
import type { Unit } from "../words/layout.ts";
import type { Tile } from "../words/tile.ts";
import type { Halves } from "./halves.ts";

/** Takes the codes of a unit out of bytes. */
export function unpackUnit(
  bytes: Uint8Array,
  at: number,
  { low, high }: Halves,
  flip: number,
  codes: Uint8Array,
  first: number,
): void {
  for (let b = 0; b < low.length; b++) {
    const byte = bytes[at + b];
    codes[first + low[b]] = byte & 15 ^ flip;
    codes[first + high[b]] = byte >> 4 ^ flip;
  }
}

/** Puts the codes of a unit into bytes. */
export function packUnit(
  codes: Uint8Array,
  first: number,
  { low, high }: Halves,
  flip: number,
  bytes: Uint8Array,
  at: number,
): void {
  const flips = flip * 17;
  for (let b = 0; b < low.length; b++) {
    bytes[at + b] = (codes[first + low[b]] | codes[first + high[b]] << 4) ^
      flips;
  }
}

/** Codes as words of four; undefined where units do not start at whole ones. */
export function wordsOfCodes(
  { inFours }: Halves,
  { codes: { buffer, byteOffset, length } }: Pick<Tile, "codes">,
  first: number,
  unit: Pick<Unit, "columns">,
): Int32Array | undefined {
  const aligned = (byteOffset | first | unit.columns) % 4 === 0;
  return inFours && aligned
    ? new Int32Array(buffer, byteOffset, length >> 2)
    : undefined;
}

/** The low half of each byte of a word. */
const LOW_HALVES = 0x0f0f0f0f;
/** Copies a byte to all bytes of a word. */
const EACH_BYTE = 0x01010101;

/** Takes the codes of a unit out of bytes, four at a time. */
export function unpackFours(
  bytes: Uint8Array,
  at: number,
  { low, high }: Halves,
  flip: number,
  words: Int32Array,
  first: number,
): void {
  const flips = flip * EACH_BYTE;
  for (let b = 0; b < low.length; b += 4) {
    const word = bytes[at + b] | bytes[at + b + 1] << 8 |
      bytes[at + b + 2] << 16 | bytes[at + b + 3] << 24;
    words[first + low[b] >> 2] = word & LOW_HALVES ^ flips;
    words[first + high[b] >> 2] = word >>> 4 & LOW_HALVES ^ flips;
  }
}

/** Puts the codes of a unit into bytes, four at a time. */
export function packFours(
  words: Int32Array,
  first: number,
  { low, high }: Halves,
  flip: number,
  bytes: Uint8Array,
  at: number,
): void {
  const flips = flip * 17 * EACH_BYTE;
  for (let b = 0; b < low.length; b += 4) {
    const word = words[first + low[b] >> 2] ^
      words[first + high[b] >> 2] << 4 ^ flips;
    bytes[at + b] = word;
    bytes[at + b + 1] = word >> 8;
    bytes[at + b + 2] = word >> 16;
    bytes[at + b + 3] = word >> 24;
  }
}
