// Rows to codes and scales: centre, turn, search, pack. src/search/rows.ts and
// src/search/rotation.ts do the same in plain JS, to the bit.

import { belowThreshold, bestScale, levelsOf, Point, prepareGroup } from "./scale";
import { turn } from "./turn";
import * as Job from "./job";

// The rows' values less the centre, zeros up to the length of a row in memory.
function takeRow(src: usize, dimension: usize, center: usize, row: usize, length: usize): void {
  const bytes = dimension << 2;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const v = v128.load(src + i);
    v128.store(row + i, center ? f32x4.sub(v, v128.load(center + i)) : v);
  }
  for (; i < bytes; i += 4) store<f32>(row + i, center ? load<f32>(src + i) - load<f32>(center + i) : load<f32>(src + i));
  for (const end = length << 2; i < end; i += 4) store<f32>(row + i, 0);
}

// Two codes to a byte. A level l of a negative value is code 7 − l, of others 8 + l.
// Returns Σ x² in two lanes, even places and odd ones: a chain of additions, for
// which there is time while codes are found.
function packGroup(job: usize, values: usize, magnitudes: usize, size: usize, scale: f64, codes: usize): f64 {
  const t1 = belowThreshold(job, 0, scale), t2 = belowThreshold(job, 1, scale), t3 = belowThreshold(job, 2, scale), t4 = belowThreshold(job, 3, scale);
  const t5 = belowThreshold(job, 4, scale), t6 = belowThreshold(job, 5, scale), t7 = belowThreshold(job, 6, scale);
  const eight = i32x4.splat(8), fifteen = i32x4.splat(15), zero = f32x4.splat(0), byte = i16x8.splat(255);
  let squares = f64x2.splat(0);
  for (let i: usize = 0; i < size; i += 16, codes += 8) {
    const v = values + (i << 2), m = magnitudes + (i << 2);
    const v0 = v128.load(v), v1 = v128.load(v, 16), v2 = v128.load(v, 32), v3 = v128.load(v, 48);
    squares = addSquares(addSquares(addSquares(addSquares(squares, v0), v1), v2), v3);
    const l0 = levelsOf(v128.load(m), t1, t2, t3, t4, t5, t6, t7), l1 = levelsOf(v128.load(m, 16), t1, t2, t3, t4, t5, t6, t7);
    const l2 = levelsOf(v128.load(m, 32), t1, t2, t3, t4, t5, t6, t7), l3 = levelsOf(v128.load(m, 48), t1, t2, t3, t4, t5, t6, t7);
    const c0 = v128.and(v128.xor(i32x4.sub(eight, l0), f32x4.lt(v0, zero)), fifteen);
    const c1 = v128.and(v128.xor(i32x4.sub(eight, l1), f32x4.lt(v1, zero)), fifteen);
    const c2 = v128.and(v128.xor(i32x4.sub(eight, l2), f32x4.lt(v2, zero)), fifteen);
    const c3 = v128.and(v128.xor(i32x4.sub(eight, l3), f32x4.lt(v3, zero)), fifteen);
    const w = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(c0, c1), i16x8.narrow_i32x4_s(c2, c3));
    const pairs = v128.and(v128.or(w, i16x8.shr_u(w, 4)), byte);
    v128.store64_lane(codes, i8x16.narrow_i16x8_u(pairs, pairs), 0);
  }
  return f64x2.extract_lane(squares, 0) + f64x2.extract_lane(squares, 1);
}

@inline function addSquares(sum: v128, v: v128): v128 {
  const low = f64x2.promote_low_f32x4(v), high = f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 1));
  return f64x2.add(f64x2.add(sum, f64x2.mul(low, low)), f64x2.mul(high, high));
}

function encodeGroup(job: usize, values: usize, size: usize, codes: usize): f32 {
  const unit = prepareGroup(job, values, size);
  const magnitudes = Job.magnitudes(job);
  if (unit === 0) {
    packGroup(job, values, magnitudes, size, 1, codes);
    return 0;
  }
  const point = bestScale(job, size);
  const p = load<f64>(point + Point.P), q = load<f64>(point + Point.Q);
  const squares = packGroup(job, values, magnitudes, size, load<f64>(point + Point.SCALE), codes);
  return load<i32>(job + Job.UNBIASED) ? f32(squares / (p * unit)) : f32(p / q * unit);
}

// float32 from 0 to 1 to float16, half to even.
function toFloat16(x: f32): u32 {
  const bits = reinterpret<u32>(x);
  if (bits < 0x38800000) return reinterpret<u32>(x + 0.5) - 0x3f000000;
  return (bits - 0x38000000 + 0xfff + ((bits >> 13) & 1)) >> 13;
}

export function encode_rows(count: i32, src: usize, dimension: usize, center: usize, job: usize, codes: usize, scales: usize, fractions: usize): void {
  const length = usize(load<u32>(job + Job.LENGTH)), size = usize(load<u32>(job + Job.GROUP));
  const row = Job.row(job), groupScales = Job.groupScales(job);
  for (let r = 0; r < count; r++) {
    takeRow(src, dimension, center, row, length);
    src += dimension << 2;
    const values = turn(job, row, length);
    let largest: f32 = 0, at = groupScales;
    for (let from: usize = 0; from < length; from += size) {
      const scale = encodeGroup(job, values + (from << 2), size, codes);
      codes += size >> 1;
      largest = max(largest, scale);
      store<f32>(at, scale);
      at += 4;
    }
    store<f32>(scales, largest);
    scales += 4;
    if (!fractions) continue;
    for (let g = groupScales; g < at; g += 4, fractions += 2) {
      store<u16>(fractions, largest === 0 ? 0 : toFloat16(load<f32>(g) / largest));
    }
  }
}
