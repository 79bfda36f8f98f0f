/**
 * E8M0: a power of two in a byte, value 2^(b − 127), and how ggml picks one.
 *
 * @module
 */

import { clamp } from "./rounding.ts";

const { clz32, floor, max } = Math;

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

const POWERS = /* @__PURE__ */ Float64Array.from(
  { length: 256 },
  (_, byte) => 2 ** (byte - 127),
);

/**
 * Half of the value of an E8M0 byte, 2^(b − 128), for tables whose entries are
 * doubled. 255 is no NaN here, it gives 2^127.
 *
 * @param byte The byte.
 * @returns The float32, exact; subnormal for 0 and 1.
 */
export function decodeE8M0Half(byte: number): number {
  return POWERS[byte] / 2;
}

/** ⌊log2 x⌋ of a positive finite float32, exactly. */
function exponentOf(bits: number): number {
  return bits < 0x800000 ? -118 - clz32(bits) : (bits >>> 23) - 127;
}

/**
 * How many float32 steps of 2^-24 · 2^k below 2^k the float32 logarithm still
 * rounds up to k: the logarithm falls by log2(e) · 2^-24 for each of them, and
 * rounds up while that is within half an ulp of numbers just below k in magnitude
 * (just above for negative k).
 */
function stepsRoundedUp(k: number): number {
  if (k === 0) return 0;
  const ulp = k > 0 ? 2 ** (exponentBelow(k) - 23) : 2 ** (floorLog2(-k) - 23);
  return floor(ulp / 2 / (Math.LOG2E * 2 ** -24));
}

function floorLog2(k: number): number {
  return 31 - clz32(k);
}

/** Exponent of the float32 numbers just below the whole number `k`. */
function exponentBelow(k: number): number {
  return floorLog2(k) - ((k & (k - 1)) === 0 ? 1 : 0);
}

/** Bits of the smallest float32 whose float32 log2 is at least k, for k = −149 … 128. */
const rising: Uint32Array = Uint32Array.from({ length: 278 }, (_, i) => {
  const k = i - 149;
  scratch[0] = 2 ** k;
  const bits = k === 128 ? 0x7f800000 : scratchBits[0];
  // Below a power of two the steps are 2^-24 of it; among subnormals they are wider.
  const width = k > -126 ? 1 : 2 ** max(0, -126 - k + 1);
  return bits - floor(stepsRoundedUp(k) / width);
});

/**
 * ⌊log2f x⌋ as C computes it, with the logarithm rounded to float32 first: a few
 * ulp below a power of two it is one more than the exponent.
 *
 * From integers alone, so that every engine agrees, whatever its `Math.log2`.
 *
 * @param x A positive finite float32.
 * @returns The whole number, −149 … 128.
 */
export function floorLog2f(x: number): number {
  scratch[0] = x;
  const bits = scratchBits[0];
  const exponent = exponentOf(bits);
  return bits >= rising[exponent + 1 + 149] ? exponent + 1 : exponent;
}

/**
 * The E8M0 byte that ggml gives a block: ⌊log2f magnitude⌋ − 2, so that the
 * largest magnitude lands in [4, 8) of E2M1's 6.
 *
 * Below 2^-125 the byte wraps around, as the compiled cast does; such blocks
 * hold only codes 0.
 *
 * @param magnitude The largest magnitude of the block, a finite float32.
 * @returns The byte; 0 for a block of zeros.
 */
export function encodeE8M0(magnitude: number): number {
  return magnitude > 0 ? (floorLog2f(magnitude) + 125) & 255 : 0;
}

/** The value of an E8M0 byte, 2^(b − 127). 255 is no NaN here, it gives 2^128. */
export function decodeE8M0(byte: number): number {
  return POWERS[byte];
}

/**
 * The byte of the smallest power of two that is not less than a number.
 *
 * @param x A positive finite float32.
 * @returns The byte; 0, that is 2^-127, for what is smaller yet.
 */
export function ceilE8M0(x: number): number {
  scratch[0] = x;
  const exponent = exponentOf(scratchBits[0]);
  return max(0, exponent + 127 + (2 ** exponent < scratch[0] ? 1 : 0));
}

/** How a magnitude becomes the power of two below which E2M1's largest exponent, 2, is taken. */
export type ExponentRule = "floor" | "even" | "ceil";

/** What is added to the bits of a float32 before its mantissa is dropped. */
export const CARRY: Readonly<Record<ExponentRule, number>> = {
  floor: 0,
  // From 1.75 on E2M1 would round the largest value up to the next power of two.
  even: 1 << 21,
  ceil: (1 << 23) - 1,
};

/**
 * The E8M0 byte by the exponent of the largest magnitude, less 2.
 *
 * @param magnitude The largest magnitude, a finite float32.
 * @param rule How its mantissa is rounded: not at all, up from 1.75 on, or up.
 * @returns The byte, 0 … 253.
 */
export function exponentE8M0(magnitude: number, rule: ExponentRule): number {
  scratch[0] = magnitude;
  return max(0, ((scratchBits[0] + CARRY[rule]) >>> 23) - 2);
}

/**
 * How many float32 steps above 2^k the float32 logarithm still rounds down to k:
 * it rises by log2(e) · 2^-23 for each of them, and rounds down while that is
 * within half an ulp of numbers just above k.
 */
function stepsRoundedDown(k: number): number {
  if (k === 0) return 0;
  const exponent = k > 0 ? floorLog2(k) : exponentBelow(-k);
  const step = k > -127 ? 2 ** -23 : 2 ** (-149 - k);
  return floor(2 ** (exponent - 24) / (Math.LOG2E * step));
}

/** The same for k = −149 … 128. */
const falling: Float64Array = Float64Array.from(
  { length: 278 },
  (_, i) => stepsRoundedDown(i - 149),
);

/**
 * ⌈log2f x⌉ as C computes it, with the logarithm rounded to float32 first: a few
 * ulp above a power of two it is the exponent of that.
 *
 * From integers alone, so that every engine agrees, whatever its `Math.log2`.
 *
 * @param x A positive finite float32.
 * @returns The whole number, −149 … 128.
 */
export function ceilLog2f(x: number): number {
  scratch[0] = x;
  const bits = scratchBits[0], exponent = exponentOf(bits);
  scratch[0] = 2 ** exponent;
  return bits - scratchBits[0] <= falling[exponent + 149]
    ? exponent
    : exponent + 1;
}

/**
 * The E8M0 byte of the smallest power of two that is not less than a scale, by its
 * float32 logarithm.
 *
 * @param scale A finite float32 that is not negative.
 * @returns The byte, 0 … 254; 0 for 0 and for what is below 2^-127.
 */
export function ceilLogE8M0(scale: number): number {
  return scale === 0 ? 0 : clamp(ceilLog2f(scale), -127, 127) + 127;
}
