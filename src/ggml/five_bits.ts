/**
 * 32 codes of five bits in 20 bytes: bit k of the first four bytes is the highest bit of
 * code k; then come the lower four bits, code k in the low and code k + 16 in the high
 * nibble of byte k.
 *
 * @module
 */

import { packHalves, unpackHalves } from "../nibbles/halves.ts";

const CODES = 32;
const NIBBLES_AT = 4;
const nibbles = new Uint8Array(CODES);

/**
 * Packs 32 codes.
 *
 * @param codes The codes; what is above their five bits is dropped.
 * @param out Receives 20 bytes.
 * @param at Where in `out`.
 */
export function packFive(
  codes: Uint8Array,
  out: Uint8Array,
  at: number,
): void {
  let high = 0;
  for (let j = 0; j < CODES; j++) {
    nibbles[j] = codes[j] & 15;
    high |= ((codes[j] >> 4) & 1) << j;
  }
  for (let k = 0; k < NIBBLES_AT; k++) out[at + k] = high >> (8 * k);
  packHalves(nibbles, 0, CODES, out, at + NIBBLES_AT);
}

/**
 * Unpacks 32 codes.
 *
 * @param bytes The packed codes.
 * @param at Where in `bytes` they start.
 * @param codes Receives the codes, 0 … 31 each.
 */
export function unpackFive(
  bytes: Uint8Array,
  at: number,
  codes: Uint8Array,
): void {
  unpackHalves(bytes, at + NIBBLES_AT, CODES, codes, 0);
  for (let j = 0; j < CODES; j++) {
    codes[j] |= ((bytes[at + (j >> 3)] >> (j & 7)) & 1) << 4;
  }
}
