// Scales of groups in E8M0, by the largest magnitudes of the groups, and what values
// are divided by or multiplied with.

import { pin, zero } from "./common";
import { F16_CONSTANTS, computed } from "./tile_round";

// How far above a power of two, in steps of a float32, a logarithm that is rounded may be that of the power.
const NEAR: i32 = 64;

// Four groups at a time: arrays have room for a whole number of vectors. 1 where a
// number is not ordinary: no normal float, or too near to a power of two to be told from it.
export function tile_fit_e8m0(
  n: i32, magnitudes: usize, exponents: usize, factors: usize,
  divisor: f32, dtype: i32, carry: i32, less: i32, byLogarithm: i32, ofZero: i32, product: i32, factorOfZero: f32,
): i32 {
  const z = zero(), d = pin(divisor), infinity = v128.load(F16_CONSTANTS), least = pin(reinterpret<f32>(0x00800000));
  const carried = i32x4.splat(carry), taken = i32x4.splat(less), empty = i32x4.splat(ofZero), most = i32x4.splat(254);
  const first = pin(factorOfZero), mantissa = i32x4.splat(0x7fffff), near = i32x4.splat(byLogarithm ? NEAR : 0), one = i32x4.splat(1);
  let ordinary = i32x4.splat(-1);
  for (; n > 0; n -= 4) {
    const x = computed(f32x4.div(v128.load(magnitudes), d), dtype), isZero = f32x4.eq(x, z);
    const normal = v128.and(f32x4.ge(x, least), f32x4.lt(x, infinity));
    const isNear = i32x4.lt_u(i32x4.sub(v128.and(x, mantissa), one), near);
    ordinary = v128.and(ordinary, v128.or(isZero, v128.andnot(normal, isNear)));
    const found = i32x4.max_s(i32x4.sub(i32x4.shr_u(i32x4.add(x, carried), 23), taken), z);
    const exponent = v128.bitselect(empty, found, isZero);
    const power = i32x4.shl(product ? i32x4.sub(most, exponent) : exponent, 23);
    v128.store(exponents, f32x4.convert_i32x4_s(exponent));
    v128.store(factors, v128.bitselect(first, power, i32x4.eq(exponent, z)));
    magnitudes += 16;
    exponents += 16;
    factors += 16;
  }
  return i32x4.all_true(ordinary) ? 0 : 1;
}
