/**
 * The nibble order of ggml's blocks: in a run of n codes, byte k holds code k
 * in its low nibble and code k + n/2 in its high nibble.
 *
 * @module
 */

/**
 * Packs a run of codes, first half in the low nibbles.
 *
 * @param codes The codes, 0…15 each.
 * @param from Index of the first code of the run.
 * @param length Codes in the run; even.
 * @param out Receives `length` / 2 bytes.
 * @param at Where in `out`.
 */
export function packHalves(
  codes: Uint8Array,
  from: number,
  length: number,
  out: Uint8Array,
  at: number,
): void {
  const half = length / 2;
  for (let k = 0; k < half; k++) {
    out[at + k] = codes[from + k] | (codes[from + half + k] << 4);
  }
}

/**
 * Unpacks a run of codes, first half from the low nibbles.
 *
 * @param bytes The packed codes.
 * @param at Where in `bytes` the run starts.
 * @param length Codes in the run; even.
 * @param codes Receives the codes, 0…15 each.
 * @param to Index of the first code of the run.
 */
export function unpackHalves(
  bytes: Uint8Array,
  at: number,
  length: number,
  codes: Uint8Array,
  to: number,
): void {
  const half = length / 2;
  for (let k = 0; k < half; k++) {
    codes[to + k] = bytes[at + k] & 15;
    codes[to + half + k] = bytes[at + k] >> 4;
  }
}
