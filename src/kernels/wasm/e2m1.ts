// ggml's mxfp4 and nvfp4: codes are E2M1, with twice the values 0 1 2 3 4 6 8 12.
//   mxfp4: blocks of 32 that share a power of two (E8M0)
//   nvfp4: blocks of 64, in which every 16 share a small unsigned float (UE4M3)
// A tie between two codes goes to the smaller magnitude, so that the code of x is
// the number of midpoints 1 3 5 7 10 14 20 that |x| exceeds, in quarters of the scale.

import { lowNibbles, magnitudeBits, maxOfEachI32, roundMagic, zero } from "./common";
import { storeScaled } from "./lookup";

// Bytes of a block.
const MXFP4: usize = 17;
const NVFP4: usize = 36;

// Twice the values of the codes as bfloat16, all upper bytes, then all lower bytes; code 8 is +0.
const DOUBLED: usize = memory.data<u8>([
  0x00, 0x3f, 0x40, 0x40, 0x40, 0x40, 0x41, 0x41, 0x00, 0xbf, 0xc0, 0xc0, 0xc0, 0xc0, 0xc1, 0xc1,
  0x00, 0x80, 0x00, 0x40, 0x80, 0xc0, 0x00, 0x40, 0x00, 0x80, 0x00, 0x40, 0x80, 0xc0, 0x00, 0x40,
], 16);

const CONSTANTS: usize = memory.data<u8>([
  // Codes by the whole number of quarters reached, 0 ... 15; from 20 on it is one more.
  0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6, 6,
  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
  19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19, 19,
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
], 16);

// A chunk is measured, then quantized, while its floats are in the first cache: 16 KiB.
const CHUNK: i32 = 4096;
const FACTORS: usize = memory.data(1024, 16);
const INVERSES: usize = memory.data(1024, 16);

const EXPONENT: i32 = 0x7f800000;

// ---- rounding to E2M1 ----

// How many whole quarters of the scale x comes to, towards zero. `factor` is the
// float just below a power of two: the product is the float just below x times
// that power (0 for 0), and a value on a midpoint falls short of it. Where the
// scale is a power of two times a whole number, `inverse` divides by the latter:
// it is too large by less than what could reach the next whole number.
@inline function quarters(src: usize, factor: v128, inverse: v128, divided: bool): v128 {
  const x = f32x4.trunc(f32x4.mul(v128.load(src), factor));
  return divided ? f32x4.trunc(f32x4.mul(x, inverse)) : x;
}

@inline function words(a: v128, b: v128, magic: v128): v128 {
  return i16x8.narrow_i32x4_s(i32x4.sub(f32x4.add(a, magic), magic), i32x4.sub(f32x4.add(b, magic), magic));
}

// Codes without sign; magnitudes may be saturated.
@inline function codesOf(q: v128, table: v128, c15: v128, c19: v128, c1: v128): v128 {
  const m = i8x16.abs(q);
  return i8x16.add(i8x16.swizzle(table, i8x16.min_u(m, c15)), i8x16.min_u(i8x16.sub_sat_u(m, c19), c1));
}

// Two times 16 quarters to 16 bytes, `low` in the low nibbles. A negative number of
// quarters is at least one, so that no code is a negative zero.
@inline function packed(low: v128, high: v128, table: v128, c15: v128, c19: v128, c1: v128, signs: v128): v128 {
  const a = codesOf(low, table, c15, c19, c1), b = codesOf(high, table, c15, c19, c1);
  const codes = v128.or(a, i16x8.shl(b, 4));
  return v128.or(codes, v128.or(i16x8.shr_u(v128.and(low, signs), 4), v128.and(high, signs)));
}

// ---- mxfp4 ----

@inline function largest4(src: usize, k: v128): v128 {
  return i32x4.max_s(
    i32x4.max_s(v128.and(k, v128.load(src)), v128.and(k, v128.load(src, 16))),
    i32x4.max_s(v128.and(k, v128.load(src, 32)), v128.and(k, v128.load(src, 48))),
  );
}

@inline function largest8(src: usize, k: v128): v128 {
  return i32x4.max_s(largest4(src, k), largest4(src + 64, k));
}

// From this mantissa on the float32 logarithm may round up to a whole number.
const NEARLY_DOUBLE: i32 = 0x7fffc0;

