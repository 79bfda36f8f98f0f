// One code per byte to two per byte and back, first in the low nibble; and
// floats to and from one code per byte.

import { bytesHigh, bytesLow, isFinite32, lowNibbles, pin, roundMagic, settleNaNs } from "./common";

// 1 where a value is outside of -8 ... 7.
export function nibbles_pack(n: i32, src: usize, dst: usize): i32 {
  const end = src + <usize>n, body = src + <usize>(n & ~31);
  const mask = lowNibbles(), eight = i8x16.splat(8);
  const even = i16x8.splat(0x000f);
  let seen = i8x16.splat(0);
  while (src < body) {
    const a = v128.load(src), b = v128.load(src, 16);
    seen = v128.or(seen, v128.or(i8x16.add(a, eight), i8x16.add(b, eight)));
    v128.store(dst, i8x16.narrow_i16x8_u(joined(a, even), joined(b, even)));
    src += 32;
    dst += 16;
  }
  let bad = v128.any_true(v128.andnot(seen, mask)) ? 1 : 0;
  while (src < end) {
    const a = <i32>load<i8>(src), b = src + 1 < end ? <i32>load<i8>(src, 1) : 0;
    bad |= <i32>(<u32>(a + 8) > 15) | <i32>(<u32>(b + 8) > 15);
    store<u8>(dst, <u8>((a & 15) | (b << 4)));
    src += 2;
    dst++;
  }
  return bad;
}

@inline function joined(bytes: v128, even: v128): v128 {
  return v128.or(v128.and(bytes, even), v128.and(i16x8.shr_u(bytes, 4), i16x8.shl(even, 4)));
}

export function nibbles_unpack(n: i32, src: usize, dst: usize): i32 {
  const end = dst + <usize>n, body = dst + <usize>(n & ~31);
  while (dst < body) {
    const v = v128.load(src);
    // Arithmetic shifts of bytes carry the sign of each nibble.
    const low = i8x16.shr_s(i8x16.shl(v, 4), 4), high = i8x16.shr_s(v, 4);
    v128.store(dst, bytesLow(low, high));
    v128.store(dst, bytesHigh(low, high), 16);
    src += 16;
    dst += 32;
  }
  while (dst < end) {
    const byte = <i32>load<i8>(src);
    store<i8>(dst, <i8>((byte << 28) >> 28));
    if (dst + 1 < end) store<i8>(dst, <i8>(byte >> 4), 1);
    src++;
    dst += 2;
  }
  return 0;
}

// Symmetric int4, one code per byte.
export function int8_quantize(n: i32, src: usize, dst: usize, scale: f32): i32 {
  const end = dst + <usize>n, body = dst + <usize>(n & ~15);
  const s = pin(scale), magic = roundMagic(), low = f32x4.splat(-8), high = f32x4.splat(7);
  while (dst < body) {
    const a = i16x8.narrow_i32x4_s(code(src, s, low, high, magic), code(src + 16, s, low, high, magic));
    const b = i16x8.narrow_i32x4_s(code(src + 32, s, low, high, magic), code(src + 48, s, low, high, magic));
    v128.store(dst, i8x16.narrow_i16x8_s(a, b));
    src += 64;
    dst += 16;
  }
  while (dst < end) {
    store<i8>(dst, <i8><i32>nearest(min<f32>(max<f32>(load<f32>(src) / scale, -8), 7)));
    src += 4;
    dst++;
  }
  return 0;
}

@inline function code(src: usize, s: v128, low: v128, high: v128, magic: v128): v128 {
  const t = f32x4.pmin(f32x4.pmax(f32x4.div(v128.load(src), s), low), high);
  return i32x4.sub(f32x4.add(t, magic), magic);
}

// (code - zeroPoint) * scale; the zero point is any float, as in the original module.
export function int8_dequantize(n: i32, src: usize, out: usize, scale: f32, zeroPoint: f32): i32 {
  const end = out + ((<usize>n) << 2), body = out + ((<usize>(n & ~7)) << 2);
  const s = pin(scale), z = f32x4.splat(zeroPoint);
  while (out < body) {
    const words = v128.load_ext<i8>(src);
    v128.store(out, f32x4.mul(f32x4.sub(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(words)), z), s));
    v128.store(out, f32x4.mul(f32x4.sub(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(words)), z), s), 16);
    src += 8;
    out += 32;
  }
  while (out < end) {
    store<f32>(out, (<f32>load<i8>(src) - zeroPoint) * scale);
    src++;
    out += 4;
  }
  if (!isFinite32(scale) || !isFinite32(zeroPoint)) settleNaNs(end - ((<usize>n) << 2), end);
  return 0;
}
