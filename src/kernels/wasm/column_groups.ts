// Groups one column wide and several rows high, as where scales go along columns: a
// module of its own. A tile starts with a group of `first` rows, all others are `group`
// rows high but for what is cut off at its end; the numbers of a row of groups, one for
// each column, lie `stride` bytes beyond those of the row before. Rows are worked on one
// after another, and every column has numbers of its own in each lane.

import { bytesHigh, bytesLow, magnitudeBits, pin, roundMagic, settleNaNs, wordsHigh, wordsLow } from "./common";
import { areOrdinary } from "./tile_encode";
import { BF16, F16, F16_CONSTANTS, computed, cutTo, toF16, toSmallF16 } from "./tile_round";

// How many groups a tile has.
@inline function numbersOf(rows: i32, first: i32, group: i32, stride: i32): i32 {
  return (stride >> 2) * ((rows - first + 2 * group - 1) / group);
}

// ---- ranges ----

// Floats in the order of integers, -0 before 0, and back.
@inline function ordered(x: v128): v128 {
  return v128.xor(x, v128.and(i32x4.shr_s(x, 31), magnitudeBits()));
}
@inline function orderedOne(x: i32): i32 { return x ^ ((x >> 31) & 0x7fffffff); }

const INFINITY_BITS: i32 = 0x7f800000;
// What -Infinity is in this order.
const LEAST: i32 = INFINITY_BITS ^ -1;

// Ranges of `columns` groups, of `rows` rows.
function rangesDown(rows: i32, columns: i32, src: usize, mins: usize, maxs: usize): bool {
  const row = <usize>columns << 2, from = i32x4.splat(LEAST), to = i32x4.splat(INFINITY_BITS);
  let good = i32x4.splat(-1);
  let c = columns;
  for (; c >= 8; c -= 8) {
    let a = ordered(v128.load(src)), b = ordered(v128.load(src, 16)), e = a, f = b, p = src + row;
    for (let r = rows - 1; r > 0; r--) {
      const x = ordered(v128.load(p)), y = ordered(v128.load(p, 16));
      a = i32x4.min_s(a, x);
      e = i32x4.max_s(e, x);
      b = i32x4.min_s(b, y);
      f = i32x4.max_s(f, y);
      p += row;
    }
    good = v128.and(good, v128.and(i32x4.gt_s(i32x4.min_s(a, b), from), i32x4.lt_s(i32x4.max_s(e, f), to)));
    v128.store(mins, ordered(a));
    v128.store(mins, ordered(b), 16);
    v128.store(maxs, ordered(e));
    v128.store(maxs, ordered(f), 16);
    src += 32;
    mins += 32;
    maxs += 32;
  }
  let all = i32x4.all_true(good);
  for (; c > 0; c--) {
    let least = orderedOne(load<i32>(src)), largest = least, p = src;
    for (let r = rows - 1; r > 0; r--) {
      p += row;
      const x = orderedOne(load<i32>(p));
      least = min(least, x);
      largest = max(largest, x);
    }
    all = all && least > LEAST && largest < INFINITY_BITS;
    store<i32>(mins, orderedOne(least));
    store<i32>(maxs, orderedOne(largest));
    src += 4;
    mins += 4;
    maxs += 4;
  }
  return all;
}

// Smallest and largest value of every group. 1 where a value is not finite.
export function tile_ranges(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, mins: usize, maxs: usize,
): i32 {
  for (let size = first; rows > 0; rows -= size, size = group) {
    const n = min(size, rows);
    if (!rangesDown(n, columns, src, mins, maxs)) return 1;
    src += <usize>(n * columns) << 2;
    mins += <usize>stride;
    maxs += <usize>stride;
  }
  return 0;
}

// ---- codes ----

// Ways to round, as src/schemes/tile_codes.ts numbers them.
const DIVIDE: i32 = 0;
const ADD: i32 = 4;
const ADD_SIGNED: i32 = 5;
const MULTIPLY: i32 = 6;
const MULTIPLY_ADD: i32 = 7;

// Codes of four columns in words: what is added to steps before they are rounded, and
// what the sum with the magic number has in front of a code.
@inline function codesOf(
  x: v128, s: v128, o: v128, signed: v128, toSteps: v128, z: v128, fifteen: v128, magic: v128, product: bool,
): v128 {
  const before = v128.and(toSteps, f32x4.sub(o, signed)), after = v128.bitselect(signed, o, toSteps);
  const t = f32x4.add(product ? f32x4.mul(x, s) : f32x4.div(x, s), before);
  const low = f32x4.sub(z, after), high = f32x4.sub(fifteen, after);
  return i32x4.sub(f32x4.add(f32x4.pmin(f32x4.pmax(low, t), high), magic), f32x4.sub(magic, after));
}