// ggml takes the whole part of the logarithm after it is rounded to float32. The
// bits of a magnitude, or those of the power of two above where it rounds up to it:
// the logarithm falls by log2(e) * 2^-24 with every step below 2^k and rounds up
// while that is within half an ulp of the numbers next to k.
@noinline function roundLogarithm(bits: i32): i32 {
  const above = (bits | 0x7fffff) + 1, k = (above >> 23) - 127;
  const size = k > 0 ? k - 1 : -k; // the numbers next to k towards zero, or away from it
  const steps = size == 0 ? 0 : <i32>(Math.LN2 * <f64>(1 << (31 - clz(size))));
  return bits >= above - steps ? above : bits;
}

@inline function roundLogarithms(m: v128): v128 {
  return i32x4(
    roundLogarithm(i32x4.extract_lane(m, 0)), roundLogarithm(i32x4.extract_lane(m, 1)),
    roundLogarithm(i32x4.extract_lane(m, 2)), roundLogarithm(i32x4.extract_lane(m, 3)),
  );
}

// Measures up to 128 blocks, writes their scales and keeps their factors; false
// where the scalar reference is needed. The blocks are cut into four quarters,
// whose k-th ones become the lanes of a vector: the quarters of a full chunk are
// pages, and as hardware prefetching stops at the end of a page, reading four at
// once is faster. Quarters may overlap, then some blocks are measured twice.
@inline function measureMxfp4(src: usize, dst: usize, blocks: i32): bool {
  const k = magnitudeBits();
  const quarter = (blocks + 3) >> 2, last = blocks - quarter;
  const second = <usize>min(quarter, last), third = <usize>min(2 * quarter, last), fourth = <usize>last;
  const end = FACTORS + (<usize>quarter << 4);
  for (let at = FACTORS; at < end; at += 16) {
    v128.store(at, maxOfEachI32(
      largest8(src, k), largest8(src + (second << 7), k),
      largest8(src + (third << 7), k), largest8(src + (fourth << 7), k),
    ));
    src += 128;
  }
  const exponents = i32x4.splat(EXPONENT), nearly = i32x4.splat(NEARLY_DOUBLE);
  // 2^4 over the power of two, and one step below.
  const inverted = i32x4.splat((258 << 23) - 1), two = i32x4.splat(2);
  // Halves of the smallest scales are subnormal, six times the largest overflows.
  const least = i32x4.splat(4 << 23);
  let odd = zero();
  for (let at = FACTORS; at < end; at += 16) {
    let m = v128.load(at);
    if (v128.any_true(i32x4.gt_s(v128.andnot(m, exponents), nearly))) m = roundLogarithms(m);
    odd = v128.or(odd, v128.or(
      i32x4.ge_s(m, exponents),
      v128.and(i32x4.lt_s(m, least), i32x4.ne(m, zero())),
    ));
    v128.store(at, i32x4.sub(inverted, v128.and(m, exponents)));
    const bytes = i32x4.max_s(i32x4.sub(i32x4.shr_u(m, 23), two), zero());
    v128.store8_lane(dst, bytes, 0);
    v128.store8_lane(dst + second * MXFP4, bytes, 4);
    v128.store8_lane(dst + third * MXFP4, bytes, 8);
    v128.store8_lane(dst + fourth * MXFP4, bytes, 12);
    dst += MXFP4;
  }
  return !v128.any_true(odd);
}

@inline function runMxfp4(src: usize, dst: usize, factors: usize, blocks: i32): void {
  const table = v128.load(CONSTANTS), c15 = v128.load(CONSTANTS, 16), c19 = v128.load(CONSTANTS, 32);
  const c1 = v128.load(CONSTANTS, 48), signs = v128.load(CONSTANTS, 64), magic = roundMagic();
  for (const end = src + (<usize>blocks << 7); src < end; src += 128) {
    const r = v128.load32_splat(factors);
    const a = words(quarters(src, r, r, false), quarters(src + 16, r, r, false), magic);
    const b = words(quarters(src + 32, r, r, false), quarters(src + 48, r, r, false), magic);
    const c = words(quarters(src + 64, r, r, false), quarters(src + 80, r, r, false), magic);
    const d = words(quarters(src + 96, r, r, false), quarters(src + 112, r, r, false), magic);
    v128.store(dst, packed(i8x16.narrow_i16x8_s(a, b), i8x16.narrow_i16x8_s(c, d), table, c15, c19, c1, signs), 1);
    factors += 16;
    dst += MXFP4;
  }
}

