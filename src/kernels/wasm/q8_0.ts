// q8_0: blocks of 32 in 34 bytes: f16 d, 32 signed codes; value = code * d.

import { magnitudeBits, maxOfEachI32, pin, settleNaNs, zero } from "./common";
import { anyOdd, halvesOf, loadHalf, oddness, overflowed } from "./float16";

const BLOCK_BYTES: usize = 34;
const INFINITY_BITS: i32 = 0x7f800000;

// ---- quantizing ----

// The largest magnitude of each lane of eight vectors, as bits: a NaN is above all.
@inline function magnitude(src: usize, k: v128): v128 {
  const a = i32x4.max_s(v128.and(v128.load(src), k), v128.and(v128.load(src, 16), k));
  const b = i32x4.max_s(v128.and(v128.load(src, 32), k), v128.and(v128.load(src, 48), k));
  const c = i32x4.max_s(v128.and(v128.load(src, 64), k), v128.and(v128.load(src, 80), k));
  const d = i32x4.max_s(v128.and(v128.load(src, 96), k), v128.and(v128.load(src, 112), k));
  return i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d));
}

// Half away from zero: what truncates after adding the float below a half.
@inline function codes(src: usize, r: v128, sign: v128, half: v128): v128 {
  const x = f32x4.mul(v128.load(src), r);
  return i32x4.trunc_sat_f32x4_s(f32x4.add(x, v128.or(half, v128.and(x, sign))));
}

@inline function quantizeBlock(src: usize, dst: usize, r: v128, sign: v128, half: v128): void {
  const a = i16x8.narrow_i32x4_s(codes(src, r, sign, half), codes(src + 16, r, sign, half));
  const b = i16x8.narrow_i32x4_s(codes(src + 32, r, sign, half), codes(src + 48, r, sign, half));
  const c = i16x8.narrow_i32x4_s(codes(src + 64, r, sign, half), codes(src + 80, r, sign, half));
  const d = i16x8.narrow_i32x4_s(codes(src + 96, r, sign, half), codes(src + 112, r, sign, half));
  v128.store(dst, i8x16.narrow_i16x8_s(a, b), 2);
  v128.store(dst, i8x16.narrow_i16x8_s(c, d), 18);
}

// Four blocks at a time, whose scales are computed together; at the end some of
// them are the last one, done more than once.
export function q8_0_quantize(n: i32, src: usize, dst: usize): i32 {
  const k = magnitudeBits(), sign = i32x4.splat(0x80000000), half = pin(reinterpret<f32>(0x3effffff));
  const last = <usize>((n >> 5) - 1), lastSrc = src + (last << 7), lastDst = dst + last * BLOCK_BYTES;
  let seen = zero(), over = zero();
  while (src <= lastSrc) {
    const src2 = min(src + 128, lastSrc), src3 = min(src + 256, lastSrc), src4 = min(src + 384, lastSrc);
    const dst2 = min(dst + BLOCK_BYTES, lastDst), dst3 = min(dst + 2 * BLOCK_BYTES, lastDst);
    const dst4 = min(dst + 3 * BLOCK_BYTES, lastDst);
    const most = maxOfEachI32(magnitude(src, k), magnitude(src2, k), magnitude(src3, k), magnitude(src4, k));
    const d = f32x4.div(most, f32x4.splat(127));
    const r = v128.and(f32x4.div(f32x4.splat(1), d), f32x4.ne(d, zero()));
    seen = i32x4.max_s(seen, i32x4.max_s(most, r)); // neither may be infinite
    const halves = halvesOf(d);
    over = v128.or(over, overflowed(halves));
    v128.store16_lane(dst, halves, 0);
    v128.store16_lane(dst2, halves, 2);
    v128.store16_lane(dst3, halves, 4);
    v128.store16_lane(dst4, halves, 6);
    quantizeBlock(src, dst, v128.shuffle<i32>(r, r, 0, 0, 0, 0), sign, half);
    quantizeBlock(src2, dst2, v128.shuffle<i32>(r, r, 1, 1, 1, 1), sign, half);
    quantizeBlock(src3, dst3, v128.shuffle<i32>(r, r, 2, 2, 2, 2), sign, half);
    quantizeBlock(src4, dst4, v128.shuffle<i32>(r, r, 3, 3, 3, 3), sign, half);
    src += 512;
    dst += 4 * BLOCK_BYTES;
  }
  return v128.any_true(v128.or(over, i32x4.ge_s(seen, i32x4.splat(INFINITY_BITS)))) ? 1 : 0;
}

// ---- dequantizing ----

// Sixteen signed bytes, times a scale.
@inline export function storeSigned(out: usize, bytes: v128, scale: v128): void {
  const a = i16x8.extend_low_i8x16_s(bytes), b = i16x8.extend_high_i8x16_s(bytes);
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(a)), scale));
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(a)), scale), 16);
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(b)), scale), 32);
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(b)), scale), 48);
}

export function q8_0_dequantize(n: i32, src: usize, out: usize): i32 {
  let odd: u32 = 0;
  for (const end = out + (<usize>n << 2); out < end; out += 128) {
    const d = loadHalf(src);
    odd |= oddness(src);
    storeSigned(out, v128.load(src, 2), d);
    storeSigned(out + 64, v128.load(src, 18), d);
    src += BLOCK_BYTES;
  }
  if (anyOdd(odd)) settleNaNs(out - (<usize>n << 2), out);
  return 0;
}
