// Binary16, the type of ggml's block scales.

import { magnitudeBits } from "./common";

const INFINITY_BITS: u32 = 0x7c00;
// Difference of the exponent biases, 127 - 15, in a float32's exponent field.
const REBIAS: i32 = 112 << 23;
// 2^-14: below it a binary16 is subnormal.
const SMALLEST_NORMAL: i32 = 0x38800000;

// Four float32 to the bits of four binary16, one in each word: half to even,
// overflow to infinity, subnormals kept. Meant for finite values.
@inline export function halvesOf(x: v128): v128 {
  const m = v128.and(x, magnitudeBits());
  // The ulp of 0.5 is 2^-24, the step of the subnormals: the addition rounds.
  const half = f32x4.splat(0.5);
  const subnormal = i32x4.sub(f32x4.add(m, half), half);
  // Half to even: just under half a step, plus one where the kept part is odd.
  // The carry of 65520 makes infinity, and nothing goes beyond it.
  const odd = v128.and(i32x4.shr_u(m, 13), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(m, i32x4.splat(0xfff - REBIAS)), odd), 13);
  const normal = i32x4.min_s(rounded, i32x4.splat(INFINITY_BITS));
  const sign = v128.and(i32x4.shr_u(x, 16), i32x4.splat(0x8000));
  return v128.or(sign, v128.bitselect(subnormal, normal, i32x4.lt_s(m, i32x4.splat(SMALLEST_NORMAL))));
}

// All bits of a lane where the binary16 in its word is an infinity or NaN: a scale
// that overflows, since halvesOf() is given finite values.
@inline export function overflowed(halves: v128): v128 {
  const exponent = i32x4.splat(INFINITY_BITS);
  return i32x4.eq(v128.and(halves, exponent), exponent);
}

// Whether a binary16 is an infinity or NaN.
@inline export function isOdd(address: usize): bool {
  return anyOdd(oddness(address));
}

// The same for many, joined by OR: cheaper in a loop than a branch for each.
@inline export function oddness(address: usize): u32 {
  return (<u32>load<u16>(address) & 0x7fff) + (0x8000 - INFINITY_BITS);
}
@inline export function anyOdd(joined: u32): bool { return (joined & 0x8000) != 0; }

// A binary16 in four lanes, exactly. Small scales are subnormal often: selected,
// not branched to, and by a difference of normal floats, since processors take
// long over a subnormal operand (1.6x over the product that would rebias both).
@inline export function loadHalf(address: usize): v128 {
  const half = <u32>load<u16>(address), m = half & 0x7fff;
  const subnormal = reinterpret<u32>(reinterpret<f32>(m | 0x3f000000) - <f32>0.5);
  const normal = (m << 13) + REBIAS;
  let magnitude = select(subnormal, normal, m < 0x400);
  if (m >= INFINITY_BITS) magnitude |= 0x7f800000;
  return f32x4.splat(reinterpret<f32>(magnitude | ((half & 0x8000) << 16)));
}
