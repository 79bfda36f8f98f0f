// ggml's q4_0 and q4_1: blocks of 32 values; byte k of the codes holds value k
// in its low nibble and value k + 16 in its high one.
//   q4_0: f16 d, code = trunc(x / d + 8.5), at most 15; value = (code - 8) * d
//   q4_1: f16 d, f16 m, code = trunc((x - m) / d + 0.5); value = code * d + m
// And their twins of five bits, whose highest bits lie before the others: q5_0 with
// trunc(x / d + 16.5), at most 31, and q5_1.

import { isFive } from "./code_bits";
import { lowNibbles, maxOfEach, minOfEach, settleNaNs, zero } from "./common";
import { storeFive } from "./five_bits";
import { anyOdd, halvesOf, loadHalf, oddness, overflowed } from "./float16";
import { storeScaled, storeScaledAndShifted } from "./lookup";

// Bytes of a block.
const Q4_0: usize = 18;
const Q4_1: usize = 20;
const Q5_0: usize = 22;
const Q5_1: usize = 24;

const CONSTANTS: usize = memory.data<u32>([
  0x41080000, 0x41080000, 0x41080000, 0x41080000, //  0 8.5
  0x41780000, 0x41780000, 0x41780000, 0x41780000, // 16 15.5
  0x3f000000, 0x3f000000, 0x3f000000, 0x3f000000, // 32 0.5
  0x4b000000, 0x4b000000, 0x4b000000, 0x4b000000, // 48 2^23: adding it leaves an integer in the low bits
  0x49000000, 0x49000000, 0x49000000, 0x49000000, // 64 2^19: the same, four bits further up
], 16);

// Values of the codes as bfloat16, all upper bytes, then all lower bytes.
const Q4_0_VALUES: usize = memory.data<u8>([
  0xc1, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0xbf, 0x00, 0x3f, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
  0x00, 0xe0, 0xc0, 0xa0, 0x80, 0x40, 0x00, 0x80, 0x00, 0x80, 0x00, 0x40, 0x80, 0xa0, 0xc0, 0xe0,
], 16);
const Q4_1_VALUES: usize = memory.data<u8>([
  0x00, 0x3f, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41,
  0x00, 0x80, 0x00, 0x40, 0x80, 0xa0, 0xc0, 0xe0, 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70,
], 16);

@inline function magic(): v128 { return v128.load(CONSTANTS, 48); }
@inline function magicAbove(): v128 { return v128.load(CONSTANTS, 64); }

// ---- measuring ----

// A chunk is measured, then quantized, while its floats are in the first cache.
// It is cut into four quarters, whose k-th blocks become the lanes of a vector:
// the quarters of a full chunk are pages, and as hardware prefetching stops at
// the end of a page, reading four at once is faster. Quarters of a chunk that is
// no multiple of four overlap: some blocks are done twice, and need no code of
// their own.
const CHUNK: i32 = 128;

// Lane k of vector i belongs to block i of quarter k.
const FACTORS: usize = memory.data(CHUNK * 4, 16); // 1 / d
const MINIMA: usize = memory.data(CHUNK * 4, 16);
// Largest and smallest of one block of each quarter, in four lanes.
const EXTREMES: usize = memory.data(128, 16);

@inline function measureBlock(src: usize, to: usize): void {
  const a = v128.load(src), b = v128.load(src, 16), c = v128.load(src, 32), d = v128.load(src, 48);
  const e = v128.load(src, 64), f = v128.load(src, 80), g = v128.load(src, 96), h = v128.load(src, 112);
  v128.store(to, f32x4.pmax(
    f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d)),
    f32x4.pmax(f32x4.pmax(e, f), f32x4.pmax(g, h)),
  ));
  v128.store(to, f32x4.pmin(
    f32x4.pmin(f32x4.pmin(a, b), f32x4.pmin(c, d)),
    f32x4.pmin(f32x4.pmin(e, f), f32x4.pmin(g, h)),
  ), 64);
}

@inline function largest(): v128 {
  return maxOfEach(v128.load(EXTREMES), v128.load(EXTREMES, 16), v128.load(EXTREMES, 32), v128.load(EXTREMES, 48));
}

@inline function smallest(): v128 {
  return minOfEach(v128.load(EXTREMES, 64), v128.load(EXTREMES, 80), v128.load(EXTREMES, 96), v128.load(EXTREMES, 112));
}

