// The primitives of the generic way. They work on a tile: rows of `columns` values,
// their codes (one to a byte) and the numbers of their groups. A row starts with a
// group of `first` values, all others are `group` values long but for what is cut
// off at the end of the row; the numbers of a row's groups lie `stride` bytes
// beyond those of the row before (0 where all rows share them).

import { bytesHigh, bytesLow, isFinite32, magnitudeBits, settleNaNs, wordsHigh, wordsLow, zero } from "./common";
import { BF16, F16, computed, roundAny, rounded } from "./tile_round";
import { maxMagnitude } from "./reduce";

const INFINITY_BITS: i32 = 0x7f800000;

// 1 where a value is a NaN or an infinity.
export function tile_check(n: i32, src: usize): i32 {
  return maxMagnitude(src, n, 0) >= INFINITY_BITS ? 1 : 0;
}

// ---- scales and offsets ----

// Rules, as src/schemes/tiles.ts numbers them.
const SYMMETRIC: i32 = 0;
const FROM_ZERO: i32 = 1;
const FROM_ONE: i32 = 2;
const SIGNED: i32 = 3;
const AFFINE: i32 = 4;

@inline function halfAwayOf(t: v128): v128 {
  const whole = f32x4.floor(t);
  return f32x4.add(whole, v128.and(f32x4.ge(f32x4.sub(t, whole), f32x4.splat(0.5)), f32x4.splat(1)));
}

// Scales and offsets of groups by their ranges, four at a time: arrays have room
// for a whole number of vectors. 1 where a number is beyond `most`.
export function tile_fit(
  n: i32, mins: usize, maxs: usize, scales: usize, offsets: usize, rule: i32, stored: i32, most: f32,
): i32 {
  const z = zero(), fifteen = f32x4.splat(15), one = f32x4.splat(1), eight = f32x4.splat(8), k = magnitudeBits();
  const limit = f32x4.splat(most);
  let held = i32x4.splat(-1);
  for (; n > 0; n -= 4) {
    const least = v128.load(mins), largest = v128.load(maxs);
    let scale: v128, offset: v128;
    if (rule == SIGNED) {
      const byLargest = f32x4.gt(v128.and(largest, k), v128.and(least, k));
      scale = computed(f32x4.div(v128.bitselect(largest, least, byLargest), f32x4.splat(-8)), stored);
      offset = eight;
    } else if (rule == AFFINE) {
      let low = f32x4.min(least, z), high = f32x4.max(largest, z);
      scale = f32x4.div(f32x4.sub(high, low), fifteen);
      const t = f32x4.pmin(f32x4.pmax(z, f32x4.sub(z, f32x4.div(low, scale))), fifteen);
      offset = halfAwayOf(v128.andnot(t, f32x4.eq(scale, z)));
      scale = computed(scale, stored);
    } else if (rule <= FROM_ONE) {
      let low = f32x4.min(least, z), high = f32x4.max(largest, z);
      if (rule == SYMMETRIC) {
        high = f32x4.max(f32x4.neg(low), high);
        low = v128.bitselect(f32x4.neg(high), low, f32x4.lt(low, z));
      }
      const empty = v128.and(f32x4.eq(low, z), f32x4.eq(high, z));
      low = v128.bitselect(f32x4.neg(one), low, empty);
      high = v128.bitselect(one, high, empty);
      scale = f32x4.div(f32x4.sub(high, low), fifteen);
      const steps = f32x4.nearest(f32x4.div(f32x4.neg(low), scale));
      offset = rule == SYMMETRIC ? eight
        : f32x4.max(v128.andnot(steps, f32x4.eq(scale, z)), rule == FROM_ONE ? one : z);
    } else {
      const width = f32x4.div(f32x4.sub(largest, least), fifteen);
      const step = f32x4.pmax(f32x4.splat(1e-7), width);
      const byLeast = f32x4.gt(v128.and(least, k), v128.and(largest, k));
      const edge = v128.bitselect(least, largest, byLeast);
      scale = v128.bitselect(step, f32x4.neg(step), byLeast);
      const steps = f32x4.nearest(f32x4.div(edge, scale)), none = f32x4.eq(steps, z);
      scale = v128.bitselect(scale, f32x4.div(edge, steps), none);
      offset = v128.andnot(edge, none);
    }
    held = v128.and(held, v128.and(f32x4.le(v128.and(scale, k), limit), f32x4.le(v128.and(offset, k), limit)));
    v128.store(scales, scale);
    v128.store(offsets, offset);
    mins += 16;
    maxs += 16;
    scales += 16;
    offsets += 16;
  }
  return i32x4.all_true(held) ? 0 : 1;
}

// ---- decoding ----

// Ways to decode, as src/schemes/tile_values.ts numbers them.
const BIAS: i32 = 1;
const STEP: i32 = 2;

