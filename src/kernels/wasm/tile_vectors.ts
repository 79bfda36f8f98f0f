// Vectors with one range for all: Lucene's codes, and the number of each vector by which
// scores are corrected. One float32 rounding for each operation.

import { lowNibbleOfWord, pin, roundMagic, zero } from "./common";

const BELOW_HALF: f32 = reinterpret<f32>(0x3effffff);

// Round half up of (x - lower) * scale, x - lower being cut to 0 ... width. What is
// added is the float32 below 1/2, so that nothing below a half is rounded up.
@inline function codesOf(src: usize, low: v128, w: v128, s: v128, z: v128, half: v128, magic: v128, mask: v128): v128 {
  const d = f32x4.pmin(f32x4.pmax(z, f32x4.sub(v128.load(src), low)), w);
  const t = f32x4.floor(f32x4.add(f32x4.pmax(z, f32x4.mul(d, s)), half));
  return v128.and(f32x4.add(t, magic), mask);
}

export function vector_codes(n: i32, src: usize, codes: usize, lower: f32, width: f32, scale: f32): i32 {
  const z = zero(), low = pin(lower), w = pin(width), s = pin(scale), half = pin(BELOW_HALF), magic = roundMagic(), mask = lowNibbleOfWord();
  const end = codes + <usize>n;
  for (const body = codes + <usize>(n & ~15); codes < body; codes += 16) {
    v128.store(codes, i8x16.narrow_i16x8_u(
      i16x8.narrow_i32x4_s(codesOf(src, low, w, s, z, half, magic, mask), codesOf(src + 16, low, w, s, z, half, magic, mask)),
      i16x8.narrow_i32x4_s(codesOf(src + 32, low, w, s, z, half, magic, mask), codesOf(src + 48, low, w, s, z, half, magic, mask)),
    ));
    src += 64;
  }
  for (; codes < end; codes++) {
    const t = max(min(max(load<f32>(src) - lower, 0), width) * scale, 0);
    store<u8>(codes, <u8>floor(t + BELOW_HALF));
    src += 4;
  }
  return 0;
}

// What a value adds: lower * (x - lower / 2) + (d - e) * e, d being x - lower, e the step times the code.
@inline function terms(src: usize, codes: usize, low: v128, halfLow: v128, st: v128): v128 {
  const x = v128.load(src), d = f32x4.sub(x, low);
  const words = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(codes)));
  const e = f32x4.mul(f32x4.convert_i32x4_s(words), st);
  return f32x4.add(f32x4.mul(low, f32x4.sub(x, halfLow)), f32x4.mul(f32x4.sub(d, e), e));
}

// Sums of four vectors at a time, each from its first value to its last.
function sumsOfFour(
  columns: i32, s0: usize, s1: usize, s2: usize, s3: usize, c0: usize, c1: usize, c2: usize, c3: usize,
  sums: usize, lower: f32, halfLower: f32, step: f32,
): void {
  const low = pin(lower), half = pin(halfLower), st = pin(step);
  let sum = zero();
  for (const end = s0 + (<usize>(columns & ~3) << 2); s0 < end;) {
    const a = terms(s0, c0, low, half, st), b = terms(s1, c1, low, half, st);
    const c = terms(s2, c2, low, half, st), d = terms(s3, c3, low, half, st);
    const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5), ab2 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5), cd2 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
    sum = f32x4.add(sum, v128.shuffle<i64>(ab, cd, 0, 2));
    sum = f32x4.add(sum, v128.shuffle<i64>(ab, cd, 1, 3));
    sum = f32x4.add(sum, v128.shuffle<i64>(ab2, cd2, 0, 2));
    sum = f32x4.add(sum, v128.shuffle<i64>(ab2, cd2, 1, 3));
    s0 += 16;
    s1 += 16;
    s2 += 16;
    s3 += 16;
    c0 += 4;
    c1 += 4;
    c2 += 4;
    c3 += 4;
  }
  v128.store(sums, sum);
}

const SUMS: usize = memory.data(16, 16);

export function vector_corrections(
  rows: i32, columns: i32, src: usize, codes: usize, out: usize, lower: f32, halfLower: f32, step: f32,
): i32 {
  const whole = <usize>(columns & ~3);
  for (let row = 0; row < rows; row += 4) {
    // Beyond the last one it is taken again.
    const r1 = min(row + 1, rows - 1), r2 = min(row + 2, rows - 1), r3 = min(row + 3, rows - 1);
    const first = <usize>row * columns, second = <usize>r1 * columns, third = <usize>r2 * columns, fourth = <usize>r3 * columns;
    sumsOfFour(
      columns, src + (first << 2), src + (second << 2), src + (third << 2), src + (fourth << 2),
      codes + first, codes + second, codes + third, codes + fourth, SUMS, lower, halfLower, step,
    );
    for (let r = row; r < min(row + 4, rows); r++) {
      let sum = load<f32>(SUMS + (<usize>(r - row) << 2));
      for (let i = <usize>r * columns + whole, end = <usize>(r + 1) * columns; i < end; i++) {
        const x = load<f32>(src + (i << 2)), d = x - lower, e = <f32>load<u8>(codes + i) * step;
        sum += lower * (x - halfLower) + (d - e) * e;
      }
      store<f32>(out + (<usize>r << 2), sum);
    }
  }
  return 0;
}