// The first value of a block whose magnitude is `magnitude`; there is one.
@noinline function firstOf(src: usize, magnitude: f32): f32 {
  while (abs(load<f32>(src)) != magnitude) src += 4;
  return load<f32>(src);
}

// m, with the first value of the same magnitude in its block instead where `mask` is set.
@noinline function firstInstead(m: v128, mask: v128, a: usize, b: usize, c: usize, d: usize): v128 {
  v128.store(EXTREMES, m);
  if (i32x4.extract_lane(mask, 0)) store<f32>(EXTREMES, firstOf(a, abs(load<f32>(EXTREMES))));
  if (i32x4.extract_lane(mask, 1)) store<f32>(EXTREMES, firstOf(b, abs(load<f32>(EXTREMES, 4))), 4);
  if (i32x4.extract_lane(mask, 2)) store<f32>(EXTREMES, firstOf(c, abs(load<f32>(EXTREMES, 8))), 8);
  if (i32x4.extract_lane(mask, 3)) store<f32>(EXTREMES, firstOf(d, abs(load<f32>(EXTREMES, 12))), 12);
  return v128.load(EXTREMES);
}

// q4_0: the value of the largest magnitude in each of four blocks, the first one
// where both signs have it, and 0 without sign in a block of zeros.
@inline function signedLargest(a: usize, b: usize, c: usize, d: usize): v128 {
  const high = largest(), low = smallest(), negated = f32x4.neg(low);
  const tied = v128.and(f32x4.eq(high, negated), f32x4.ne(high, zero()));
  let m = v128.bitselect(high, low, f32x4.gt(high, negated));
  if (v128.any_true(tied)) m = firstInstead(m, tied, a, b, c, d);
  return v128.andnot(m, f32x4.eq(m, zero()));
}

// q4_1: a minimum of 0 has the sign of the first zero.
@inline function firstSmallest(a: usize, b: usize, c: usize, d: usize): v128 {
  const low = smallest(), none = f32x4.eq(low, zero());
  return v128.any_true(none) ? firstInstead(low, none, a, b, c, d) : low;
}

@inline function storeHalves(halves: v128, a: usize, b: usize, c: usize, d: usize): void {
  v128.store16_lane(a, halves, 0);
  v128.store16_lane(b, halves, 2);
  v128.store16_lane(c, halves, 4);
  v128.store16_lane(d, halves, 6);
}

// Lanes in which a scale or a minimum overflows are set in the result.
@inline function measure(src: usize, dst: usize, blocks: i32, bytes: usize, withMinimum: bool): v128 {
  let over = zero();
  const quarter = (blocks + 3) >> 2, last = blocks - quarter;
  const second = <usize>min(quarter, last), third = <usize>min(2 * quarter, last), fourth = <usize>last;
  const end = <usize>quarter << 4;
  for (let at: usize = 0; at < end; at += 16) {
    const b = src + (second << 7), c = src + (third << 7), d = src + (fourth << 7);
    measureBlock(src, EXTREMES);
    measureBlock(b, EXTREMES + 16);
    measureBlock(c, EXTREMES + 32);
    measureBlock(d, EXTREMES + 48);
    if (withMinimum) {
      const high = largest(), low = firstSmallest(src, b, c, d);
      v128.store(FACTORS + at, f32x4.sub(high, low));
      v128.store(MINIMA + at, low);
    } else {
      v128.store(FACTORS + at, signedLargest(src, b, c, d));
    }
    src += 128;
  }
  for (let at: usize = 0; at < end; at += 16) {
    const b = dst + second * bytes, c = dst + third * bytes, d = dst + fourth * bytes;
    const range = v128.load(FACTORS + at);
    const scale = withMinimum ? f32x4.div(range, f32x4.splat(isFive() ? 31 : 15)) : f32x4.mul(range, f32x4.splat(isFive() ? -0.0625 : -0.125));
    // 1 / d, or 0 for 0.
    v128.store(FACTORS + at, v128.and(f32x4.div(f32x4.splat(1), scale), f32x4.ne(scale, zero())));
    const halves = halvesOf(scale);
    storeHalves(halves, dst, b, c, d);
    over = v128.or(over, overflowed(halves));
    if (withMinimum) {
      const minima = halvesOf(v128.load(MINIMA + at));
      storeHalves(minima, dst + 2, b + 2, c + 2, d + 2);
      over = v128.or(over, overflowed(minima));
    }
    dst += bytes;
  }
  return over;
}

// ---- quantizing ----

