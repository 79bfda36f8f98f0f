// The primitives of the generic way. They work on a tile: rows of `columns` values,
// their codes (one to a byte) and the numbers of their groups. A row starts with a
// group of `first` values, all others are `group` values long but for what is cut
// off at the end of the row; the numbers of a row's groups lie `stride` bytes
// beyond those of the row before (0 where all rows share them).

import { bytesHigh, bytesLow, isFinite32, lowHalves, lowNibbleOfWord, lowNibbles, magnitudeBits, maxLaneI32, pin, roundMagic, settleNaNs, wordsHigh, wordsLow, zero } from "./common";
import { maxMagnitude } from "./reduce";

const INFINITY_BITS: i32 = 0x7f800000;

// 1 where a value is a NaN or an infinity.
export function tile_check(n: i32, src: usize): i32 {
  return maxMagnitude(src, n, 0) >= INFINITY_BITS ? 1 : 0;
}

// ---- group statistics ----

@inline function lowest(src: usize, end: usize, m: v128): v128 {
  for (; src < end; src += 16) m = f32x4.pmin(m, v128.load(src));
  return m;
}
@inline function highest(src: usize, end: usize, m: v128): v128 {
  for (; src < end; src += 16) m = f32x4.pmax(m, v128.load(src));
  return m;
}
@inline function lanesMin(v: v128): f32 {
  const w = f32x4.pmin(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmin(w, v128.shuffle<i32>(w, w, 1, 0, 3, 2)), 0);
}
@inline function lanesMax(v: v128): f32 {
  const w = f32x4.pmax(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(w, v128.shuffle<i32>(w, w, 1, 0, 3, 2)), 0);
}

// Zero with the sign that the scalar way gives it: it takes -0 to be less than 0.
@noinline function signedZero(src: usize, end: usize, sought: u32): f32 {
  for (; src < end; src += 4) {
    if (load<u32>(src) == sought) return reinterpret<f32>(sought);
  }
  return reinterpret<f32>(sought ^ 0x80000000);
}

// Smallest and largest value of every group; values are finite.
export function tile_ranges(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, mins: usize, maxs: usize,
): i32 {
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), end = src + (<usize>n << 2), body = src + (<usize>(n & ~3) << 2);
      let low = load<f32>(src), high = low;
      if (body > src) {
        const x = v128.load(src);
        low = lanesMin(lowest(src + 16, body, x));
        high = lanesMax(highest(src + 16, body, x));
      }
      for (let p = body; p < end; p += 4) {
        const x = load<f32>(p);
        if (x < low) low = x;
        if (x > high) high = x;
      }
      if (low == 0) low = signedZero(src, end, 0x80000000);
      if (high == 0) high = signedZero(src, end, 0);
      store<f32>(mins + at, low);
      store<f32>(maxs + at, high);
      at += 4;
      src = end;
    }
    mins += <usize>stride;
    maxs += <usize>stride;
  }
  return 0;
}

// Largest magnitude of every group; values are finite.
export function tile_magnitudes(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, maxs: usize,
): i32 {
  const k = magnitudeBits();
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), end = src + (<usize>n << 2), body = src + (<usize>(n & ~3) << 2);
      let m = zero();
      for (; src < body; src += 16) m = i32x4.max_s(m, v128.and(k, v128.load(src)));
      let bits = maxLaneI32(m);
      for (; src < end; src += 4) bits = max(bits, load<i32>(src) & 0x7fffffff);
      store<i32>(maxs + at, bits);
      at += 4;
    }
    maxs += <usize>stride;
  }
  return 0;
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

// ---- encoding on an even grid ----

// Ways to round, as src/schemes/tiles.ts numbers them.
const DIVIDE: i32 = 0;
const SHIFT: i32 = 1;
const RECIPROCAL: i32 = 3;
const ADD: i32 = 4;
const ADD_SIGNED: i32 = 5;
const MULTIPLY: i32 = 6;
const MULTIPLY_ADD: i32 = 7;