// The table of a group: (g - offset) * scale, or g * scale + offset, of every entry of a grid.
@inline function makeTable(grid: usize, sc: f32, shift: f32, way: i32, dtype: i32): void {
  const s = f32x4.splat(sc), o = f32x4.splat(shift);
  if (way == BIAS) {
    for (let k: usize = 0; k < 64; k += 16) {
      storeEntries(k, f32x4.add(rounded(f32x4.mul(v128.load(grid + k), s), dtype), o), dtype);
    }
  } else if (way == STEP) {
    for (let k: usize = 0; k < 64; k += 16) {
      storeEntries(k, f32x4.mul(rounded(f32x4.sub(v128.load(grid + k), o), dtype), s), dtype);
    }
  } else {
    for (let k: usize = 0; k < 64; k += 16) storeEntries(k, f32x4.mul(f32x4.sub(v128.load(grid + k), o), s), dtype);
  }
}
@inline function storeEntries(k: usize, x: v128, dtype: i32): void {
  const y = rounded(x, dtype);
  v128.store(TABLE + k, v128.bitselect(i32x4.splat(0x7fc00000), y, f32x4.ne(y, y)));
}

// One for each type, so that rounding is no call.
@noinline function makeTableF16(grid: usize, sc: f32, shift: f32, way: i32): void { makeTable(grid, sc, shift, way, F16); }
@noinline function makeTableBF16(grid: usize, sc: f32, shift: f32, way: i32): void { makeTable(grid, sc, shift, way, BF16); }

// The planes of bytes of a table of sixteen floats: byte k of each in plane k.
@inline function planesBelow(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
}
@inline function planesAbove(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
}
@inline function evenPlane(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 0, 2); }
@inline function oddPlane(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 1, 3); }

// Words of sixteen codes, four in each of `k` = 0 ... 3; tables without lower halves have two planes.
@inline function lower(c: v128, p0: v128, p1: v128, k: i32): v128 {
  return k < 2
    ? bytesLow(i8x16.swizzle(p0, c), i8x16.swizzle(p1, c))
    : bytesHigh(i8x16.swizzle(p0, c), i8x16.swizzle(p1, c));
}

@inline function scaled(g: v128, s: v128, o: v128, biased: bool): v128 {
  return biased ? f32x4.add(f32x4.mul(g, s), o) : f32x4.mul(f32x4.sub(g, o), s);
}

// Codes of a group whose table is that of all groups, in float32.
@inline function decodeScaled(
  codes: usize, n: i32, out: usize, grid: usize, sc: f32, shift: f32,
  p0: v128, p1: v128, p2: v128, p3: v128, z: v128, biased: bool, full: bool,
): void {
  const s = f32x4.splat(sc), o = f32x4.splat(shift), end = out + (<usize>n << 2);
  for (const body = out + (<usize>(n & ~15) << 2); out < body; out += 64) {
    const c = v128.load(codes);
    const d = i8x16.swizzle(p2, c), e = i8x16.swizzle(p3, c);
    const high = bytesLow(d, e), high2 = bytesHigh(d, e);
    const low = full ? lower(c, p0, p1, 0) : z, low2 = full ? lower(c, p0, p1, 2) : z;
    v128.store(out, scaled(wordsLow(low, high), s, o, biased));
    v128.store(out, scaled(wordsHigh(low, high), s, o, biased), 16);
    v128.store(out, scaled(wordsLow(low2, high2), s, o, biased), 32);
    v128.store(out, scaled(wordsHigh(low2, high2), s, o, biased), 48);
    codes += 16;
  }
  for (; out < end; out += 4) {
    const g = load<f32>(grid + (<usize>load<u8>(codes) << 2));
    store<f32>(out, biased ? g * sc + shift : (g - shift) * sc);
    codes++;
  }
  if (!isFinite32(sc) || !isFinite32(shift)) settleNaNs(end - (<usize>n << 2), end);
}

