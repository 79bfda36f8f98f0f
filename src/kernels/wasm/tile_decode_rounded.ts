// Values in a type of 16 bits, for groups of whole vectors of sixteen values whose
// tables are numbers that are rounded by cutting bits: normal ones of the type, which do
// not overflow; or differences, rounded so, times scales. Groups are those of tile.ts.

import { bytesHigh, bytesLow, magnitudeBits, pin, wordsHigh, wordsLow, zero } from "./common";
import { F16, F16_CONSTANTS, cutTo, toF16, toSmallF16 } from "./tile_round";

// Ways to decode, as src/schemes/tile_values.ts numbers them: (g - o) * s is 0.
const BIAS: i32 = 1;
const STEP: i32 = 2;

// How many bits of a float32 a type does not have.
const CUT_F16: i32 = 13;
const CUT_BF16: i32 = 16;

// Half to even; the bits to be cut stay, with whatever is in them.
@inline function roundedUp(x: v128, below: v128, unit: v128, bits: i32): v128 {
  return i32x4.add(i32x4.add(x, below), v128.and(i32x4.shr_u(x, bits), unit));
}

@inline function entries(g: v128, s: v128, o: v128, below: v128, unit: v128, keep: v128, bits: i32, way: i32): v128 {
  if (way == STEP) {
    const product = f32x4.mul(cutTo(f32x4.sub(g, o), below, unit, keep, bits), s);
    if (bits == CUT_BF16) return roundedUp(product, below, unit, bits);
    // Scales of which products are too small to be normal are not rare.
    return toSmallF16(product, v128.load(F16_CONSTANTS), v128.load(F16_CONSTANTS, 16), v128.load(F16_CONSTANTS, 48), magnitudeBits());
  }
  if (way != BIAS) return roundedUp(f32x4.mul(f32x4.sub(g, o), s), below, unit, bits);
  const product = v128.and(roundedUp(f32x4.mul(g, s), below, unit, bits), keep);
  return roundedUp(f32x4.add(product, o), below, unit, bits);
}

// What is left of the second bytes of words.
@inline function second(a: v128, b: v128, kept: v128): v128 {
  return i16x8.shr_u(i16x8.narrow_i32x4_u(v128.and(a, kept), v128.and(b, kept)), 8);
}

@inline function decode(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize, bits: i32, way: i32,
): void {
  const z = zero(), below = pin(reinterpret<f32>((1 << (bits - 1)) - 1)), unit = pin(reinterpret<f32>(1));
  const keep = pin(reinterpret<f32>(-1 << bits)), lowBytes = pin(reinterpret<f32>(0x00ff00ff)), kept = pin(reinterpret<f32>(0xe000));
  const g0 = v128.load(grid), g1 = v128.load(grid, 16), g2 = v128.load(grid, 32), g3 = v128.load(grid, 48);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const s = v128.load32_splat(scales + at), o = v128.load32_splat(offsets + at);
      const t0 = entries(g0, s, o, below, unit, keep, bits, way), t1 = entries(g1, s, o, below, unit, keep, bits, way);
      const t2 = entries(g2, s, o, below, unit, keep, bits, way), t3 = entries(g3, s, o, below, unit, keep, bits, way);
      // Planes of bytes, as i8x16.swizzle looks them up; the lowest is 0.
      const a = i16x8.narrow_i32x4_u(i32x4.shr_u(t0, 16), i32x4.shr_u(t1, 16));
      const b = i16x8.narrow_i32x4_u(i32x4.shr_u(t2, 16), i32x4.shr_u(t3, 16));
      const p2 = i8x16.narrow_i16x8_u(v128.and(a, lowBytes), v128.and(b, lowBytes));
      const p3 = i8x16.narrow_i16x8_u(i16x8.shr_u(a, 8), i16x8.shr_u(b, 8));
      const p1 = bits == CUT_F16 ? i8x16.narrow_i16x8_u(second(t0, t1, kept), second(t2, t3, kept)) : z;
      for (const end = codes + <usize>min(size, rest); codes < end; codes += 16) {
        const c = v128.load(codes);
        const d = i8x16.swizzle(p2, c), e = i8x16.swizzle(p3, c);
        const high = bytesLow(d, e), high2 = bytesHigh(d, e);
        const b = bits == CUT_F16 ? i8x16.swizzle(p1, c) : z;
        const low = bits == CUT_F16 ? bytesLow(z, b) : z, low2 = bits == CUT_F16 ? bytesHigh(z, b) : z;
        v128.store(out, wordsLow(low, high));
        v128.store(out, wordsHigh(low, high), 16);
        v128.store(out, wordsLow(low2, high2), 32);
        v128.store(out, wordsHigh(low2, high2), 48);
        out += 64;
      }
      at += 4;
    }
    scales += <usize>stride;
    offsets += <usize>stride;
  }
}