// The nearest whole number from 0 to 15, after the magic number; a NaN goes to 0.
@inline function shifted(src: usize, shift: v128, s: v128, low: v128, high: v128, magic: v128): v128 {
  const t = f32x4.pmin(f32x4.pmax(low, f32x4.div(f32x4.add(v128.load(src), shift), s)), high);
  return f32x4.add(t, magic);
}

// Half away from zero, for what is clamped to 0 ... 15.
@inline function multiplied(src: usize, r: v128, z: v128, high: v128, magic: v128): v128 {
  const t = f32x4.pmin(f32x4.pmax(zero(), f32x4.add(f32x4.mul(v128.load(src), r), z)), high);
  const whole = f32x4.floor(t), up = f32x4.ge(f32x4.sub(t, whole), f32x4.splat(0.5));
  return i32x4.sub(f32x4.add(whole, magic), up);
}

@inline function joinedCodes(a: v128, b: v128, c: v128, d: v128, mask: v128): v128 {
  return i8x16.narrow_i16x8_u(
    i16x8.narrow_i32x4_s(v128.and(a, mask), v128.and(b, mask)),
    i16x8.narrow_i32x4_s(v128.and(c, mask), v128.and(d, mask)),
  );
}

// A vector of codes at a time; what is left is done as one more, with what lies
// beyond the group cut off.
@inline function storeCodes(codes: usize, v: v128, rest: i32): void {
  if (rest >= 16) v128.store(codes, v);
  else storeSome(codes, v, rest);
}

const SOME: usize = memory.data(80, 16);

@noinline function storeSome(codes: usize, v: v128, count: i32): void {
  v128.store(SOME, v, 64);
  memory.copy(codes, SOME + 64, <usize>count);
}

// Where sixteen values can be read of which `count` are wanted: at the end of the
// memory there may be no others.
@inline function sixteen(src: usize, count: i32): usize {
  return count >= 16 ? src : copied(src, count);
}

@noinline function copied(src: usize, count: i32): usize {
  memory.copy(SOME, src, <usize>count << 2);
  return SOME;
}

@noinline function encodeShifted(src: usize, codes: usize, n: i32, scale: f32, by: f32): void {
  const s = pin(scale), shift = pin(by), low = zero(), high = pin(15), magic = roundMagic(), mask = lowNibbleOfWord();
  for (; n > 0; n -= 16) {
    const p = sixteen(src, n);
    storeCodes(codes, joinedCodes(
      shifted(p, shift, s, low, high, magic), shifted(p + 16, shift, s, low, high, magic),
      shifted(p + 32, shift, s, low, high, magic), shifted(p + 48, shift, s, low, high, magic), mask,
    ), n);
    src += 64;
    codes += 16;
  }
}

@noinline function encodeMultiplying(src: usize, codes: usize, n: i32, scale: f32, offset: f32): void {
  const r = pin(scale == 0 ? 0 : <f32>1 / scale), z = pin(offset);
  const magic = roundMagic(), mask = lowNibbleOfWord(), high = pin(15);
  for (; n > 0; n -= 16) {
    const p = sixteen(src, n);
    storeCodes(codes, joinedCodes(
      multiplied(p, r, z, high, magic), multiplied(p + 16, r, z, high, magic),
      multiplied(p + 32, r, z, high, magic), multiplied(p + 48, r, z, high, magic), mask,
    ), n);
    src += 64;
    codes += 16;
  }
}

// Steps are rounded to a type of 16 bits as if it had the exponents of float32: what is
// too small or too large for it is clamped or a code's zero either way. `bits` are cut off.
@inline function cutBits(x: v128, half: v128, keep: v128, one: v128, bits: i32): v128 {
  return bits ? v128.and(i32x4.add(i32x4.add(x, half), v128.and(i32x4.shr_u(x, bits), one)), keep) : x;
}

