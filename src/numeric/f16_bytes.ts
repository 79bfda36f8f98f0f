/**
 * Binary16 fields inside byte blocks: little-endian, at any offset.
 *
 * @module
 */

import { f16ToF32, f32ToF16 } from "./f16.ts";

/** The NaN that x86 makes of ∞/∞ and the like. Engines differ in the sign of theirs, so it is fixed here. */
const NAN = 0xfe00;

/**
 * Writes a number as a little-endian binary16.
 *
 * @param x The number, rounded half to even; NaN becomes 0xFE00.
 * @param out The bytes.
 * @param at Where in `out`.
 */
export function storeF16(x: number, out: Uint8Array, at: number): void {
  const half = Number.isNaN(x) ? NAN : f32ToF16(x);
  out[at] = half;
  out[at + 1] = half >> 8;
}

/**
 * Reads a little-endian binary16.
 *
 * @param bytes The bytes.
 * @param at Where in `bytes`.
 * @returns The number, exactly.
 */
export function loadF16(bytes: Uint8Array, at: number): number {
  return f16ToF32(bytes[at] | (bytes[at + 1] << 8));
}
