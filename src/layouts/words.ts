/**
 * Words of 32 bits that hold eight numbers of a column.
 *
 * @module
 */
import type { Codec } from "../words/layout.ts";

const COUNT = 8;

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
    bytes[at + 3] << 24;
}

/**
 * Eight whole numbers, one to a nibble of a little-endian word, the first in the
 * lowest; 0 beyond the end of the matrix.
 *
 * @param lessEach What is taken from each number as it is written.
 * @param lessWord What is taken from the word, borrowing across nibbles.
 */
export function eightInWord(lessEach = 0, lessWord = 0): Codec {
  return {
    bytes: 4,
    areas: { rows: COUNT, columns: 1 },
    keeps: [lessEach, lessEach + 15],
    load(bytes, at, to): void {
      const word = wordAt(bytes, at) + lessWord | 0;
      for (let k = 0; k < COUNT; k++) {
        to[k] = (word >> 4 * k & 15) + lessEach;
      }
    },
    store(from, bytes, at): void {
      let word = 0;
      for (let k = 0; k < COUNT; k++) {
        if (!Number.isNaN(from[k])) word |= from[k] - lessEach << 4 * k;
      }
      word -= lessWord;
      for (let k = 0; k < 4; k++) bytes[at + k] = word >> 8 * k;
    },
  };
}