// The codes of one vector: steps rounded after the division or product, and after the sum.
@inline function stepsOf(
  src: usize, s: v128, before: v128, low: v128, high: v128, magic: v128, home: v128, half: v128, keep: v128, one: v128,
  product: i32, bits: i32,
): v128 {
  const x = v128.load(src), q = cutBits(product ? f32x4.mul(x, s) : f32x4.div(x, s), half, keep, one, bits);
  const sum = cutBits(f32x4.add(q, before), half, keep, one, bits);
  return i32x4.sub(f32x4.add(f32x4.pmin(f32x4.pmax(low, sum), high), magic), home);
}

@noinline function encodeStepsOf(src: usize, codes: usize, n: i32, scale: f32, offset: f32, way: i32, bits: i32): void {
  const first = way == ADD || way == ADD_SIGNED || way == MULTIPLY_ADD, signed: f32 = way == ADD_SIGNED ? 8 : 0;
  const after = first ? signed : offset, product = <i32>(way >= MULTIPLY);
  const s = pin(scale), before = pin(first ? offset - signed : 0), low = pin(-after), high = pin(15 - after), magic = roundMagic();
  // What the sum with the magic number has in front of a code.
  const home = pin(reinterpret<f32>(0x4b400000 - <i32>after));
  const half = pin(reinterpret<f32>((1 << (bits - 1)) - 1)), keep = pin(reinterpret<f32>(-1 << bits)), one = pin(reinterpret<f32>(1));
  for (; n > 0; n -= 16) {
    const p = sixteen(src, n);
    storeCodes(codes, i8x16.narrow_i16x8_u(
      i16x8.narrow_i32x4_s(
        stepsOf(p, s, before, low, high, magic, home, half, keep, one, product, bits),
        stepsOf(p + 16, s, before, low, high, magic, home, half, keep, one, product, bits),
      ),
      i16x8.narrow_i32x4_s(
        stepsOf(p + 32, s, before, low, high, magic, home, half, keep, one, product, bits),
        stepsOf(p + 48, s, before, low, high, magic, home, half, keep, one, product, bits),
      ),
    ), n);
    src += 64;
    codes += 16;
  }
}

// 1 where a scale or offset is none that this can do: the scalar way has to.
export function tile_encode_steps(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32, dtype: i32,
): i32 {
  const bits = dtype == F16 ? 13 : dtype == BF16 ? 16 : 0;
  const whole = way == DIVIDE || way == MULTIPLY;
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), scale = load<f32>(scales + at), offset = load<f32>(offsets + at);
      if (!isFinite32(scale) || !isFinite32(offset) || scale == 0 && way != RECIPROCAL) return 1;
      if (whole && !(abs(offset) < 4096 && nearest(offset) == offset)) return 1;
      if (way == RECIPROCAL) encodeMultiplying(src, codes, n, scale, offset);
      else if (whole || way >= ADD) encodeStepsOf(src, codes, n, scale, offset, way, bits);
      else encodeShifted(src, codes, n, scale, way == SHIFT ? offset * scale : -offset);
      at += 4;
      src += <usize>n << 2;
      codes += <usize>n;
    }
    scales += <usize>stride;
    offsets += <usize>stride;
  }
  return 0;
}

// ---- encoding by thresholds ----

// How many of fifteen ascending thresholds x exceeds, by halving; `table` holds
// them in the order in which they are asked for:
//   0 the eighth, four times; 16 the fourth and twelfth; 32 the 2nd 6th 10th 14th;
//   48 the odd ones, four and four; 80 the code of each rank.
const CHOICE: usize = memory.data<u32>([
  0x03020100, 0x03020100, 0x03020100, 0x03020100, // bytes of the first word
  0x04040404, 0x04040404, 0x04040404, 0x04040404,
  0x08080808, 0x08080808, 0x08080808, 0x08080808,
  1, 1, 1, 1,
], 16);