export function mxfp4_quantize(n: i32, src: usize, dst: usize): i32 {
  for (; n > 0; n -= CHUNK) {
    const blocks = min(n, CHUNK) >> 5, quarter = (blocks + 3) >> 2;
    if (!measureMxfp4(src, dst, blocks)) return 1;
    for (let k = 0; k < 4; k++) {
      const first = <usize>min(k * quarter, blocks - quarter);
      runMxfp4(src + (first << 7), dst + first * MXFP4, FACTORS + (<usize>k << 2), quarter);
    }
    src += <usize>blocks << 7;
    dst += <usize>blocks * MXFP4;
  }
  return 0;
}

export function mxfp4_dequantize(n: i32, src: usize, out: usize): i32 {
  const u = v128.load(DOUBLED), l = v128.load(DOUBLED, 16), mask = lowNibbles(), z = zero();
  for (const end = out + (<usize>n << 2); out < end; out += 128) {
    // Half of the scale, as the table is doubled: 2^(e - 128), subnormal for 0 and 1.
    const e = <i32>load<u8>(src), codes = v128.load(src, 1);
    const d = f32x4.splat(reinterpret<f32>(e < 2 ? 0x200000 << e : (e - 1) << 23));
    storeScaled(out, v128.and(codes, mask), u, l, d, z);
    storeScaled(out + 64, v128.and(i16x8.shr_u(codes, 4), mask), u, l, d, z);
    src += MXFP4;
  }
  return 0;
}

// ---- nvfp4 ----

// Bits of 2^20: beyond it the differences that ggml compares are no longer exact.
const TOO_LARGE: i32 = 147 << 23;

@inline function measureNvfp4(src: usize, to: usize, k: v128): void {
  v128.store(to, maxOfEachI32(
    largest4(src, k), largest4(src + 64, k), largest4(src + 128, k), largest4(src + 192, k),
  ));
}

// Four magnitudes over six as UE4M3, half up; 448 from 256 on.
@inline function ue4m3Of(magnitudes: v128): v128 {
  const x = f32x4.div(magnitudes, f32x4.splat(6));
  // Exponent and mantissa are adjacent: the carry of the rounding goes where it belongs.
  let normal = i32x4.sub(i32x4.shr_u(i32x4.add(x, i32x4.splat(0x80000)), 20), i32x4.splat(120 << 3));
  normal = v128.bitselect(i32x4.splat(0x7e), normal, i32x4.gt_s(normal, i32x4.splat((15 << 3) - 1)));
  const steps = f32x4.floor(f32x4.add(f32x4.mul(x, f32x4.splat(512)), f32x4.splat(0.5)));
  const magic = f32x4.splat(8388608);
  const subnormal = i32x4.sub(f32x4.add(f32x4.pmin(steps, f32x4.splat(7)), magic), magic);
  return v128.bitselect(subnormal, normal, i32x4.lt_s(x, i32x4.splat(121 << 23)));
}

// Writes the scales of one block and keeps what multiplies and divides its groups:
// a quarter of a scale is (8 + mantissa) * 2^(exponent - 12), or mantissa * 2^-11.
@inline function scaleNvfp4(at: usize, dst: usize): void {
  const u = ue4m3Of(v128.load(at)), one = i32x4.splat(1);
  const words = i16x8.narrow_i32x4_s(u, u);
  v128.store32_lane(dst, i8x16.narrow_i16x8_u(words, words), 0);
  const exponent = i32x4.shr_u(u, 3), implied = v128.and(i32x4.gt_s(exponent, zero()), i32x4.splat(8));
  const whole = f32x4.convert_i32x4_s(v128.or(v128.and(u, i32x4.splat(7)), implied));
  const factor = i32x4.shl(i32x4.sub(i32x4.splat(139), i32x4.max_s(exponent, one)), 23);
  v128.store(at, i32x4.sub(factor, one));
  // A scale of 0 leaves codes of 0.
  const inverse = f32x4.div(f32x4.splat(1 + 1.0 / 1048576), whole);
  v128.store(at + (INVERSES - FACTORS), v128.and(inverse, f32x4.ne(whole, zero())));
}

