// Codes on an even grid, for groups of whole vectors of sixteen values.

import { lowNibbleOfWord, pin, roundMagic, zero } from "./common";
import { BF16, F16 } from "./tile_round";

// Ways to round, as src/schemes/tiles.ts numbers them.
const DIVIDE: i32 = 0;
const SHIFT: i32 = 1;
const SHIFT_BY_BIAS: i32 = 2;
const RECIPROCAL: i32 = 3;
const ADD: i32 = 4;
const ADD_SIGNED: i32 = 5;
const MULTIPLY: i32 = 6;

// Kinds of them that share a loop.
const QUOTIENT: i32 = 0;
const PRODUCT: i32 = 1;
const SHIFTED: i32 = 2;
const HALF_AWAY: i32 = 3;

// Steps are rounded to a type of 16 bits as if it had the exponents of float32: what is
// too small or too large for it is clamped or a code's zero either way. `bits` are cut off.
@inline function cutBits(x: v128, below: v128, keep: v128, unit: v128, bits: i32): v128 {
  return bits ? v128.and(i32x4.add(i32x4.add(x, below), v128.and(i32x4.shr_u(x, bits), unit)), keep) : x;
}

// One vector of codes by a group's numbers: a scale, what is added before and after it
// is divided by, the ends that steps are clamped to, a NaN to the lower one, and what
// the sum with the magic number has in front of a code.
@inline function codesOf(
  src: usize, s: v128, shift: v128, before: v128, low: v128, high: v128, magic: v128, home: v128,
  below: v128, keep: v128, unit: v128, kind: i32, bits: i32,
): v128 {
  const x = v128.load(src);
  let t: v128;
  if (kind == SHIFTED) t = f32x4.div(f32x4.add(x, shift), s);
  else {
    const steps = kind == QUOTIENT ? f32x4.div(x, s) : f32x4.mul(x, s);
    t = cutBits(f32x4.add(cutBits(steps, below, keep, unit, bits), before), below, keep, unit, bits);
  }
  t = f32x4.pmin(f32x4.pmax(low, t), high);
  // Half away from zero: what is added is the float32 below 1/2, so that nothing below a half is rounded up.
  if (kind == HALF_AWAY) t = f32x4.floor(f32x4.add(t, shift));
  return i32x4.sub(f32x4.add(t, magic), home);
}

const BELOW_HALF: f32 = reinterpret<f32>(0x3effffff);

@inline function encodeGroups(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32, kind: i32, bits: i32,
): void {
  const magic = roundMagic(), z = zero(), fifteen = pin(15), one = pin(1), half = pin(BELOW_HALF);
  const below = pin(reinterpret<f32>((1 << (bits - 1)) - 1)), keep = pin(reinterpret<f32>(-1 << bits)), unit = pin(reinterpret<f32>(1));
  // Offsets are added to steps in float32, or to codes.
  const toSteps = pin(reinterpret<f32>(way >= ADD && way != MULTIPLY ? -1 : 0)), signed = pin(way == ADD_SIGNED ? 8 : 0);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      let s = v128.load32_splat(scales + at), shift = half, before = z, after = z;
      const o = v128.load32_splat(offsets + at);
      if (kind == SHIFTED) shift = way == SHIFT ? f32x4.mul(o, s) : f32x4.neg(o);
      else if (kind == HALF_AWAY) {
        s = v128.andnot(f32x4.div(one, s), f32x4.eq(s, z));
        before = o;
      } else {
        before = v128.and(toSteps, f32x4.sub(o, signed));
        after = v128.bitselect(signed, o, toSteps);
      }
      const low = f32x4.sub(z, after), high = f32x4.sub(fifteen, after), home = f32x4.sub(magic, after);
      for (const end = codes + <usize>min(size, rest); codes < end; codes += 16) {
        v128.store(codes, i8x16.narrow_i16x8_u(
          i16x8.narrow_i32x4_s(
            codesOf(src, s, shift, before, low, high, magic, home, below, keep, unit, kind, bits),
            codesOf(src + 16, s, shift, before, low, high, magic, home, below, keep, unit, kind, bits),
          ),
          i16x8.narrow_i32x4_s(
            codesOf(src + 32, s, shift, before, low, high, magic, home, below, keep, unit, kind, bits),
            codesOf(src + 48, s, shift, before, low, high, magic, home, below, keep, unit, kind, bits),
          ),
        ));
        src += 64;
      }
      at += 4;
    }
    scales += <usize>stride;
    offsets += <usize>stride;
  }
}

// A function for each, so that what is loaded once stays in registers.
@noinline function byQuotients(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, scales, offsets, way, QUOTIENT, 0);
}
@noinline function byQuotientsInF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, scales, offsets, way, QUOTIENT, 13);
}
@noinline function byQuotientsInBF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, scales, offsets, way, QUOTIENT, 16);
}
@noinline function byProducts(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, scales, offsets, way, PRODUCT, 0);
}
@noinline function byShifts(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, scales, offsets, way, SHIFTED, 0);
}
@noinline function byReciprocals(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize,
): void {
  encodeGroups(rows, columns, first, group, stride, src, codes, scales, offsets, RECIPROCAL, HALF_AWAY, 0);
}

export function encodeSteps(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32, dtype: i32,
): void {
  if (way == SHIFT || way == SHIFT_BY_BIAS) byShifts(rows, columns, first, group, stride, src, codes, scales, offsets, way);
  else if (way == RECIPROCAL) byReciprocals(rows, columns, first, group, stride, src, codes, scales, offsets);
  else if (way >= MULTIPLY) byProducts(rows, columns, first, group, stride, src, codes, scales, offsets, way);
  else if (dtype == F16) byQuotientsInF16(rows, columns, first, group, stride, src, codes, scales, offsets, way);
  else if (dtype == BF16) byQuotientsInBF16(rows, columns, first, group, stride, src, codes, scales, offsets, way);
  else byQuotients(rows, columns, first, group, stride, src, codes, scales, offsets, way);
}