@inline function rank(
  x: v128, top: v128, second: v128, third: v128, low: v128, high: v128, base: v128, four: v128, eight: v128, one: v128,
): v128 {
  const m1 = f32x4.gt(x, top);
  const at4 = v128.and(m1, four);
  const m2 = f32x4.gt(x, i8x16.swizzle(second, v128.or(base, at4)));
  const at2 = v128.or(base, v128.and(m2, four));
  const m3 = f32x4.gt(x, i8x16.swizzle(third, v128.or(at2, v128.and(m1, eight))));
  const at = v128.or(v128.or(base, v128.and(m3, four)), v128.and(m2, eight));
  const m4 = f32x4.gt(x, v128.bitselect(i8x16.swizzle(high, at), i8x16.swizzle(low, at), m1));
  // In the lowest byte of `at`: 8 and 4 for the second and third answer.
  const lower = v128.and(i32x4.shr_u(at, 1), i32x4.splat(6));
  return v128.or(lower, v128.or(v128.and(m1, i32x4.splat(8)), v128.and(m4, one)));
}

// The same by cells, for thresholds between -1 and 1 of which no two have the same
// whole number nearest to fifteen times them: it tells a rank that is right or one
// too low, and one comparison which. `table` holds, from 96 on: the ranks of -15 ... 15
// (32 bytes), and the four planes of bytes of the thresholds, infinity the last.
@inline function cell(x: v128, fifteen: v128, magic: v128, mask: v128): v128 {
  return v128.and(f32x4.add(f32x4.mul(x, fifteen), magic), mask);
}

@noinline function encodeCells(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, factors: usize, table: usize,
): void {
  const fifteen = pin(15), codesOf = v128.load(table, 80);
  // -15 ... 15 come to 0 ... 30 in the lowest byte.
  const magic = pin(12582912 + 15), mask = pin(reinterpret<f32>(31)), sixteen16 = pin(reinterpret<f32>(0x10101010));
  const low = v128.load(table, 96), high = v128.load(table, 112);
  const p0 = v128.load(table, 128), p1 = v128.load(table, 144), p2 = v128.load(table, 160), p3 = v128.load(table, 176);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const f = pin(load<f32>(factors + at));
      let n = min(size, rest);
      for (; n > 0; n -= 16) {
        const p = sixteen(src, n);
        const a = f32x4.mul(v128.load(p), f), b = f32x4.mul(v128.load(p, 16), f);
        const c = f32x4.mul(v128.load(p, 32), f), d = f32x4.mul(v128.load(p, 48), f);
        const cells = i8x16.narrow_i16x8_u(
          i16x8.narrow_i32x4_s(cell(a, fifteen, magic, mask), cell(b, fifteen, magic, mask)),
          i16x8.narrow_i32x4_s(cell(c, fifteen, magic, mask), cell(d, fifteen, magic, mask)),
        );
        const ranks = v128.or(i8x16.swizzle(low, cells), i8x16.swizzle(high, i8x16.sub(cells, sixteen16)));
        const t0 = i8x16.swizzle(p0, ranks), t1 = i8x16.swizzle(p1, ranks), t2 = i8x16.swizzle(p2, ranks), t3 = i8x16.swizzle(p3, ranks);
        const l = bytesLow(t0, t1), h = bytesLow(t2, t3), l2 = bytesHigh(t0, t1), h2 = bytesHigh(t2, t3);
        const above = i8x16.narrow_i16x8_s(
          i16x8.narrow_i32x4_s(f32x4.gt(a, wordsLow(l, h)), f32x4.gt(b, wordsHigh(l, h))),
          i16x8.narrow_i32x4_s(f32x4.gt(c, wordsLow(l2, h2)), f32x4.gt(d, wordsHigh(l2, h2))),
        );
        storeCodes(codes, i8x16.swizzle(codesOf, i8x16.sub(ranks, above)), n);
        src += 64;
        codes += 16;
      }
      // Where the last sixteen were not all of the group's.
      src += <usize>n << 2;
      codes += <usize>n;
      at += 4;
    }
    factors += <usize>stride;
  }
}

