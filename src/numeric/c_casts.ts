/**
 * Roundings as compiled C performs them, out of range included: reference
 * quantizers rely on them, and their bytes are reproduced exactly.
 *
 * @module
 */

const scratch = /* @__PURE__ */ new Float32Array(1);
const scratchBits = /* @__PURE__ */ new Int32Array(scratch.buffer);

/** 1.5 · 2^23: added to a small float32 it leaves the rounded integer in the low mantissa bits. */
const ROUNDING_MAGIC = 12582912;

/**
 * Rounds a float32 to an integer, half to even, by adding and reading mantissa bits.
 *
 * Exact for |x| ≤ 2^22. Beyond, the result is what the trick leaves behind: an
 * infinity gives −2^22, NaN gives 0.
 *
 * @param x A float32.
 * @returns The integer.
 */
export function nearestInt(x: number): number {
  scratch[0] = x + ROUNDING_MAGIC;
  if (Number.isNaN(scratch[0])) return 0;
  return (scratchBits[0] & 0x7fffff) - 0x400000;
}

/**
 * The C cast from float to int as x86 performs it: toward zero, and −2^31 for
 * NaN and whatever does not fit.
 *
 * @param x A float32.
 * @returns The integer.
 */
export function truncateToInt32(x: number): number {
  return x >= -2147483648 && x < 2147483648 ? Math.trunc(x) : -2147483648;
}

/**
 * The C cast from float to int8_t as x86 performs it: the low byte of {@linkcode truncateToInt32}.
 *
 * @param x A float32.
 * @returns The integer, −128…127.
 */
export function truncateToInt8(x: number): number {
  return (truncateToInt32(x) << 24) >> 24;
}
