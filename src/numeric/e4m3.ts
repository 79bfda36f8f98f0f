/**
 * E4M3 without infinities (`F8_E4M3`): 1 sign bit, 4 exponent bits (bias 7), 3
 * mantissa bits. Largest 448 (0x7E), smallest subnormal 2^-9; 0x7F and 0xFF are NaN.
 *
 * @module
 */
import { roundHalfToEven } from "./rounding.ts";

/** The largest value. */
export const LARGEST_E4M3 = 448;

/** Decodes a byte; exact. */
export function decodeE4M3(byte: number): number {
  const sign = byte & 0x80 ? -1 : 1;
  const exponent = byte >> 3 & 15, mantissa = byte & 7;
  if (exponent === 15 && mantissa === 7) return NaN;
  return exponent === 0
    ? sign * mantissa * 2 ** -9
    : sign * (8 + mantissa) * 2 ** (exponent - 10);
}

/** Encodes a float32, half to even; magnitudes beyond 448 saturate, a NaN becomes 0x7F. */
export function encodeE4M3(x: number): number {
  if (Number.isNaN(x)) return 0x7f;
  const sign = x < 0 || Object.is(x, -0) ? 0x80 : 0, magnitude = Math.abs(x);
  if (magnitude >= LARGEST_E4M3) return sign | 0x7e;
  // Below 2^-6 steps are 2^-9; from there on eight steps to a power of two.
  const exponent = Math.max(-6, Math.floor(Math.log2(magnitude)));
  const steps = roundHalfToEven(magnitude * 2 ** (3 - exponent));
  // A carry to the next power of two lands where it belongs: fields are adjacent.
  return sign | (exponent + 6 << 3) + steps;
}