// x * factor against the thresholds, by cells or by halving.
export function tile_encode_ranks(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, factors: usize, table: usize, byCells: i32,
): i32 {
  if (byCells) {
    encodeCells(rows, columns, first, group, stride, src, codes, factors, table);
    return 0;
  }
  const top = v128.load(table), second = v128.load(table, 16), third = v128.load(table, 32);
  const low = v128.load(table, 48), high = v128.load(table, 64), codesOf = v128.load(table, 80);
  const base = v128.load(CHOICE), four = v128.load(CHOICE, 16), eight = v128.load(CHOICE, 32), one = v128.load(CHOICE, 48);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), f = v128.load32_splat(factors + at);
      const end = src + (<usize>n << 2);
      for (let left = n; left > 0; left -= 16) {
        const p = sixteen(src, left);
        const a = f32x4.mul(v128.load(p), f), b = f32x4.mul(v128.load(p, 16), f);
        const c = f32x4.mul(v128.load(p, 32), f), d = f32x4.mul(v128.load(p, 48), f);
        const ranks = i8x16.narrow_i16x8_u(
          i16x8.narrow_i32x4_s(
            rank(a, top, second, third, low, high, base, four, eight, one),
            rank(b, top, second, third, low, high, base, four, eight, one),
          ),
          i16x8.narrow_i32x4_s(
            rank(c, top, second, third, low, high, base, four, eight, one),
            rank(d, top, second, third, low, high, base, four, eight, one),
          ),
        );
        storeCodes(codes, i8x16.swizzle(codesOf, ranks), left);
        src += 64;
        codes += 16;
      }
      codes += <usize>(n - ((n + 15) & ~15));
      src = end;
      at += 4;
    }
    factors += <usize>stride;
  }
  return 0;
}

// ---- codes of E2M1 ----

// Rules, as src/schemes/tiles.ts numbers them.
const SIGNED_E2M1: i32 = 1;
const LOW: i32 = 2;
const TO_ZERO: i32 = 3;

// Magnitudes up to 2 are 2a steps, up to 4 a + 2, up to 6 a / 2 + 4: with p = 1, 2, 4
// the power of two below a, 2a / p steps more than twice the exponent of p.
@inline function e2m1(
  src: usize, f: v128, k: v128, six: v128, one: v128, exponent: v128, twice: v128, magic: v128, home: v128, half: v128,
  bound: v128, signs: v128, eight: v128, low: bool, product: i32, dtype: i32,
): v128 {
  const x = v128.load(src);
  let q = product ? f32x4.mul(x, f) : f32x4.div(x, f);
  if (dtype) q = computed(q, dtype);
  const a = f32x4.pmin(v128.and(q, k), six), p = v128.and(i32x4.max_s(a, one), exponent);
  let steps = f32x4.mul(a, i32x4.sub(twice, p));
  if (low) steps = f32x4.ceil(f32x4.sub(steps, half));
  const magnitude = i32x4.sub(i32x4.add(f32x4.add(steps, magic), i32x4.shr_u(p, 22)), home);
  const negative = v128.or(f32x4.lt(q, bound), v128.and(i32x4.shr_s(q, 31), signs));
  return v128.or(magnitude, v128.and(negative, eight));
}

