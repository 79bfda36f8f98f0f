// Codes by thresholds, for groups of whole vectors of sixteen values.

import { bytesHigh, bytesLow, pin, wordsHigh, wordsLow } from "./common";

// ---- by halving ----

// How many of fifteen ascending thresholds x exceeds; `table` holds them in the
// order in which they are asked for:
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

export function encodeByHalving(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, factors: usize, table: usize,
): void {
  const top = v128.load(table), second = v128.load(table, 16), third = v128.load(table, 32);
  const low = v128.load(table, 48), high = v128.load(table, 64), codesOf = v128.load(table, 80);
  const base = v128.load(CHOICE), four = v128.load(CHOICE, 16), eight = v128.load(CHOICE, 32), one = v128.load(CHOICE, 48);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const f = v128.load32_splat(factors + at);
      for (const end = codes + <usize>min(size, rest); codes < end; codes += 16) {
        const a = f32x4.mul(v128.load(src), f), b = f32x4.mul(v128.load(src, 16), f);
        const c = f32x4.mul(v128.load(src, 32), f), d = f32x4.mul(v128.load(src, 48), f);
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
        v128.store(codes, i8x16.swizzle(codesOf, ranks));
        src += 64;
      }
      at += 4;
    }
    factors += <usize>stride;
  }
}

// ---- by cells ----

// For thresholds between -1 and 1 of which no two have the same whole number nearest
// to fifteen times them: it tells a rank that is right or one too low, and one
// comparison which. `table` holds, from 96 on: the ranks of -15 ... 15 (32 bytes), and
// the four planes of bytes of the thresholds, infinity the last.
@inline function cell(x: v128, fifteen: v128, magic: v128, mask: v128): v128 {
  return v128.and(f32x4.add(f32x4.mul(x, fifteen), magic), mask);
}

export function encodeByCells(
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
      const f = v128.load32_splat(factors + at);
      for (const end = codes + <usize>min(size, rest); codes < end; codes += 16) {
        const a = f32x4.mul(v128.load(src), f), b = f32x4.mul(v128.load(src, 16), f);
        const c = f32x4.mul(v128.load(src, 32), f), d = f32x4.mul(v128.load(src, 48), f);
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
        v128.store(codes, i8x16.swizzle(codesOf, i8x16.sub(ranks, above)));
        src += 64;
      }
      at += 4;
    }
    factors += <usize>stride;
  }
}
