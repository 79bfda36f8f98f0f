// Whole tensors of float32 to the types of sixteen bits, as files hold them.

import { magnitudeBits, maxLaneI32, zero } from "./common";

const INFINITY_BITS: i32 = 0x7f800000;

const CONSTANTS: usize = memory.data<u32>([
  0x3f000000, 0x3f000000, 0x3f000000, 0x3f000000, //   0 0.5, whose ulp of 2^-24 is the step of the subnormals of binary16
  1, 1, 1, 1, //                                      16 the last bit of a word
  0xc8000fff, 0xc8000fff, 0xc8000fff, 0xc8000fff, //  32 just under half a step of binary16, less the difference of the exponent biases
  0x00007c00, 0x00007c00, 0x00007c00, 0x00007c00, //  48 infinity as binary16
  0x38800000, 0x38800000, 0x38800000, 0x38800000, //  64 2^-14: below it a binary16 is subnormal
  0x00007fff, 0x00007fff, 0x00007fff, 0x00007fff, //  80 just under half a step of bfloat16
], 16);

// Constants are loaded before a loop and handed on: see common.ts.
@inline function constant(at: usize): v128 { return v128.load(CONSTANTS + at); }

@inline function f16Of(x: v128, m: v128, half: v128, one: v128, bias: v128, infinite: v128, normals: v128): v128 {
  const subnormal = i32x4.sub(f32x4.add(m, half), half);
  // Half to even; the carry of 65520 makes infinity, and nothing goes beyond it.
  const odd = v128.and(i32x4.shr_u(m, 13), one);
  const normal = i32x4.min_s(i32x4.shr_u(i32x4.add(i32x4.add(m, bias), odd), 13), infinite);
  const sign = i32x4.shr_u(v128.xor(x, m), 16);
  return v128.or(sign, v128.bitselect(subnormal, normal, i32x4.lt_s(m, normals)));
}

// state: i32 bits of the largest magnitude so far. Returns 1 where a value is NaN.
export function f16_encode(n: i32, src: usize, dst: usize, state: usize): i32 {
  const k = magnitudeBits(), half = constant(0), one = constant(16), bias = constant(32);
  const infinite = constant(48), normals = constant(64);
  let largest = zero();
  for (const body = src + (<usize>(n & ~7) << 2); src < body; src += 32) {
    const a = v128.load(src), b = v128.load(src, 16), p = v128.and(a, k), q = v128.and(b, k);
    largest = i32x4.max_s(largest, i32x4.max_s(p, q));
    const low = f16Of(a, p, half, one, bias, infinite, normals);
    v128.store(dst, i16x8.narrow_i32x4_u(low, f16Of(b, q, half, one, bias, infinite, normals)));
    dst += 16;
  }
  for (n &= 7; n > 0; n--) {
    const x = v128.load32_splat(src), m = v128.and(x, k);
    largest = i32x4.max_s(largest, m);
    v128.store16_lane(dst, f16Of(x, m, half, one, bias, infinite, normals), 0);
    src += 4;
    dst += 2;
  }
  return settle(largest, state);
}

@inline function settle(largest: v128, state: usize): i32 {
  const bits = max(maxLaneI32(largest), load<i32>(state));
  store<i32>(state, bits);
  return bits > INFINITY_BITS ? 1 : 0;
}

@inline function bf16Of(x: v128, one: v128, under: v128): v128 {
  const odd = v128.and(i32x4.shr_u(x, 16), one);
  return i32x4.shr_u(i32x4.add(i32x4.add(x, under), odd), 16);
}

// As f16_encode().
export function bf16_encode(n: i32, src: usize, dst: usize, state: usize): i32 {
  const k = magnitudeBits(), one = constant(16), under = constant(80);
  let largest = zero();
  for (const body = src + (<usize>(n & ~7) << 2); src < body; src += 32) {
    const a = v128.load(src), b = v128.load(src, 16);
    largest = i32x4.max_s(largest, i32x4.max_s(v128.and(a, k), v128.and(b, k)));
    v128.store(dst, i16x8.narrow_i32x4_u(bf16Of(a, one, under), bf16Of(b, one, under)));
    dst += 16;
  }
  for (n &= 7; n > 0; n--) {
    const x = v128.load32_splat(src);
    largest = i32x4.max_s(largest, v128.and(x, k));
    v128.store16_lane(dst, bf16Of(x, one, under), 0);
    src += 4;
    dst += 2;
  }
  return settle(largest, state);
}