// Factors are finite and positive, and values finite: no quotient is a NaN.
export function tile_encode_e2m1(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, factors: usize, rule: i32, product: i32, dtype: i32,
): i32 {
  const six = pin(6), one = pin(1), exponent = v128.load(F16_CONSTANTS), magic = roundMagic(), k = magnitudeBits();
  const twice = pin(reinterpret<f32>(0x40000000 + 0x3f800000)), home = pin(reinterpret<f32>(0x4b400000 + 254)), half = pin(0.5);
  // What is below this has a sign; below the smallest number is what is not above 0.
  const bound = pin(rule == LOW ? reinterpret<f32>(1) : rule == TO_ZERO ? -0.25 : 0);
  const signs = pin(reinterpret<f32>(rule == SIGNED_E2M1 ? -1 : 0)), eight = pin(reinterpret<f32>(8)), low = rule >= LOW;
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const all = min(size, rest), f = pin(load<f32>(factors + at));
      let n = all;
      for (; n > 0; n -= 16) {
        const s = sixteen(src, n);
        storeCodes(codes, i8x16.narrow_i16x8_u(
          i16x8.narrow_i32x4_s(
            e2m1(s, f, k, six, one, exponent, twice, magic, home, half, bound, signs, eight, low, product, dtype),
            e2m1(s + 16, f, k, six, one, exponent, twice, magic, home, half, bound, signs, eight, low, product, dtype),
          ),
          i16x8.narrow_i32x4_s(
            e2m1(s + 32, f, k, six, one, exponent, twice, magic, home, half, bound, signs, eight, low, product, dtype),
            e2m1(s + 48, f, k, six, one, exponent, twice, magic, home, half, bound, signs, eight, low, product, dtype),
          ),
        ), n);
        src += 64;
        codes += 16;
      }
      // Where the last sixteen were not all of the group's.
      src += <usize>n << 2;
      codes += <usize>n;
      at += 4;
    }
    factors += <usize>stride;
  }
  return 0;
}

// ---- decoding ----

// Element types in which values are computed, as src/schemes/steps.ts numbers them.
const F16: i32 = 1;
const BF16: i32 = 2;

const F16_CONSTANTS: usize = memory.data<u32>([
  0x7f800000, 0x7f800000, 0x7f800000, 0x7f800000, //  0 the exponent
  0x38800000, 0x38800000, 0x38800000, 0x38800000, // 16 2^-14: below it steps are no smaller
  0x47800000, 0x47800000, 0x47800000, 0x47800000, // 32 2^16: from here on everything is infinite
  0x06c00000, 0x06c00000, 0x06c00000, 0x06c00000, // 48 makes 1.5 * 2^13 times a power of two of its bits
  0x477fe000, 0x477fe000, 0x477fe000, 0x477fe000, // 64 65504
], 16);

// Half to even: a sum with 1.5 * 2^13 times the power of two below x has no room for more than ten bits of fraction.
@inline function toF16(x: v128): v128 {
  const exponent = v128.load(F16_CONSTANTS), k = magnitudeBits();
  const power = i32x4.min_s(i32x4.max_s(v128.and(x, exponent), v128.load(F16_CONSTANTS, 16)), v128.load(F16_CONSTANTS, 32));
  const magic = i32x4.add(power, v128.load(F16_CONSTANTS, 48));
  const m = v128.and(x, k), y = f32x4.sub(f32x4.add(m, magic), magic);
  return v128.or(v128.bitselect(exponent, y, f32x4.gt(y, v128.load(F16_CONSTANTS, 64))), v128.andnot(x, k));
}

@inline function toBF16(x: v128): v128 {
  const odd = v128.and(i32x4.shr_u(x, 16), v128.load(CHOICE, 48));
  const rounded = v128.andnot(i32x4.add(i32x4.add(x, i32x4.splat(0x7fff)), odd), lowHalves());
  return v128.bitselect(x, rounded, f32x4.ne(x, x));
}

@noinline function computed(x: v128, dtype: i32): v128 {
  return dtype == F16 ? toF16(x) : dtype == BF16 ? toBF16(x) : x;
}

// Values rounded to a type, and cut to plus and minus `largest`; a NaN stays one.
export function tile_round(n: i32, src: usize, dst: usize, dtype: i32, largest: f32): i32 {
  const high = pin(largest), low = pin(-largest);
  for (const body = src + (<usize>(n & ~3) << 2); src < body; src += 16) {
    const x = v128.load(src), y = dtype == F16 ? toF16(x) : toBF16(x);
    v128.store(dst, f32x4.pmin(f32x4.pmax(y, low), high));
    dst += 16;
  }
  for (n &= 3; n > 0; n--) {
    const y = computed(v128.load32_splat(src), dtype);
    v128.store32_lane(dst, f32x4.pmin(f32x4.pmax(y, low), high), 0);
    src += 4;
    dst += 4;
  }
  return 0;
}