// Codes are whole floats from 0 to 15. Sums with 2^23 and 2^19 put those of the
// first half of a block into bits 0 ... 3 and those of the second into 4 ... 7;
// without the exponent there is a byte left, unless the value was a NaN.
@inline function joined(low: v128, high: v128, m: v128, h: v128): v128 {
  return i32x4.sub(v128.or(f32x4.add(low, m), f32x4.add(high, h)), m);
}

// Stores a block's bytes; a result above 255 in any word tells of a NaN, which is
// what becomes of infinities, too: they make the factor of their block 0.
@inline function storeBlock(dst: usize, a: v128, b: v128, c: v128, d: v128): v128 {
  const first = i16x8.narrow_i32x4_s(a, b), second = i16x8.narrow_i32x4_s(c, d);
  v128.store(dst, i8x16.narrow_i16x8_u(first, second));
  return v128.or(first, second);
}

@inline function hasNaN(seen: v128): i32 {
  return v128.any_true(i16x8.shr_u(seen, 8)) ? 1 : 0;
}

@inline function codes0(src: usize, r: v128, half: v128, top: v128): v128 {
  return f32x4.floor(f32x4.pmin(f32x4.add(f32x4.mul(v128.load(src), r), half), top));
}

@inline function joined0(src: usize, r: v128, half: v128, top: v128, m: v128, h: v128): v128 {
  return joined(codes0(src, r, half, top), codes0(src + 64, r, half, top), m, h);
}

@inline function run0(src: usize, dst: usize, factors: usize, blocks: i32): v128 {
  const half = v128.load(CONSTANTS), top = v128.load(CONSTANTS, 16), m = magic(), h = magicAbove();
  let seen = zero();
  for (const end = src + (<usize>blocks << 7); src < end; src += 128) {
    const r = v128.load32_splat(factors);
    seen = v128.or(seen, storeBlock(
      dst + 2,
      joined0(src, r, half, top, m, h), joined0(src + 16, r, half, top, m, h),
      joined0(src + 32, r, half, top, m, h), joined0(src + 48, r, half, top, m, h),
    ));
    dst += Q4_0;
    factors += 16;
  }
  return seen;
}

// The same with five bits.
@inline function run0Five(src: usize, dst: usize, factors: usize, blocks: i32): v128 {
  const half = f32x4.splat(16.5), top = f32x4.splat(31.5), m = magic();
  let seen = zero();
  for (const end = src + (<usize>blocks << 7); src < end; src += 128) {
    const r = v128.load32_splat(factors);
    const a = halfWords(codes0(src, r, half, top), codes0(src + 16, r, half, top), m);
    const b = halfWords(codes0(src + 32, r, half, top), codes0(src + 48, r, half, top), m);
    const c = halfWords(codes0(src + 64, r, half, top), codes0(src + 80, r, half, top), m);
    const d = halfWords(codes0(src + 96, r, half, top), codes0(src + 112, r, half, top), m);
    storeFive(dst + 2, i8x16.narrow_i16x8_u(a, b), i8x16.narrow_i16x8_u(c, d));
    seen = v128.or(v128.or(seen, v128.or(a, b)), v128.or(c, d));
    dst += Q5_0;
    factors += 16;
  }
  return seen;
}

// Whole floats to 16-bit words; more than 255 comes of a NaN.
@inline function halfWords(a: v128, b: v128, m: v128): v128 {
  return i16x8.narrow_i32x4_s(i32x4.sub(f32x4.add(a, m), m), i32x4.sub(f32x4.add(b, m), m));
}

// No clamp: the largest value of a block comes to 15.5 and a few ulp at most.
@inline function codes1(src: usize, r: v128, low: v128, half: v128): v128 {
  return f32x4.floor(f32x4.add(f32x4.mul(f32x4.sub(v128.load(src), low), r), half));
}

@inline function joined1(src: usize, r: v128, low: v128, half: v128, m: v128, h: v128): v128 {
  return joined(codes1(src, r, low, half), codes1(src + 64, r, low, half), m, h);
}

@inline function run1(src: usize, dst: usize, factors: usize, blocks: i32): v128 {
  const half = v128.load(CONSTANTS, 32), m = magic(), h = magicAbove();
  let seen = zero();
  for (const end = src + (<usize>blocks << 7); src < end; src += 128) {
    const r = v128.load32_splat(factors), low = v128.load32_splat(factors + (MINIMA - FACTORS));
    seen = v128.or(seen, storeBlock(
      dst + 4,
      joined1(src, r, low, half, m, h), joined1(src + 16, r, low, half, m, h),
      joined1(src + 32, r, low, half, m, h), joined1(src + 48, r, low, half, m, h),
    ));
    dst += Q4_1;
    factors += 16;
  }
  return seen;
}

