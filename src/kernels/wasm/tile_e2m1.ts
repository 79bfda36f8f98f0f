// Codes of E2M1, for groups of whole vectors of sixteen values.

import { magnitudeBits, pin, zero } from "./common";
import { BF16, F16, toBF16, toF16 } from "./tile_round";

// Rules, as src/schemes/tile_codes.ts numbers them.
const SIGNED: i32 = 1;
export const LOW: i32 = 2;

// The ties between magnitudes, 0.25 0.75 1.25 1.75 2.5 3.5 5, have two bits of fraction
// at most: all that lies from one float of two bits to the next has the same code, but
// for the first one itself. The codes of what lies beyond these floats, from 0.25 on.
const CODES: usize = memory.data<u8>([
  0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5,
  6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
], 16);

// The number of the float of two bits that lies below a magnitude, or is it, where the
// larger neighbour of a tie has the even code.
@inline function numberOf(q: v128, k: v128, one: v128, low: bool): v128 {
  const a = v128.and(q, k), below = i32x4.sub(a, one);
  return i32x4.shr_s(low ? below : i32x4.add(below, v128.and(i32x4.shr_u(a, 22), one)), 21);
}

@inline function quotient(src: usize, f: v128, times: v128, noSign: v128, low: bool, product: bool, dtype: i32): v128 {
  const x = v128.load(src), y = product ? f32x4.mul(x, f) : f32x4.div(x, f);
  const q = dtype == F16 ? toF16(y) : dtype == BF16 ? toBF16(y) : y;
  return low ? f32x4.mul(q, times) : f32x4.add(q, noSign);
}

// Words below 0 where there is a sign; all others are 0 or at least 256.
@inline function signOf(q: v128, bound: v128, low: bool): v128 {
  return low ? f32x4.lt(q, bound) : q;
}

@inline function encodeGroups(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, factors: usize, rule: i32, times: f32, low: bool, product: bool, dtype: i32,
): void {
  const k = magnitudeBits(), one = pin(reinterpret<f32>(1)), most = pin(reinterpret<f32>(0x1f1f1f1f)), half = pin(reinterpret<f32>(0x10101010));
  const base = pin(reinterpret<f32>(0x01f301f3)), eights = pin(reinterpret<f32>(0x80808080));
  const codesLow = v128.load(CODES), codesHigh = v128.load(CODES, 16);
  // Added to -0 it takes the sign away, or leaves it.
  const noSign = pin(rule == SIGNED ? -0.0 : 0);
  // What is below this has a sign; below the smallest number is what is not above 0.
  const bound = pin(rule == LOW ? reinterpret<f32>(1) : -0.25), t = pin(times);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const f = v128.load32_splat(factors + at);
      for (const end = codes + <usize>min(size, rest); codes < end; codes += 16) {
        const a = quotient(src, f, t, noSign, low, product, dtype), b = quotient(src + 16, f, t, noSign, low, product, dtype);
        const c = quotient(src + 32, f, t, noSign, low, product, dtype), d = quotient(src + 48, f, t, noSign, low, product, dtype);
        const numbers = i8x16.min_u(i8x16.narrow_i16x8_u(
          i16x8.sub(i16x8.narrow_i32x4_s(numberOf(a, k, one, low), numberOf(b, k, one, low)), base),
          i16x8.sub(i16x8.narrow_i32x4_s(numberOf(c, k, one, low), numberOf(d, k, one, low)), base),
        ), most);
        const magnitudes = v128.or(i8x16.swizzle(codesLow, numbers), i8x16.swizzle(codesHigh, i8x16.sub(numbers, half)));
        const signs = i8x16.narrow_i16x8_s(
          i16x8.narrow_i32x4_s(signOf(a, bound, low), signOf(b, bound, low)),
          i16x8.narrow_i32x4_s(signOf(c, bound, low), signOf(d, bound, low)),
        );
        v128.store(codes, v128.or(magnitudes, i16x8.shr_u(v128.and(signs, eights), 4)));
        src += 64;
      }
      at += 4;
    }
    factors += <usize>stride;
  }
}

// A function for each, so that what is loaded once stays in registers.
@noinline export function evenQuotients(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, factors: usize, rule: i32,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, factors, rule, 1, false, false, 0);
}
@noinline export function evenProducts(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, factors: usize, rule: i32,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, factors, rule, 1, false, true, 0);
}
@noinline function evenProductsInF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, factors: usize, rule: i32,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, factors, rule, 1, false, true, F16);
}
@noinline function evenProductsInBF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, factors: usize, rule: i32,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, factors, rule, 1, false, true, BF16);
}
@noinline export function lowQuotients(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, factors: usize, rule: i32, times: f32,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, factors, rule, times, true, false, 0);
}

// Whether there is a kernel: ties to the smaller magnitude are known of quotients in
// float32, and what they are multiplied by then; roundings of products.
export function isKnown(rule: i32, product: i32, dtype: i32, times: f32): bool {
  return rule >= LOW ? !product && !dtype : times == 1 && (!dtype || product != 0);
}

// Factors are finite and positive, and values finite: no quotient is a NaN.
export function encodeE2M1(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, factors: usize, rule: i32, product: i32, dtype: i32, times: f32,
): void {
  if (rule >= LOW) lowQuotients(rows, columns, first, group, stride, src, codes, factors, rule, times);
  else if (!product) evenQuotients(rows, columns, first, group, stride, src, codes, factors, rule);
  else if (dtype == F16) evenProductsInF16(rows, columns, first, group, stride, src, codes, factors, rule);
  else if (dtype == BF16) evenProductsInBF16(rows, columns, first, group, stride, src, codes, factors, rule);
  else evenProducts(rows, columns, first, group, stride, src, codes, factors, rule);
}
