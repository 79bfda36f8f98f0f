// Scales of groups in E4M3, by the largest magnitudes of the groups, and what values
// are divided by or multiplied with.

import { pin, zero } from "./common";
import { F16_CONSTANTS, computed } from "./tile_round";

// Ways to a factor, as src/schemes/e4m3_fit.ts numbers them.
const PRODUCT: i32 = 0;
const QUOTIENT: i32 = 1;

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
  way: i32, by: f32, most: f32,
): i32 {
  const z = zero(), a = pin(divisor), b = pin(second), low = pin(least), empty = pin(ofZero), other = pin(orElse);
  const c = pin(by), limit = pin(most), exponent = v128.load(F16_CONSTANTS), largest = pin(448);
  const normal = pin(0.015625), up = pin(reinterpret<f32>(0x0a400000)), tiny = pin(reinterpret<f32>(1)), infinity = exponent;
  let ordinary = i32x4.splat(-1);
  for (; n > 0; n -= 4) {
    const m = v128.load(magnitudes), first = computed(f32x4.div(m, a), dtype);
    const x = divides ? f32x4.div(first, b) : f32x4.mul(first, b);
    const y = toE4M3(v128.bitselect(empty, f32x4.pmax(x, low), f32x4.eq(x, z)), exponent, normal, up, largest);
    const scale = v128.bitselect(other, y, f32x4.eq(y, z));
    const factor = way == PRODUCT ? f32x4.mul(scale, c) : way == QUOTIENT ? f32x4.div(scale, c) : f32x4.div(c, scale);
    const usable = v128.and(f32x4.gt(factor, tiny), f32x4.lt(factor, infinity));
    ordinary = v128.and(ordinary, v128.and(v128.and(usable, f32x4.eq(x, x)), f32x4.lt(f32x4.div(m, factor), limit)));
    v128.store(scales, scale);
    v128.store(factors, factor);
    magnitudes += 16;
    scales += 16;
    factors += 16;
  }
  return i32x4.all_true(ordinary) ? 0 : 1;
}
