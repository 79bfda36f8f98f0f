// Codes of a tile: on an even grid, by thresholds, of E2M1. Groups are those of tile.ts.

import { bytesHigh, bytesLow, isFinite32, lowNibbleOfWord, magnitudeBits, pin, roundMagic, wordsHigh, wordsLow, zero } from "./common";
import { BF16, F16, F16_CONSTANTS, computed } from "./tile_round";

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

// The same to the even code, by one sum: with 1.5 * 2^22 times p there is room for steps of
// p / 2, and for no less. Two more, and twice the exponent of p with its bias of 127, leave
// a magnitude in the lowest three bits.
@inline function evenE2M1(q: v128, k: v128, six: v128, one: v128, exponent: v128, up: v128, seven: v128): v128 {
  const a = f32x4.pmin(v128.and(q, k), six), p = v128.and(i32x4.max_s(a, one), exponent);
  return v128.and(i32x4.add(f32x4.add(a, i32x4.add(p, up)), i32x4.shr_u(p, 22)), seven);
}

@inline function quotient(src: usize, f: v128, noSign: v128, product: i32): v128 {
  const x = v128.load(src);
  return f32x4.add(product ? f32x4.mul(x, f) : f32x4.div(x, f), noSign);
}

@noinline function encodeEven(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, factors: usize, rule: i32, product: i32,
): void {
  const six = pin(6), one = pin(1), exponent = v128.load(F16_CONSTANTS), k = magnitudeBits();
  const up = pin(reinterpret<f32>(0x0b400002)), seven = pin(reinterpret<f32>(7)), signs = pin(reinterpret<f32>(0x80808080));
  // Added to -0 it takes the sign away, or leaves it.
  const noSign = pin(rule == SIGNED_E2M1 ? -0.0 : 0);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const f = v128.load32_splat(factors + at);
      let n = min(size, rest);
      for (; n > 0; n -= 16) {
        const s = sixteen(src, n);
        const a = quotient(s, f, noSign, product), b = quotient(s + 16, f, noSign, product);
        const c = quotient(s + 32, f, noSign, product), d = quotient(s + 48, f, noSign, product);
        const magnitudes = i8x16.narrow_i16x8_u(
          i16x8.narrow_i32x4_s(evenE2M1(a, k, six, one, exponent, up, seven), evenE2M1(b, k, six, one, exponent, up, seven)),
          i16x8.narrow_i32x4_s(evenE2M1(c, k, six, one, exponent, up, seven), evenE2M1(d, k, six, one, exponent, up, seven)),
        );
        // As words, negative ones are far below -128.
        const negative = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
        storeCodes(codes, v128.or(magnitudes, i16x8.shr_u(v128.and(negative, signs), 4)), n);
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

// Factors are finite and positive, and values finite: no quotient is a NaN.
export function tile_encode_e2m1(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, factors: usize, rule: i32, product: i32, dtype: i32,
): i32 {
  if (!dtype && rule < LOW) {
    encodeEven(rows, columns, first, group, stride, src, codes, factors, rule, product);
    return 0;
  }
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
