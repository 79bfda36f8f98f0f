// Scales of groups in E4M3, by the largest magnitudes of the groups, and what values
// are divided by or multiplied with.

import { pin, workspace, zero } from "./common";
import { F16_CONSTANTS, computed } from "./tile_round";

// Ways to a factor, as src/schemes/e4m3_fit.ts numbers them.
const PRODUCT: i32 = 0;
const QUOTIENT: i32 = 1;
const INVERSE: i32 = 2;

// Half to even, magnitudes beyond 448 saturate: a sum with 1.5 * 2^20 times the power
// of two below x has no room for more than three bits of fraction, nor for less than 2^-9.
@inline function toE4M3(x: v128, exponent: v128, least: v128, up: v128, largest: v128): v128 {
  const m = f32x4.pmin(x, largest);
  const magic = i32x4.add(i32x4.max_s(v128.and(m, exponent), least), up);
  return f32x4.sub(f32x4.add(m, magic), magic);
}

// Four groups at a time: arrays have room for a whole number of vectors. 1 where a
// scale is a NaN, or a factor none that a kernel can use, or a quotient too large.
export function tile_fit_e4m3(
  n: i32, magnitudes: usize, scales: usize, factors: usize,
  divisor: f32, dtype: i32, second: f32, divides: i32, least: f32, ofZero: f32, orElse: f32,
  way: i32, by: f32, ofNothing: f32, most: f32,
): i32 {
  const z = zero(), a = pin(divisor), b = pin(second), low = pin(least), empty = pin(ofZero), other = pin(orElse);
  const c = pin(by), limit = pin(most), exponent = v128.load(F16_CONSTANTS), largest = pin(448);
  const normal = pin(0.015625), up = pin(reinterpret<f32>(0x0a400000)), tiny = pin(reinterpret<f32>(1)), infinity = exponent;
  const nothing = pin(ofNothing), isTaken = f32x4.gt(nothing, z);
  let ordinary = i32x4.splat(-1);
  for (; n > 0; n -= 4) {
    const m = v128.load(magnitudes), exact = f32x4.div(m, a), quotient = dtype ? computed(exact, dtype) : exact;
    const first = way > INVERSE ? f32x4.pmax(c, quotient) : quotient;
    const x = divides ? f32x4.div(first, b) : f32x4.mul(first, b);
    const y = toE4M3(v128.bitselect(empty, f32x4.pmax(x, low), f32x4.eq(x, z)), exponent, normal, up, largest);
    const scale = v128.bitselect(other, y, f32x4.eq(y, z));
    const found = way == PRODUCT ? f32x4.mul(scale, c) : way == QUOTIENT ? f32x4.div(scale, c)
      : way == INVERSE ? f32x4.div(c, scale) : first;
    const isNothing = v128.and(f32x4.eq(scale, z), isTaken), factor = v128.bitselect(nothing, found, isNothing);
    const usable = v128.or(v128.and(f32x4.gt(found, tiny), f32x4.lt(found, infinity)), isNothing);
    ordinary = v128.and(ordinary, v128.and(v128.and(usable, f32x4.eq(x, x)), f32x4.lt(m, f32x4.mul(factor, limit))));
    v128.store(scales, scale);
    v128.store(factors, factor);
    magnitudes += 16;
    scales += 16;
    factors += 16;
  }
  return i32x4.all_true(ordinary) ? 0 : 1;
}

// ---- bytes ----

// Four numbers from 0 to 448 that are E4M3s already, as their bytes in words: in a sum with
// 2^14, whose last bit is 2^-9, subnormal ones are whole.
@inline function bytesOf(x: v128): v128 {
  const normal = i32x4.sub(i32x4.shr_u(x, 20), i32x4.splat(120 << 3)), magic = f32x4.splat(16384);
  const subnormal = i32x4.sub(f32x4.add(x, magic), magic);
  return v128.bitselect(subnormal, normal, f32x4.lt(x, f32x4.splat(0.015625)));
}

// What such bytes stand for.
@inline function valuesOf(bytes: v128): v128 {
  const normal = i32x4.shl(i32x4.add(bytes, i32x4.splat(120 << 3)), 20);
  const subnormal = f32x4.mul(f32x4.convert_i32x4_s(bytes), f32x4.splat(1.0 / 512));
  return v128.bitselect(subnormal, normal, i32x4.lt_s(bytes, i32x4.splat(8)));
}

// The bytes of numbers; false where one is no E4M3, or has a sign.
export function storeE4M3(n: i32, src: usize, dst: usize): bool {
  const most = i32x4.splat(0x7e);
  let known = i32x4.splat(-1);
  for (; n > 0; n -= 4) {
    const x = n >= 4 ? v128.load(src) : v128.load32_splat(src), bytes = bytesOf(x);
    known = v128.and(known, v128.and(i32x4.eq(valuesOf(bytes), x), i32x4.le_u(bytes, most)));
    const halves = i16x8.narrow_i32x4_s(bytes, bytes);
    v128.store32_lane(dst, i8x16.narrow_i16x8_u(halves, halves), 0);
    const step: i32 = n >= 4 ? 4 : 1;
    n += 4 - step;
    src += <usize>step << 2;
    dst += <usize>step;
  }
  return i32x4.all_true(known);
}

// Those of numbers that are known to be E4M3s, four at a time.
export function storeKnownE4M3(n: i32, src: usize, dst: usize): void {
  for (; n >= 4; n -= 4) {
    const bytes = bytesOf(v128.load(src)), halves = i16x8.narrow_i32x4_s(bytes, bytes);
    v128.store32_lane(dst, i8x16.narrow_i16x8_u(halves, halves), 0);
    src += 16;
    dst += 4;
  }
  storeE4M3(n, src, dst);
}

// Those of as many as the workspace holds, in the workspace; 1 where one is none.
export function tile_store_e4m3(n: i32, src: usize): i32 {
  return storeE4M3(n, src, workspace()) ? 0 : 1;
}