// Ways to decode, as src/schemes/tiles.ts numbers them.
const BIAS: i32 = 1;
const STEP: i32 = 2;

// Four entries of a group's table: (g - offset) * scale, or g * scale + offset.
@noinline function entries(grid: usize, s: v128, o: v128, way: i32, dtype: i32): v128 {
  const g = v128.load(grid);
  let x: v128;
  if (way == BIAS) x = f32x4.add(computed(f32x4.mul(g, s), dtype), o);
  else {
    const d = f32x4.sub(g, o);
    x = f32x4.mul(way == STEP ? computed(d, dtype) : d, s);
  }
  const y = computed(x, dtype);
  return v128.bitselect(i32x4.splat(0x7fc00000), y, f32x4.ne(y, y));
}

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
  const s = f32x4.splat(sc), o = f32x4.splat(shift), end = out + (<usize>n << 2);
  const t0 = entries(grid, s, o, way, dtype), t1 = entries(grid + 16, s, o, way, dtype);
  const t2 = entries(grid + 32, s, o, way, dtype), t3 = entries(grid + 48, s, o, way, dtype);
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
  if (out == end) return;
  v128.store(TABLE, t0);
  v128.store(TABLE, t1, 16);
  v128.store(TABLE, t2, 32);
  v128.store(TABLE, t3, 48);
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
const LONG: i32 = 64;

