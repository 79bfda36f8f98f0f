/**
 * E4M3 without infinities (`F8_E4M3`): 1 sign bit, 4 exponent bits (bias 7), 3
 * mantissa bits. Largest 448 (0x7E), smallest subnormal 2^-9; 0x7F and 0xFF are NaN.
 *
 * @module
 */
import { roundHalfToEven } from "./rounding.ts";

/** The largest value. */
export const LARGEST_E4M3 = 448;

const scratch = /* @__PURE__ */ new Float32Array(1);
const scratchBits = /* @__PURE__ */ new Int32Array(scratch.buffer);

const VALUES = /* @__PURE__ */ Float32Array.from({ length: 256 }, (_, byte) => {
  const sign = byte & 0x80 ? -1 : 1;
  const exponent = byte >> 3 & 15, mantissa = byte & 7;
  if (exponent === 15 && mantissa === 7) return NaN;
  return exponent === 0
    ? sign * mantissa * 2 ** -9
    : sign * (8 + mantissa) * 2 ** (exponent - 10);
});

/** Decodes a byte; exact. */
export function decodeE4M3(byte: number): number {
  return VALUES[byte];
}

/** 2^-6: below it steps are 2^-9. */
const SMALLEST_NORMAL = 2 ** -6;
/** Difference of the exponent biases, 127 − 7, in front of three bits of mantissa. */
const REBIAS = 120 << 3;

/** Encodes a float32, half to even; magnitudes beyond 448 saturate, a NaN becomes 0x7F. */
export function encodeE4M3(x: number): number {
  if (Number.isNaN(x)) return 0x7f;
  scratch[0] = x;
  const bits = scratchBits[0], sign = bits >>> 24 & 0x80;
  const magnitude = Math.abs(x);
  if (magnitude >= LARGEST_E4M3) return sign | 0x7e;
  // A carry to the next power of two lands where it belongs: fields are adjacent.
  if (magnitude < SMALLEST_NORMAL) {
    return sign | roundHalfToEven(magnitude * 2 ** 9);
  }
  // Half to even: just under half a step, plus one where the kept part is odd.
  const rounded = (bits & 0x7fffffff) + 0x7ffff + (bits >>> 20 & 1);
  return sign | (rounded >>> 20) - REBIAS;
}