@inline function encodeColumns(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32, product: bool,
): void {
  const magic = roundMagic(), z = pin(0), fifteen = pin(15);
  const toSteps = pin(reinterpret<f32>(way == DIVIDE || way == MULTIPLY ? 0 : -1)), signed = pin(way == ADD_SIGNED ? 8 : 0);
  for (let size = first; rows > 0; rows -= size, size = group) {
    for (let r = min(size, rows); r > 0; r--) {
      let s = scales, o = offsets, c = columns;
      for (; c >= 16; c -= 16) {
        v128.store(codes, i8x16.narrow_i16x8_u(
          i16x8.narrow_i32x4_s(
            codesOf(v128.load(src), v128.load(s), v128.load(o), signed, toSteps, z, fifteen, magic, product),
            codesOf(v128.load(src, 16), v128.load(s, 16), v128.load(o, 16), signed, toSteps, z, fifteen, magic, product),
          ),
          i16x8.narrow_i32x4_s(
            codesOf(v128.load(src, 32), v128.load(s, 32), v128.load(o, 32), signed, toSteps, z, fifteen, magic, product),
            codesOf(v128.load(src, 48), v128.load(s, 48), v128.load(o, 48), signed, toSteps, z, fifteen, magic, product),
          ),
        ));
        src += 64;
        s += 64;
        o += 64;
        codes += 16;
      }
      for (; c > 0; c--) {
        const word = codesOf(
          v128.load32_splat(src), v128.load32_splat(s), v128.load32_splat(o), signed, toSteps, z, fifteen, magic, product,
        );
        v128.store8_lane(codes, word, 0);
        src += 4;
        s += 4;
        o += 4;
        codes++;
      }
    }
    scales += <usize>stride;
    offsets += <usize>stride;
  }
}

@noinline function byQuotients(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32,
): void {
  encodeColumns(rows, columns, first, group, stride, src, codes, scales, offsets, way, false);
}
@noinline function byProducts(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32,
): void {
  encodeColumns(rows, columns, first, group, stride, src, codes, scales, offsets, way, true);
}

// Codes on an even grid; 1 for ways other than these, steps that are rounded to a type, and numbers that the scalar way has to do.
export function tile_encode_steps(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32, dtype: i32,
): i32 {
  if (dtype || !areOrdinary(numbersOf(rows, first, group, stride), scales, offsets, way)) return 1;
  if (way == MULTIPLY || way == MULTIPLY_ADD) byProducts(rows, columns, first, group, stride, src, codes, scales, offsets, way);
  else if (way == DIVIDE || way == ADD || way == ADD_SIGNED) byQuotients(rows, columns, first, group, stride, src, codes, scales, offsets, way);
  else return 1;
  return 0;
}

// ---- values ----

// Ways to decode, as src/schemes/tile_values.ts numbers them.
const BIAS: i32 = 1;
const STEP: i32 = 2;

// How differences and products are rounded.
const IN_F32: i32 = 0;
const IN_BF16: i32 = 1;
const IN_SMALL_F16: i32 = 2;
const IN_ANY: i32 = 3;

@inline function valueOf(
  g: v128, s: v128, o: v128, way: i32, kind: i32,
  below: v128, one: v128, keep: v128, exponent: v128, least: v128, up: v128, k: v128,
): v128 {
  let d = f32x4.sub(g, o);
  if (way == STEP) {
    if (kind != IN_F32) d = cutTo(d, below, one, keep, kind == IN_BF16 ? 16 : 13);
  }
  const x = f32x4.mul(d, s);
  return kind == IN_F32 ? x
    : kind == IN_BF16 ? cutTo(x, below, one, keep, 16)
    : toSmallF16(x, exponent, least, up, k);
}

// Less than a vector of codes, of any numbers.
@noinline function decodeRest(n: i32, codes: usize, s: usize, o: usize, grid: usize, out: usize, way: i32, dtype: i32): void {
  for (; n > 0; n--) {
    let d = f32x4.sub(v128.load32_splat(grid + (<usize>load<u8>(codes) << 2)), v128.load32_splat(o));
    if (way == STEP) d = computed(d, dtype);
    v128.store32_lane(out, computed(f32x4.mul(d, v128.load32_splat(s)), dtype), 0);
    codes++;
    s += 4;
    o += 4;
    out += 4;
  }
}

// Numbers that are not finite, or too large to be sure.
function decodeAny(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize, way: i32, dtype: i32,
): void {
  for (let size = first; rows > 0; rows -= size, size = group) {
    for (let r = min(size, rows); r > 0; r--) {
      decodeRest(columns, codes, scales, offsets, grid, out, way, dtype);
      codes += <usize>columns;
      out += <usize>columns << 2;
    }
    scales += <usize>stride;
    offsets += <usize>stride;
  }
}