// Codes of a group with a table of its own, in a type of 16 bits: made once, in all its roundings.
@inline function decodeRounded(
  codes: usize, n: i32, out: usize, grid: usize, sc: f32, shift: f32, way: i32, dtype: i32, z: v128,
): void {
  const end = out + (<usize>n << 2);
  if (dtype == F16) makeTableF16(grid, sc, shift, way);
  else makeTableBF16(grid, sc, shift, way);
  const t0 = v128.load(TABLE), t1 = v128.load(TABLE, 16), t2 = v128.load(TABLE, 32), t3 = v128.load(TABLE, 48);
  const c = planesAbove(t0, t1), d = planesAbove(t2, t3), p2 = evenPlane(c, d), p3 = oddPlane(c, d);
  const p1 = dtype == F16 ? oddPlane(planesBelow(t0, t1), planesBelow(t2, t3)) : z;
  for (const body = out + (<usize>(n & ~15) << 2); out < body; out += 64) {
    const c = v128.load(codes);
    const d = i8x16.swizzle(p2, c), e = i8x16.swizzle(p3, c);
    const high = bytesLow(d, e), high2 = bytesHigh(d, e);
    const b = dtype == F16 ? i8x16.swizzle(p1, c) : z;
    const low = dtype == F16 ? bytesLow(z, b) : z, low2 = dtype == F16 ? bytesHigh(z, b) : z;
    v128.store(out, wordsLow(low, high));
    v128.store(out, wordsHigh(low, high), 16);
    v128.store(out, wordsLow(low2, high2), 32);
    v128.store(out, wordsHigh(low2, high2), 48);
    codes += 16;
  }
  for (; out < end; out += 4) {
    store<u32>(out, load<u32>(TABLE + (<usize>load<u8>(codes) << 2)));
    codes++;
  }
}

const TABLE: usize = memory.data(64, 16);

@inline function decodeAll(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize, way: i32, dtype: i32, full: bool,
): void {
  const z = zero();
  const a = planesBelow(v128.load(grid), v128.load(grid, 16)), b = planesBelow(v128.load(grid, 32), v128.load(grid, 48));
  const c = planesAbove(v128.load(grid), v128.load(grid, 16)), d = planesAbove(v128.load(grid, 32), v128.load(grid, 48));
  const p0 = evenPlane(a, b), p1 = oddPlane(a, b), p2 = evenPlane(c, d), p3 = oddPlane(c, d);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), s = load<f32>(scales + at), o = load<f32>(offsets + at);
      if (dtype) decodeRounded(codes, n, out, grid, s, o, way, dtype, z);
      else decodeScaled(codes, n, out, grid, s, o, p0, p1, p2, p3, z, way == BIAS, full);
      codes += <usize>n;
      out += <usize>n << 2;
      at += 4;
    }
    scales += <usize>stride;
    offsets += <usize>stride;
  }
}

// Whether an entry of a grid is no bfloat16.
function isFull(grid: usize): bool {
  let bits: u32 = 0;
  for (let k: usize = 0; k < 64; k += 4) bits |= load<u32>(grid + k);
  return (bits & 0xffff) != 0;
}

// A function for each, so that what is loaded once stays in registers.
@noinline function decodeF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize, way: i32,
): void {
  decodeAll(rows, columns, first, group, stride, codes, scales, offsets, grid, out, way, F16, false);
}
@noinline function decodeBF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize, way: i32,
): void {
  decodeAll(rows, columns, first, group, stride, codes, scales, offsets, grid, out, way, BF16, false);
}
@noinline function decodeBiased(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decodeAll(rows, columns, first, group, stride, codes, scales, offsets, grid, out, BIAS, 0, true);
}
@noinline function decodeFull(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decodeAll(rows, columns, first, group, stride, codes, scales, offsets, grid, out, 0, 0, true);
}
@noinline function decodeShort(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decodeAll(rows, columns, first, group, stride, codes, scales, offsets, grid, out, 0, 0, false);
}

// Groups of which a table for each is worth its making.
const LONG: i32 = 32;

// Bits of a float32 that are 0 where it has six significant ones.
const BEYOND_SIX: i32 = 0x0003ffff;

// Whether products of scales and a grid of up to two significant bits, as E2M1 is, which
// has no offsets, are numbers of a type of 16 bits: nothing is left to round.
function areExact(n: i32, scales: usize, grid: usize, dtype: i32): bool {
  for (let k: usize = 0; k < 64; k += 4) {
    if (load<u32>(grid + k) & 0x003fffff) return false;
  }
  // Products of magnitudes from 2^-1 to 6 are normal numbers.
  const least = dtype == F16 ? 0x39000000 : 0x01000000, most = dtype == F16 ? 0x46000000 : 0x7d000000;
  for (const end = scales + (<usize>n << 2); scales < end; scales += 4) {
    const bits = load<i32>(scales), m = bits & 0x7fffffff;
    if (bits & BEYOND_SIX || m < least || m > most) return false;
  }
  return true;
}

export function tile_decode(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize, way: i32, dtype: i32,
): i32 {
  if (dtype && !way && areExact(stride ? rows * (stride >> 2) : (columns - first + 2 * group - 1) / group, scales, grid, dtype)) dtype = 0;
  if (dtype && (way || group >= LONG)) {
    if (dtype == F16) decodeF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out, way);
    else decodeBF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out, way);
    return 0;
  }
  if (way) decodeBiased(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else if (isFull(grid)) decodeFull(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else decodeShort(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  if (dtype) roundAny(rows * columns, out, out, dtype);
  return 0;
}