export function tile_decode(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize, way: i32, dtype: i32,
): i32 {
  if (dtype && (way || group >= LONG)) {
    if (dtype == F16) decodeF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out, way);
    else decodeBF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out, way);
    return 0;
  }
  if (way) decodeBiased(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else if (isFull(grid)) decodeFull(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else decodeShort(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  return dtype ? tile_round(rows * columns, out, out, dtype, Infinity) : 0;
}

// ---- nibbles ----

// n codes (an even number), one to a byte, to two to a byte, exclusive-ored with `flip`.
export function tile_pack(n: i32, codes: usize, dst: usize, highFirst: i32, flip: i32): i32 {
  const end = codes + <usize>n, body = codes + <usize>(n & ~31);
  const even = i16x8.splat(0x000f), odd = i16x8.splat(0x00f0), f = i8x16.splat(<i8>(flip * 17));
  for (; codes < body; codes += 32) {
    const a = v128.load(codes), b = v128.load(codes, 16);
    const x = highFirst ? v128.or(i16x8.shr_u(a, 8), v128.and(i16x8.shl(a, 4), odd))
      : v128.or(v128.and(a, even), v128.and(i16x8.shr_u(a, 4), odd));
    const y = highFirst ? v128.or(i16x8.shr_u(b, 8), v128.and(i16x8.shl(b, 4), odd))
      : v128.or(v128.and(b, even), v128.and(i16x8.shr_u(b, 4), odd));
    v128.store(dst, v128.xor(i8x16.narrow_i16x8_u(x, y), f));
    dst += 16;
  }
  for (; codes < end; codes += 2) {
    const a = <i32>load<u8>(codes), b = <i32>load<u8>(codes, 1);
    store<u8>(dst, <u8>((highFirst ? b | (a << 4) : a | (b << 4)) ^ (flip * 17)));
    dst++;
  }
  return 0;
}

export function tile_unpack(n: i32, src: usize, codes: usize, highFirst: i32, flip: i32): i32 {
  const end = codes + <usize>n, body = codes + <usize>(n & ~31);
  const mask = lowNibbles(), f = i8x16.splat(<i8>(flip * 17));
  for (; codes < body; codes += 32) {
    const v = v128.xor(v128.load(src), f), low = v128.and(v, mask), high = v128.and(i16x8.shr_u(v, 4), mask);
    const a = highFirst ? high : low, b = highFirst ? low : high;
    v128.store(codes, bytesLow(a, b));
    v128.store(codes, bytesHigh(a, b), 16);
    src += 16;
  }
  for (; codes < end; codes += 2) {
    const byte = <i32>load<u8>(src) ^ (flip * 17);
    store<u8>(codes, <u8>(highFirst ? byte >> 4 : byte & 15));
    store<u8>(codes, <u8>(highFirst ? byte & 15 : byte >> 4), 1);
    src++;
  }
  return 0;
}

// ---- units one column wide: a byte or a word of codes from rows `n` apart ----

// Four bits of `order` for each nibble of a unit: the row of its code.
@inline function rowOf(codes: usize, order: i32, nibble: i32, n: i32): usize {
  return codes + <usize>(((order >> (4 * nibble)) & 15) * n);
}

// Byte b of sixteen words.
@inline function bytesOfWords(src: usize, b: i32): v128 {
  const mask = i32x4.splat(255), bits = b << 3;
  return i8x16.narrow_i16x8_u(
    i16x8.narrow_i32x4_s(v128.and(i32x4.shr_u(v128.load(src), bits), mask), v128.and(i32x4.shr_u(v128.load(src, 16), bits), mask)),
    i16x8.narrow_i32x4_s(v128.and(i32x4.shr_u(v128.load(src, 32), bits), mask), v128.and(i32x4.shr_u(v128.load(src, 48), bits), mask)),
  );
}

export function tile_unpack_columns(n: i32, src: usize, codes: usize, bytes: i32, order: i32, flip: i32): i32 {
  const mask = lowNibbles(), f = i8x16.splat(<i8>(flip * 17));
  for (let b = 0; b < bytes; b++) {
    const low = rowOf(codes, order, 2 * b, n), high = rowOf(codes, order, 2 * b + 1, n);
    let i = 0;
    for (const body = n & ~15; i < body; i += 16) {
      const v = v128.xor(bytes == 1 ? v128.load(src + i) : bytesOfWords(src + (<usize>i << 2), b), f);
      v128.store(low + i, v128.and(v, mask));
      v128.store(high + i, v128.and(i16x8.shr_u(v, 4), mask));
    }
    for (; i < n; i++) {
      const byte = <i32>load<u8>(src + i * bytes + b) ^ (flip * 17);
      store<u8>(low + i, <u8>(byte & 15));
      store<u8>(high + i, <u8>(byte >> 4));
    }
  }
  return 0;
}

// Sixteen bytes of codes in low and in high halves.
@inline function joinedRows(codes: usize, order: i32, b: i32, n: i32, f: v128): v128 {
  const low = v128.load(rowOf(codes, order, 2 * b, n)), high = v128.load(rowOf(codes, order, 2 * b + 1, n));
  return v128.xor(v128.or(low, i16x8.shl(high, 4)), f);
}

export function tile_pack_columns(n: i32, dst: usize, codes: usize, bytes: i32, order: i32, flip: i32): i32 {
  const f = i8x16.splat(<i8>(flip * 17));
  let i = 0;
  for (const body = n & ~15; i < body; i += 16) {
    const p = joinedRows(codes + i, order, 0, n, f);
    if (bytes == 1) {
      v128.store(dst + i, p);
      continue;
    }
    const q = joinedRows(codes + i, order, 1, n, f), r = joinedRows(codes + i, order, 2, n, f), s = joinedRows(codes + i, order, 3, n, f);
    const a = bytesLow(p, q), b = bytesLow(r, s), c = bytesHigh(p, q), d = bytesHigh(r, s), to = dst + (<usize>i << 2);
    v128.store(to, wordsLow(a, b));
    v128.store(to, wordsHigh(a, b), 16);
    v128.store(to, wordsLow(c, d), 32);
    v128.store(to, wordsHigh(c, d), 48);
  }
  for (; i < n; i++) {
    for (let b = 0; b < bytes; b++) {
      const low = <i32>load<u8>(rowOf(codes, order, 2 * b, n) + i), high = <i32>load<u8>(rowOf(codes, order, 2 * b + 1, n) + i);
      store<u8>(dst + i * bytes + b, <u8>((low | (high << 4)) ^ (flip * 17)));
    }
  }
  return 0;
}