@inline function decodeColumns(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize, way: i32, kind: i32, dtype: i32,
): void {
  const bits = kind == IN_BF16 ? 16 : 13;
  const below = pin(reinterpret<f32>((1 << (bits - 1)) - 1)), one = pin(reinterpret<f32>(1)), keep = pin(reinterpret<f32>(-1 << bits));
  const exponent = v128.load(F16_CONSTANTS), least = v128.load(F16_CONSTANTS, 16), up = v128.load(F16_CONSTANTS, 48), k = magnitudeBits();
  // Upper halves of the grid, which has no lower ones: planes of bytes.
  const e = v128.shuffle<i8>(v128.load(grid), v128.load(grid, 16), 2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
  const f = v128.shuffle<i8>(v128.load(grid, 32), v128.load(grid, 48), 2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
  const p2 = v128.shuffle<i64>(e, f, 0, 2), p3 = v128.shuffle<i64>(e, f, 1, 3), z = pin(0);
  for (let size = first; rows > 0; rows -= size, size = group) {
    for (let r = min(size, rows); r > 0; r--) {
      let s = scales, o = offsets, c = columns;
      for (; c >= 16; c -= 16) {
        const v = v128.load(codes), i = i8x16.swizzle(p2, v), j = i8x16.swizzle(p3, v);
        const low = bytesLow(i, j), high = bytesHigh(i, j);
        v128.store(out, valueOf(wordsLow(z, low), v128.load(s), v128.load(o), way, kind, below, one, keep, exponent, least, up, k));
        v128.store(out, valueOf(wordsHigh(z, low), v128.load(s, 16), v128.load(o, 16), way, kind, below, one, keep, exponent, least, up, k), 16);
        v128.store(out, valueOf(wordsLow(z, high), v128.load(s, 32), v128.load(o, 32), way, kind, below, one, keep, exponent, least, up, k), 32);
        v128.store(out, valueOf(wordsHigh(z, high), v128.load(s, 48), v128.load(o, 48), way, kind, below, one, keep, exponent, least, up, k), 48);
        codes += 16;
        s += 64;
        o += 64;
        out += 64;
      }
      decodeRest(c, codes, s, o, grid, out, way, dtype);
      codes += <usize>c;
      out += <usize>c << 2;
    }
    scales += <usize>stride;
    offsets += <usize>stride;
  }
}

// A function for each, so that what is loaded once stays in registers.
@noinline function inF32(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decodeColumns(rows, columns, first, group, stride, codes, scales, offsets, grid, out, 0, IN_F32, 0);
}
@noinline function inBF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decodeColumns(rows, columns, first, group, stride, codes, scales, offsets, grid, out, 0, IN_BF16, BF16);
}
@noinline function bySteps(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decodeColumns(rows, columns, first, group, stride, codes, scales, offsets, grid, out, STEP, IN_BF16, BF16);
}
@noinline function inSmallF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decodeColumns(rows, columns, first, group, stride, codes, scales, offsets, grid, out, 0, IN_SMALL_F16, F16);
}
@noinline function bySmallSteps(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  decodeColumns(rows, columns, first, group, stride, codes, scales, offsets, grid, out, STEP, IN_SMALL_F16, F16);
}
// Whether an entry of a grid is no bfloat16, or no whole number up to 16.
function isOther(grid: usize): bool {
  for (let k: usize = 0; k < 64; k += 4) {
    const g = load<f32>(grid + k);
    if (load<u16>(grid + k) || g != nearest(g) || abs(g) > 16) return true;
  }
  return false;
}

// How values are rounded: by the quickest way that is right for all groups.
function kindOf(n: i32, scales: usize, offsets: usize, way: i32, dtype: i32): i32 {
  const k = magnitudeBits(), most = pin(dtype == F16 ? 65000 : Infinity), more = pin(17);
  for (const end = scales + (<usize>n << 2); scales < end; scales += 4) {
    const s = v128.load32_splat(scales), o = v128.load32_splat(offsets);
    const product = f32x4.mul(f32x4.add(v128.and(o, k), more), v128.and(s, k));
    // Differences of float16 and whole numbers are float16 where they are less than its normal numbers.
    const isExact = dtype != F16 || way != STEP ? f32x4.eq(o, o) : f32x4.eq(o, toF16(o));
    if (!i32x4.all_true(v128.and(f32x4.lt(product, most), isExact))) return IN_ANY;
    offsets += 4;
  }
  return dtype == F16 ? IN_SMALL_F16 : dtype == BF16 ? IN_BF16 : IN_F32;
}

// Values of codes. 1 for grids of other than small whole numbers, and for biases.
export function tile_decode(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  codes: usize, scales: usize, offsets: usize, grid: usize, out: usize, way: i32, dtype: i32,
): i32 {
  if (way == BIAS || isOther(grid)) return 1;
  const kind = kindOf(numbersOf(rows, first, group, stride), scales, offsets, way, dtype);
  if (kind == IN_F32) inF32(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else if (kind == IN_BF16 && way == STEP) bySteps(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else if (kind == IN_BF16) inBF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else if (kind == IN_SMALL_F16 && way == STEP) bySmallSteps(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else if (kind == IN_SMALL_F16) inSmallF16(rows, columns, first, group, stride, codes, scales, offsets, grid, out);
  else {
    decodeAny(rows, columns, first, group, stride, codes, scales, offsets, grid, out, way, dtype);
    settleNaNs(out, out + (<usize>(rows * columns) << 2));
  }
  return 0;
}