@inline function runNvfp4(src: usize, dst: usize, blocks: i32): void {
  const table = v128.load(CONSTANTS), c15 = v128.load(CONSTANTS, 16), c19 = v128.load(CONSTANTS, 32);
  const c1 = v128.load(CONSTANTS, 48), signs = v128.load(CONSTANTS, 64), magic = roundMagic();
  let factors = FACTORS;
  for (const end = src + (<usize>blocks << 8); src < end; dst += NVFP4 - 32) {
    // Two groups of 16 at a time, as their codes fill a vector.
    for (const blockEnd = src + 256; src < blockEnd; src += 128) {
      const r = v128.load32_splat(factors), i = v128.load32_splat(factors + (INVERSES - FACTORS));
      const s = v128.load32_splat(factors, 4), j = v128.load32_splat(factors + (INVERSES - FACTORS), 4);
      const a = words(quarters(src, r, i, true), quarters(src + 16, r, i, true), magic);
      const b = words(quarters(src + 32, r, i, true), quarters(src + 48, r, i, true), magic);
      const c = words(quarters(src + 64, s, j, true), quarters(src + 80, s, j, true), magic);
      const d = words(quarters(src + 96, s, j, true), quarters(src + 112, s, j, true), magic);
      v128.store(dst, packed(i8x16.narrow_i16x8_s(a, c), i8x16.narrow_i16x8_s(b, d), table, c15, c19, c1, signs), 4);
      factors += 8;
      dst += 16;
    }
  }
}

export function nvfp4_quantize(n: i32, src: usize, dst: usize): i32 {
  let top = zero();
  for (; n > 0; n -= CHUNK) {
    const blocks = min(n, CHUNK) >> 6, end = FACTORS + (<usize>blocks << 4), k = magnitudeBits();
    let from = src, to = dst;
    for (let at = FACTORS; at < end; at += 16) {
      measureNvfp4(from, at, k);
      from += 256;
    }
    for (let at = FACTORS; at < end; at += 16) {
      top = i32x4.max_s(top, v128.load(at));
      scaleNvfp4(at, to);
      to += NVFP4;
    }
    runNvfp4(src, dst, blocks);
    src = from;
    dst = to;
  }
  return v128.any_true(i32x4.ge_s(top, i32x4.splat(TOO_LARGE))) ? 1 : 0;
}

// Half of a scale's value, as the table is doubled: (8 + mantissa) * 2^(exponent - 11),
// or mantissa * 2^-10, which is what is above 1 in the same mantissa, times 2^-7.
@inline function halvesOfScales(src: usize): v128 {
  const u = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(src)));
  const bits = i32x4.shl(v128.and(u, i32x4.splat(0x7f)), 20);
  const normal = i32x4.add(bits, i32x4.splat(119 << 23));
  const subnormal = f32x4.sub(i32x4.add(bits, i32x4.splat(120 << 23)), f32x4.splat(0.0078125));
  const value = v128.bitselect(subnormal, normal, i32x4.lt_s(bits, i32x4.splat(1 << 23)));
  return v128.andnot(value, i32x4.eq(u, i32x4.splat(0x7f)));
}

export function nvfp4_dequantize(n: i32, src: usize, out: usize): i32 {
  const u = v128.load(DOUBLED), l = v128.load(DOUBLED, 16), mask = lowNibbles(), z = zero();
  for (const end = out + (<usize>n << 2); out < end; out += 256) {
    const scales = halvesOfScales(src), first = v128.load(src, 4), second = v128.load(src, 20);
    const a = v128.and(first, mask), b = v128.and(i16x8.shr_u(first, 4), mask);
    storeScaled(out, v128.shuffle<i64>(a, b, 0, 2), u, l, v128.shuffle<i32>(scales, scales, 0, 0, 0, 0), z);
    storeScaled(out + 64, v128.shuffle<i64>(a, b, 1, 3), u, l, v128.shuffle<i32>(scales, scales, 1, 1, 1, 1), z);
    const c = v128.and(second, mask), d = v128.and(i16x8.shr_u(second, 4), mask);
    storeScaled(out + 128, v128.shuffle<i64>(c, d, 0, 2), u, l, v128.shuffle<i32>(scales, scales, 2, 2, 2, 2), z);
    storeScaled(out + 192, v128.shuffle<i64>(c, d, 1, 3), u, l, v128.shuffle<i32>(scales, scales, 3, 3, 3, 3), z);
    src += NVFP4;
  }
  return 0;
}
