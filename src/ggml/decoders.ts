/**
 * What those share that read blocks.
 *
 * @module
 */

/** Turns the block at `at` of `blocks` into values from `outAt` of `out` on. */
export type DecodeBlock = (
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
) => void;

/** The signed value of a byte. */
export function signedByte(byte: number): number {
  return (byte << 24) >> 24;
}
