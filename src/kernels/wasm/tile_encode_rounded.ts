// Codes of values that are rounded to a type of 16 bits first, as they are read. For
// groups of whole vectors of sixteen values that are numbers of the type when rounded.

import { pin, roundMagic, zero } from "./common";
import { areOrdinary } from "./tile_encode";
import { F16, F16_CONSTANTS } from "./tile_round";

// Ways to round steps, as src/schemes/tile_codes.ts numbers them.
const DIVIDE: i32 = 0;
const ADD_SIGNED: i32 = 5;

// How many bits of a float32 a type does not have.
const CUT_F16: i32 = 13;
const CUT_BF16: i32 = 16;

// Half to even.
@inline function cut(x: v128, below: v128, unit: v128, keep: v128, bits: i32): v128 {
  return v128.and(i32x4.add(i32x4.add(x, below), v128.and(i32x4.shr_u(x, bits), unit)), keep);
}

@inline function codesOf(
  src: usize, s: v128, before: v128, low: v128, high: v128, magic: v128, home: v128, exponent: v128, least: v128, up: v128,
  below: v128, unit: v128, keep: v128, bits: i32, steps: i32, sum: bool,
): v128 {
  const x = v128.load(src);
  let y: v128;
  if (bits == CUT_F16) {
    // As toF16 of tile_round.ts, but for the sign of zeros, which no code has.
    const power = i32x4.add(i32x4.max_s(v128.and(x, exponent), least), up);
    y = f32x4.sub(f32x4.add(x, power), power);
  } else y = cut(x, below, unit, keep, bits);
  let t = f32x4.div(y, s);
  // As if types had the exponents of float32: what is too small or too large is clamped or a code's zero either way.
  if (steps) t = cut(t, below, unit, keep, bits);
  if (sum) t = cut(f32x4.add(t, before), below, unit, keep, bits);
  return i32x4.sub(f32x4.add(f32x4.pmin(f32x4.pmax(low, t), high), magic), home);
}

@inline function encode(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, bits: i32, steps: i32, sum: bool,
): void {
  const magic = roundMagic(), z = zero(), fifteen = pin(15), eight = pin(8);
  const exponent = v128.load(F16_CONSTANTS), least = v128.load(F16_CONSTANTS, 16), up = v128.load(F16_CONSTANTS, 48);
  const below = pin(reinterpret<f32>((1 << (bits - 1)) - 1)), unit = pin(reinterpret<f32>(1)), keep = pin(reinterpret<f32>(-1 << bits));
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const s = v128.load32_splat(scales + at), o = v128.load32_splat(offsets + at);
      const before = f32x4.sub(o, eight), after = sum ? eight : o;
      const low = f32x4.sub(z, after), high = f32x4.sub(fifteen, after), home = f32x4.sub(magic, after);
      for (const end = codes + <usize>min(size, rest); codes < end; codes += 16) {
        v128.store(codes, i8x16.narrow_i16x8_u(
          i16x8.narrow_i32x4_s(
            codesOf(src, s, before, low, high, magic, home, exponent, least, up, below, unit, keep, bits, steps, sum),
            codesOf(src + 16, s, before, low, high, magic, home, exponent, least, up, below, unit, keep, bits, steps, sum),
          ),
          i16x8.narrow_i32x4_s(
            codesOf(src + 32, s, before, low, high, magic, home, exponent, least, up, below, unit, keep, bits, steps, sum),
            codesOf(src + 48, s, before, low, high, magic, home, exponent, least, up, below, unit, keep, bits, steps, sum),
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
@noinline function inF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, scales: usize, offsets: usize,
): void {
  encode(rows, columns, first, group, stride, src, codes, scales, offsets, CUT_F16, 0, false);
}
@noinline function inBF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, scales: usize, offsets: usize,
): void {
  encode(rows, columns, first, group, stride, src, codes, scales, offsets, CUT_BF16, 0, false);
}
@noinline function stepsInF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, scales: usize, offsets: usize,
): void {
  encode(rows, columns, first, group, stride, src, codes, scales, offsets, CUT_F16, 1, false);
}
@noinline function stepsInBF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, scales: usize, offsets: usize,
): void {
  encode(rows, columns, first, group, stride, src, codes, scales, offsets, CUT_BF16, 1, false);
}
@noinline function sumsInF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, scales: usize, offsets: usize,
): void {
  encode(rows, columns, first, group, stride, src, codes, scales, offsets, CUT_F16, 1, true);
}
@noinline function sumsInBF16(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, codes: usize, scales: usize, offsets: usize,
): void {
  encode(rows, columns, first, group, stride, src, codes, scales, offsets, CUT_BF16, 1, true);
}

// RNE(x / s) + o, or RNE(x / s + (o - 8)) + 8 whose steps are rounded to the type, too. 1 where
// there are other groups, scales or offsets, or another way.
export function tile_encode_rounded(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32, dtype: i32, steps: i32,
): i32 {
  if (((first | group | columns) & 15) != 0 || way != DIVIDE && (way != ADD_SIGNED || !steps)) return 1;
  const perRow = columns <= first ? 1 : 1 + (columns - first + group - 1) / group;
  if (!areOrdinary(stride ? rows * perRow : perRow, scales, offsets, way)) return 1;
  const f16 = dtype == F16;
  if (way == ADD_SIGNED) {
    if (f16) sumsInF16(rows, columns, first, group, stride, src, codes, scales, offsets);
    else sumsInBF16(rows, columns, first, group, stride, src, codes, scales, offsets);
  } else if (steps) {
    if (f16) stepsInF16(rows, columns, first, group, stride, src, codes, scales, offsets);
    else stepsInBF16(rows, columns, first, group, stride, src, codes, scales, offsets);
  } else if (f16) inF16(rows, columns, first, group, stride, src, codes, scales, offsets);
  else inBF16(rows, columns, first, group, stride, src, codes, scales, offsets);
  return 0;
}
