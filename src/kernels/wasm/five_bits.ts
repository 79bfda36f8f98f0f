// 32 codes of five bits in 20 bytes: a bit of each, the highest, then nibbles; and
// back to the values of q5_0 and q5_1. See src/ggml/five_bits.ts.

import { lowNibbles, settleNaNs } from "./common";
import { anyOdd, loadHalf, oddness } from "./float16";
import { storeSigned } from "./q8_0";

const Q5_0: usize = 22;
const Q5_1: usize = 24;

// Bytes of codes 0 ... 15 and 16 ... 31.
@inline export function storeFive(dst: usize, low: v128, high: v128): void {
  const nibbles = lowNibbles();
  v128.store(dst, v128.or(v128.and(low, nibbles), i16x8.shl(v128.and(high, nibbles), 4)), 4);
  store<u32>(dst, i8x16.bitmask(i16x8.shl(low, 3)) | (i8x16.bitmask(i16x8.shl(high, 3)) << 16));
}

// Codes in words, four to a vector, to bytes.
@inline export function bytesOf(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

// A bit of a mask for each byte, as 16 or 0.
@inline function spread(bits: v128, each: v128, sixteen: v128): v128 {
  return v128.and(i8x16.eq(v128.and(bits, each), each), sixteen);
}

@inline function eachBit(): v128 {
  return i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
}

@inline function lowCodes(src: usize, each: v128, sixteen: v128): v128 {
  const m = v128.load32_splat(src), bits = v128.shuffle<i8>(m, m, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return v128.or(v128.and(v128.load(src, 4), lowNibbles()), spread(bits, each, sixteen));
}

@inline function highCodes(src: usize, each: v128, sixteen: v128): v128 {
  const m = v128.load32_splat(src), bits = v128.shuffle<i8>(m, m, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  return v128.or(v128.and(i16x8.shr_u(v128.load(src, 4), 4), lowNibbles()), spread(bits, each, sixteen));
}

export function q5_0_dequantize(n: i32, src: usize, out: usize): i32 {
  const each = eachBit(), sixteen = i8x16.splat(16);
  let odd: u32 = 0;
  for (const end = out + (<usize>n << 2); out < end; out += 128) {
    const d = loadHalf(src);
    odd |= oddness(src);
    storeSigned(out, i8x16.sub(lowCodes(src + 2, each, sixteen), sixteen), d);
    storeSigned(out + 64, i8x16.sub(highCodes(src + 2, each, sixteen), sixteen), d);
    src += Q5_0;
  }
  if (anyOdd(odd)) settleNaNs(out - (<usize>n << 2), out);
  return 0;
}

// Sixteen codes, times a scale, plus a minimum.
@inline function storeShifted(out: usize, codes: v128, d: v128, m: v128): void {
  const a = i16x8.extend_low_i8x16_u(codes), b = i16x8.extend_high_i8x16_u(codes);
  v128.store(out, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(a)), d), m));
  v128.store(out, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(a)), d), m), 16);
  v128.store(out, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(b)), d), m), 32);
  v128.store(out, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(b)), d), m), 48);
}

export function q5_1_dequantize(n: i32, src: usize, out: usize): i32 {
  const each = eachBit(), sixteen = i8x16.splat(16);
  let odd: u32 = 0;
  for (const end = out + (<usize>n << 2); out < end; out += 128) {
    const d = loadHalf(src), m = loadHalf(src + 2);
    odd |= oddness(src) | oddness(src + 2);
    storeShifted(out, lowCodes(src + 4, each, sixteen), d, m);
    storeShifted(out + 64, highCodes(src + 4, each, sixteen), d, m);
    src += Q5_1;
  }
  if (anyOdd(odd)) settleNaNs(out - (<usize>n << 2), out);
  return 0;
}
