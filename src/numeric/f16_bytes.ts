/**
 * Binary16 fields inside byte blocks: little-endian, at any offset.
 *
 * @module
 */

import { f16ToF32 } from "./f16.ts";

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