@inline function run1Five(src: usize, dst: usize, factors: usize, blocks: i32): v128 {
  const half = v128.load(CONSTANTS, 32), m = magic();
  let seen = zero();
  for (const end = src + (<usize>blocks << 7); src < end; src += 128) {
    const r = v128.load32_splat(factors), low = v128.load32_splat(factors + (MINIMA - FACTORS));
    const a = halfWords(codes1(src, r, low, half), codes1(src + 16, r, low, half), m);
    const b = halfWords(codes1(src + 32, r, low, half), codes1(src + 48, r, low, half), m);
    const c = halfWords(codes1(src + 64, r, low, half), codes1(src + 80, r, low, half), m);
    const d = halfWords(codes1(src + 96, r, low, half), codes1(src + 112, r, low, half), m);
    storeFive(dst + 4, i8x16.narrow_i16x8_u(a, b), i8x16.narrow_i16x8_u(c, d));
    seen = v128.or(v128.or(seen, v128.or(a, b)), v128.or(c, d));
    dst += Q5_1;
    factors += 16;
  }
  return seen;
}

@inline function run(src: usize, dst: usize, factors: usize, blocks: i32, withMinimum: bool): v128 {
  if (isFive()) return withMinimum ? run1Five(src, dst, factors, blocks) : run0Five(src, dst, factors, blocks);
  return withMinimum ? run1(src, dst, factors, blocks) : run0(src, dst, factors, blocks);
}

@inline function quantize(n: i32, src: usize, dst: usize, bytes: usize, withMinimum: bool): i32 {
  let seen = zero();
  for (let rest = n >> 5; rest > 0; rest -= CHUNK) {
    const blocks = min(rest, CHUNK), quarter = (blocks + 3) >> 2;
    seen = v128.or(seen, measure(src, dst, blocks, bytes, withMinimum));
    for (let k = 0; k < 4; k++) {
      const first = <usize>min(k * quarter, blocks - quarter);
      const from = src + (first << 7), to = dst + first * bytes, factors = FACTORS + (<usize>k << 2);
      seen = v128.or(seen, run(from, to, factors, quarter, withMinimum));
    }
    src += <usize>blocks << 7;
    dst += <usize>blocks * bytes;
  }
  return hasNaN(seen);
}

export function q4_0_quantize(n: i32, src: usize, dst: usize): i32 {
  return quantize(n, src, dst, isFive() ? Q5_0 : Q4_0, false);
}

export function q4_1_quantize(n: i32, src: usize, dst: usize): i32 {
  return quantize(n, src, dst, isFive() ? Q5_1 : Q4_1, true);
}

// ---- dequantizing ----

export function q4_0_dequantize(n: i32, src: usize, out: usize): i32 {
  const u = v128.load(Q4_0_VALUES), l = v128.load(Q4_0_VALUES, 16), mask = lowNibbles(), z = zero();
  let odd: u32 = 0;
  for (const end = out + (<usize>n << 2); out < end; out += 128) {
    const d = loadHalf(src), codes = v128.load(src, 2);
    odd |= oddness(src);
    storeScaled(out, v128.and(codes, mask), u, l, d, z);
    storeScaled(out + 64, v128.and(i16x8.shr_u(codes, 4), mask), u, l, d, z);
    src += Q4_0;
  }
  if (anyOdd(odd)) settleNaNs(out - (<usize>n << 2), out);
  return 0;
}

export function q4_1_dequantize(n: i32, src: usize, out: usize): i32 {
  const u = v128.load(Q4_1_VALUES), l = v128.load(Q4_1_VALUES, 16), mask = lowNibbles(), z = zero();
  let odd: u32 = 0;
  for (const end = out + (<usize>n << 2); out < end; out += 128) {
    const d = loadHalf(src), m = loadHalf(src + 2), codes = v128.load(src, 4);
    odd |= oddness(src) | oddness(src + 2);
    storeScaledAndShifted(out, v128.and(codes, mask), u, l, d, m, z);
    storeScaledAndShifted(out + 64, v128.and(i16x8.shr_u(codes, 4), mask), u, l, d, m, z);
    src += Q4_1;
  }
  if (anyOdd(odd)) settleNaNs(out - (<usize>n << 2), out);
  return 0;
}
