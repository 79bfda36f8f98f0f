// Rounding of values to the types of 16 bits, for the primitives of the generic way.

import { lowHalves, magnitudeBits, pin } from "./common";

// Element types in which values are computed, as src/schemes/tiles.ts numbers them.
export const F16: i32 = 1;
export const BF16: i32 = 2;

export const F16_CONSTANTS: usize = memory.data<u32>([
  0x7f800000, 0x7f800000, 0x7f800000, 0x7f800000, //  0 the exponent
  0x38800000, 0x38800000, 0x38800000, 0x38800000, // 16 2^-14: below it steps are no smaller
  0x47800000, 0x47800000, 0x47800000, 0x47800000, // 32 2^16: from here on everything is infinite
  0x06c00000, 0x06c00000, 0x06c00000, 0x06c00000, // 48 makes 1.5 * 2^13 times a power of two of its bits
  0x477fe000, 0x477fe000, 0x477fe000, 0x477fe000, // 64 65504
  1, 1, 1, 1, //                                     80 the last bit of a word
], 16);

// Half to even: a sum with 1.5 * 2^13 times the power of two below x has no room for more than ten bits of fraction.
@inline export function toF16(x: v128): v128 {
  const exponent = v128.load(F16_CONSTANTS), k = magnitudeBits();
  const power = i32x4.min_s(i32x4.max_s(v128.and(x, exponent), v128.load(F16_CONSTANTS, 16)), v128.load(F16_CONSTANTS, 32));
  const magic = i32x4.add(power, v128.load(F16_CONSTANTS, 48));
  const m = v128.and(x, k), y = f32x4.sub(f32x4.add(m, magic), magic);
  return v128.or(v128.bitselect(exponent, y, f32x4.gt(y, v128.load(F16_CONSTANTS, 64))), v128.andnot(x, k));
}

@inline export function toBF16(x: v128): v128 {
  const odd = v128.and(i32x4.shr_u(x, 16), v128.load(F16_CONSTANTS, 80));
  const rounded = v128.andnot(i32x4.add(i32x4.add(x, i32x4.splat(0x7fff)), odd), lowHalves());
  return v128.bitselect(x, rounded, f32x4.ne(x, x));
}

@inline export function rounded(x: v128, dtype: i32): v128 {
  return dtype == F16 ? toF16(x) : dtype == BF16 ? toBF16(x) : x;
}
@noinline export function computed(x: v128, dtype: i32): v128 { return rounded(x, dtype); }

// Rounding to eleven or eight bits of numbers of any size, as if there were no smallest
// and no largest one of a type.
@inline export function cutTo(x: v128, below: v128, one: v128, keep: v128, bits: i32): v128 {
  return v128.and(i32x4.add(i32x4.add(x, below), v128.and(i32x4.shr_u(x, bits), one)), keep);
}

// Finite numbers below float16's largest: half to even, as above.
@inline export function toSmallF16(x: v128, exponent: v128, least: v128, up: v128, k: v128): v128 {
  const magic = i32x4.add(i32x4.max_s(v128.and(x, exponent), least), up);
  return v128.or(f32x4.sub(f32x4.add(x, magic), magic), v128.andnot(x, k));
}

// Values rounded to a type; a NaN stays one.
export function roundAny(n: i32, src: usize, dst: usize, dtype: i32): void {
  for (const body = src + (<usize>(n & ~3) << 2); src < body; src += 16) {
    v128.store(dst, rounded(v128.load(src), dtype));
    dst += 16;
  }
  for (n &= 3; n > 0; n--) {
    v128.store32_lane(dst, computed(v128.load32_splat(src), dtype), 0);
    src += 4;
    dst += 4;
  }
}

// ---- finite values, with constants in registers ----

// As toF16, of either sign; a product that overflows makes what is too large infinite.
@noinline export function roundToF16(src: usize, end: usize, dst: usize): void {
  const exponent = v128.load(F16_CONSTANTS), least = v128.load(F16_CONSTANTS, 16), most = v128.load(F16_CONSTANTS, 32);
  const up = v128.load(F16_CONSTANTS, 48), signs = pin(-0.0), far = pin(reinterpret<f32>(0x77800000)), near = pin(reinterpret<f32>(0x07800000));
  for (; src < end; src += 16) {
    const x = v128.load(src);
    const magic = i32x4.add(i32x4.min_s(i32x4.max_s(v128.and(x, exponent), least), most), up);
    const y = f32x4.sub(f32x4.add(x, magic), magic);
    v128.store(dst, v128.or(f32x4.mul(f32x4.mul(y, far), near), v128.and(x, signs)));
    dst += 16;
  }
}

@noinline export function roundToBF16(src: usize, end: usize, dst: usize): void {
  const below = pin(reinterpret<f32>(0x7fff)), one = pin(reinterpret<f32>(1)), keep = pin(reinterpret<f32>(0xffff0000));
  for (; src < end; src += 16) {
    const x = v128.load(src);
    v128.store(dst, v128.and(i32x4.add(i32x4.add(x, below), v128.and(i32x4.shr_u(x, 16), one)), keep));
    dst += 16;
  }
}

// Values cut to plus and minus `largest`.
function cut(n: i32, dst: usize, largest: f32): void {
  const high = f32x4.splat(largest), low = f32x4.neg(high);
  for (; n >= 4; n -= 4) {
    v128.store(dst, f32x4.pmin(f32x4.pmax(v128.load(dst), low), high));
    dst += 16;
  }
  for (; n > 0; n--) {
    store<f32>(dst, min(max(load<f32>(dst), -largest), largest));
    dst += 4;
  }
}

// Finite values rounded to a type, and cut to plus and minus `largest`.
export function tile_round(n: i32, src: usize, dst: usize, dtype: i32, largest: f32): i32 {
  const whole = <usize>(n & ~3) << 2;
  if (dtype == F16) roundToF16(src, src + whole, dst);
  else roundToBF16(src, src + whole, dst);
  roundAny(n & 3, src + whole, dst + whole, dtype);
  if (largest < Infinity) cut(n, dst, largest);
  return 0;
}
