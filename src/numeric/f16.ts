/**
 * IEEE 754 binary16 (`F16`): 1 sign bit, 5 exponent bits (bias 15), 10 mantissa
 * bits. Largest finite 65504, smallest normal 2^-14, smallest subnormal 2^-24.
 *
 * Typed-array views instead of Float16Array: the latter is too young to count on.
 *
 * @module
 */

/** The largest finite binary16. */
export const LARGEST_F16 = 65504;
/** From here on numbers round to an infinity. */
export const F16_OVERFLOW = 65520;

const scratch = /* @__PURE__ */ new Float32Array(1);
const scratchBits = /* @__PURE__ */ new Uint32Array(scratch.buffer);

/** Bits of 2^-14 as float32: below it a binary16 is subnormal. */
const SMALLEST_NORMAL = 0x38800000;
/** Bits of 2^16 as float32: from here on everything is infinite. */
const TOO_LARGE = 0x47800000;
const INFINITY_BITS = 0x7f800000;
/** Difference of the exponent biases, 127 - 15, in a float32's exponent field. */
const REBIAS = 112 << 23;

/** Encodes the float32 whose bits are `bits`. */
function encodeBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude < SMALLEST_NORMAL) {
    // The ulp of 0.5 is 2^-24, the step of the subnormals: the addition rounds.
    scratchBits[0] = magnitude;
    scratch[0] = scratch[0] + 0.5;
    return sign | (scratchBits[0] - 0x3f000000);
  }
  if (magnitude < TOO_LARGE) {
    // Half to even: just under half a step, plus one where the kept part is odd.
    const rounded = magnitude - REBIAS + 0xfff + ((magnitude >>> 13) & 1);
    return sign | (rounded >>> 13); // the carry of a rounded 65520 makes infinity
  }
  return sign | (magnitude > INFINITY_BITS ? 0x7e00 : 0x7c00);
}

/** The bits of the float32 that equals the binary16 `half`. */
function decodeBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const magnitude = (half & 0x7fff) << 13;
  if (magnitude >= 0x0f800000) return sign | magnitude | INFINITY_BITS;
  if (magnitude >= 0x00800000) return sign | (magnitude + REBIAS);
  scratch[0] = (half & 0x3ff) * 2 ** -24;
  return sign | scratchBits[0];
}

/**
 * Encodes a number as binary16: rounded to float32 first, then half to even.
 *
 * Beyond ±65520 it becomes an infinity; subnormals are kept; a NaN becomes the
 * quiet NaN 0x7E00 with its sign.
 *
 * @param x The number.
 * @returns The sixteen bits.
 *
 * @example
 * ```ts
 * import { f32ToF16 } from "./f16.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(f32ToF16(1), 0x3c00);
 * ```
 */
export function f32ToF16(x: number): number {
  scratch[0] = x;
  return encodeBits(scratchBits[0]);
}

/**
 * Decodes a binary16; exact.
 *
 * @param bits The sixteen bits; higher bits are ignored.
 * @returns The number.
 *
 * @example
 * ```ts
 * import { f16ToF32 } from "./f16.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(f16ToF32(0xc000), -2);
 * ```
 */
export function f16ToF32(bits: number): number {
  scratchBits[0] = decodeBits(bits);
  return scratch[0];
}

/**
 * Decodes as many binary16 as `out` has room for elements of `bits`; NaN payloads are kept.
 *
 * @param bits The encoded values.
 * @param out Receives one float32 for each; of the same length.
 */
export function decodeF16(bits: Uint16Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  const length = Math.min(bits.length, words.length);
  for (let i = 0; i < length; i++) {
    const half = bits[i];
    // Two compares in one: normal numbers, neither subnormal nor infinite.
    if (((half + 0x400) & 0x7fff) >= 0x800) {
      words[i] = ((half & 0x8000) << 16) | (((half & 0x7fff) << 13) + REBIAS);
    } else if ((half & 0x7c00) === 0) {
      out[i] = (half & 0x8000 ? -(2 ** -24) : 2 ** -24) * (half & 0x3ff);
    } else words[i] = decodeBits(half);
  }
}

/**
 * Encodes float32 values as binary16, each as {@linkcode f32ToF16} does.
 *
 * @param values The values.
 * @param out Receives their bits; of the same length.
 */
export function encodeF16(values: Float32Array, out: Uint16Array): void {
  const words = new Uint32Array(
    values.buffer,
    values.byteOffset,
    values.length,
  );
  const length = Math.min(words.length, out.length);
  for (let i = 0; i < length; i++) out[i] = encodeBits(words[i]);
}