// A function for each, so that what is loaded once stays in registers.
@noinline function decodeF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decode(rows, columns, first, group, stride, codes, scales, offsets, grid, out, CUT_F16, 0);
}
@noinline function decodeBF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decode(rows, columns, first, group, stride, codes, scales, offsets, grid, out, CUT_BF16, 0);
}
@noinline function decodeBiasedF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decode(rows, columns, first, group, stride, codes, scales, offsets, grid, out, CUT_F16, BIAS);
}
@noinline function decodeBiasedBF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decode(rows, columns, first, group, stride, codes, scales, offsets, grid, out, CUT_BF16, BIAS);
}
@noinline function decodeStepsF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decode(rows, columns, first, group, stride, codes, scales, offsets, grid, out, CUT_F16, STEP);
}
@noinline function decodeStepsBF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decode(rows, columns, first, group, stride, codes, scales, offsets, grid, out, CUT_BF16, STEP);
}

// ---- which tables are rounded like that ----

// Groups of which a table for each is worth its making.
const LONG: i32 = 32;

const LEAST_F16: f32 = 6.103515625e-5; // 2^-14
const MOST_F16: f32 = 65504;
const MOST_F16_STEPS: f32 = 65400;
const MOST: f32 = 1e18;

// The smallest and the largest magnitude of the numbers of a grid that are not 0, to `ends`; whether all are whole.
@inline function measureGrid(grid: usize, ends: usize): bool {
  let least: f32 = Infinity, most: f32 = 0, whole = true;
  for (const end = grid + 64; grid < end; grid += 4) {
    const g = load<f32>(grid), m = abs(g);
    if (m > 0) least = min(least, m);
    most = max(most, m);
    whole = whole && nearest(g) == g;
  }
  store<f32>(ends, least);
  store<f32>(ends, most, 4);
  return whole;
}

const ENDS: usize = memory.data(16, 16);

// Whether cutting bits rounds all entries of all tables. Differences of whole numbers are 0
// or at least 1; of others there must be none, all offsets being 0. Sums that are too small
// to be normal need no rounding where both numbers are of the type, nor do differences of
// such a number and a whole one.
function areOrdinary(n: i32, scales: usize, offsets: usize, grid: usize, way: i32, dtype: i32): bool {
  const isWhole = measureGrid(grid, ENDS), z = zero(), k = magnitudeBits(), f16 = dtype == F16;
  const levels = load<f32>(ENDS, 4), ofType = way != 0;
  // Steps are rounded up before they are multiplied.
  const most = f32x4.splat(!f16 ? MOST : way == STEP ? MOST_F16_STEPS : MOST_F16);
  // Products of steps may be as small as they like.
  const least = f32x4.splat(!f16 || way == STEP ? 0 : way == BIAS || !isWhole ? LEAST_F16 / load<f32>(ENDS) * <f32>1.001 : LEAST_F16);
  // Whole numbers of 8 bits are numbers of either type, and so are their differences.
  const far = f32x4.splat(ofType ? f16 ? 32768 : MOST : isWhole ? 128 : 0);
  if (!(levels <= 128) || way == STEP && !isWhole) return false;
  const top = f32x4.splat(levels);
  let ordinary = i32x4.splat(-1);
  while (n > 0) {
    const all = n >= 4, s = all ? v128.load(scales) : v128.load32_splat(scales), o = all ? v128.load(offsets) : v128.load32_splat(offsets);
    const m = v128.and(s, k), w = v128.and(o, k);
    const largest = way == BIAS ? f32x4.add(f32x4.mul(m, top), w) : f32x4.mul(m, f32x4.add(w, top));
    ordinary = v128.and(ordinary, v128.or(f32x4.eq(m, z), f32x4.ge(m, least)));
    ordinary = v128.and(ordinary, v128.and(f32x4.le(w, far), f32x4.lt(largest, most)));
    if (!ofType) ordinary = v128.and(ordinary, f32x4.eq(f32x4.nearest(o), o));
    else if (f16) ordinary = v128.and(ordinary, f32x4.eq(toF16(o), o));
    const step = all ? 4 : 1;
    n -= step;
    scales += <usize>step << 2;
    offsets += <usize>step << 2;
  }
  return i32x4.all_true(ordinary);
}

// 1 where there are other groups or numbers.
export function tile_decode_rounded(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize, way: i32, dtype: i32,
): i32 {
  if (((first | group | columns) & 15) != 0 || group < LONG) return 1;
  const perRow = columns <= first ? 1 : 1 + (columns - first + group - 1) / group;
  if (!areOrdinary(stride ? rows * perRow : perRow, scales, offsets, grid, way, dtype)) return 1;
  if (way == BIAS && dtype == F16) decodeBiasedF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else if (way == BIAS) decodeBiasedBF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else if (way == STEP && dtype == F16) decodeStepsF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else if (way == STEP) decodeStepsBF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else if (dtype == F16) decodeF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else decodeBF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  return 0;
}
