// Rows of quantized weights times a vector of activations.
//
// Activations are whole numbers in blocks of 32 with a step each. Blocks go in
// fours, one to a lane: exact sums, then float32. What is known of four blocks of
// activations is a record of FACTS bytes, zeros where the row has no such block:
//   0 f32x4 steps   16 i32x4 sums of the numbers   32 f32x4 step · sum
// src/search/matmul.ts has the twin in plain JS.

import { products, sumOfEach, sumOfLanes, nibbleMask, rebias } from "./scan";

const FACTS: usize = 48;

// Two codes to a byte, the first in the low nibble; signed. `per` blocks share a scale.
export function multiply_int4(rows: i32, codes: usize, blocks: i32, scales: usize, zeros: usize, per: i32, numbers: usize, facts: usize, out: usize): void {
  const m = nibbleMask(), none = i32x4.splat(0), sign = i8x16.splat(-0x78), eight = i32x4.splat(8);
  const groups = usize((blocks + per - 1) / per);
  for (let r = 0; r < rows; r++, out += 4) {
    let total = f32x4.splat(0), q = numbers, f = facts;
    for (let b = 0; b < blocks; b += 4, q += 256, f += FACTS) {
      const left = blocks - b;
      const s0 = int4Block(codes, q, m, sign), s1 = left > 1 ? int4Block(codes + 16, q + 64, m, sign) : none;
      const s2 = left > 2 ? int4Block(codes + 32, q + 128, m, sign) : none, s3 = left > 3 ? int4Block(codes + 48, q + 192, m, sign) : none;
      codes += min(left, 4) << 4;
      let offset = eight;
      if (zeros) offset = i32x4.add(offset, fourZeros(zeros, b, per, left));
      const sum = i32x4.sub(sumOfEach(s0, s1, s2, s3), i32x4.mul(offset, v128.load(f, 16)));
      total = f32x4.add(total, f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(fourScales(scales, b, per, left), v128.load(f))));
    }
    store<f32>(out, sumOfLanes(total));
    scales += groups << 2;
    if (zeros) zeros += groups;
  }
}

@inline function int4Block(codes: usize, q: usize, m: v128, sign: v128): v128 {
  return products(v128.xor(v128.load(codes), sign), m, v128.load(q), v128.load(q, 16), v128.load(q, 32), v128.load(q, 48));
}

@inline function fourScales(scales: usize, b: i32, per: i32, left: i32): v128 {
  if (left >= 4) {
    if (per === 1) return v128.load(scales + (usize(b) << 2));
    if ((per & 3) === 0) return f32x4.splat(load<f32>(scales + (usize(b / per) << 2)));
  }
  let v = f32x4.splat(load<f32>(scales + (usize(b / per) << 2)));
  if (left > 1) v = v128.load32_lane(scales + (usize((b + 1) / per) << 2), v, 1);
  if (left > 2) v = v128.load32_lane(scales + (usize((b + 2) / per) << 2), v, 2);
  if (left > 3) v = v128.load32_lane(scales + (usize((b + 3) / per) << 2), v, 3);
  return v;
}

@inline function fourZeros(zeros: usize, b: i32, per: i32, left: i32): v128 {
  let v = i32x4.splat(load<i8>(zeros + usize(b / per)));
  if (left > 1) v = i32x4.replace_lane(v, 1, load<i8>(zeros + usize((b + 1) / per)));
  if (left > 2) v = i32x4.replace_lane(v, 2, load<i8>(zeros + usize((b + 2) / per)));
  if (left > 3) v = i32x4.replace_lane(v, 3, load<i8>(zeros + usize((b + 3) / per)));
  return v;
}

// Any finite float16 as the float32 that it is.
@inline function halves(bits: v128): v128 {
  const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16);
  return v128.or(f32x4.mul(i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13), rebias()), sign);
}

// ggml's Q4_0: a float16 scale and sixteen bytes; byte k has value k in its low nibble and value k + 16 in its high.
export function multiply_q4_0(rows: i32, block: usize, blocks: i32, numbers: usize, facts: usize, out: usize): void {
  const m = nibbleMask(), none = i32x4.splat(0), eight = i32x4.splat(8);
  for (let r = 0; r < rows; r++, out += 4) {
    let total = f32x4.splat(0), q = numbers, f = facts;
    for (let b = 0; b < blocks; b += 4, q += 256, f += FACTS) {
      const left = blocks - b;
      const s0 = q4Block(block + 2, q, m), s1 = left > 1 ? q4Block(block + 20, q + 64, m) : none;
      const s2 = left > 2 ? q4Block(block + 38, q + 128, m) : none, s3 = left > 3 ? q4Block(block + 56, q + 192, m) : none;
      let bits = i32x4.splat(load<u16>(block));
      if (left > 1) bits = i32x4.replace_lane(bits, 1, load<u16>(block + 18));
      if (left > 2) bits = i32x4.replace_lane(bits, 2, load<u16>(block + 36));
      if (left > 3) bits = i32x4.replace_lane(bits, 3, load<u16>(block + 54));
      block += usize(min(left, 4)) * 18;
      const sum = i32x4.sub(sumOfEach(s0, s1, s2, s3), i32x4.mul(eight, v128.load(f, 16)));
      total = f32x4.add(total, f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(halves(bits), v128.load(f))));
    }
    store<f32>(out, sumOfLanes(total));
  }
}

@inline function q4Block(codes: usize, q: usize, m: v128): v128 {
  return products(v128.load(codes), m, v128.load(q), v128.load(q, 16), v128.load(q, 32), v128.load(q, 48));
}

// Half of two groups of 32: the low nibbles are of one, the high nibbles of the other.
@inline function lowNibbles(v: v128, m: v128, q: usize): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(v128.and(v, m), v128.load(q)), i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(v, 8), m), v128.load(q, 16)));
}
@inline function highNibbles(v: v128, m: v128, q: usize): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(v, 4), m), v128.load(q)), i32x4.dot_i16x8_s(i16x8.shr_u(v, 12), v128.load(q, 16)));
}

// ggml's Q4_K: float16 d and dmin, 6-bit scales and minimums of eight groups, 128 bytes of codes.
export function multiply_q4_k(rows: i32, block: usize, supers: i32, numbers: usize, facts: usize, out: usize): void {
  const m = nibbleMask();
  for (let r = 0; r < rows; r++, out += 4) {
    let total = f32x4.splat(0), q = numbers, f = facts;
    for (let b = 0; b < supers; b++, block += 144) {
      const d = halves(i32x4.splat(load<u16>(block))), dmin = halves(i32x4.splat(load<u16>(block + 2)));
      const low = load<u32>(block + 4), middle = load<u32>(block + 8), high = load<u32>(block + 12);
      // Four 6-bit numbers to a word: of groups 0 … 3, then of groups 4 … 7.
      const s0 = low & 0x3f3f3f3f, m0 = middle & 0x3f3f3f3f;
      const s1 = (high & 0x0f0f0f0f) | ((low >> 2) & 0x30303030), m1 = ((high >> 4) & 0x0f0f0f0f) | ((middle >> 2) & 0x30303030);
      total = halfSuper(total, block + 16, q, f, m, d, dmin, s0, m0);
      total = halfSuper(total, block + 80, q + 256, f + FACTS, m, d, dmin, s1, m1);
      q += 512;
      f += 2 * FACTS;
    }
    store<f32>(out, sumOfLanes(total));
  }
}

@inline function bytesAsFloats(word: u32): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(i32x4.splat(word))));
}

@inline function halfSuper(total: v128, codes: usize, q: usize, f: usize, m: v128, d: v128, dmin: v128, scales: u32, mins: u32): v128 {
  const a = v128.load(codes), b = v128.load(codes, 16), c = v128.load(codes, 32), e = v128.load(codes, 48);
  const sum = sumOfEach(
    i32x4.add(lowNibbles(a, m, q), lowNibbles(b, m, q + 32)),
    i32x4.add(highNibbles(a, m, q + 64), highNibbles(b, m, q + 96)),
    i32x4.add(lowNibbles(c, m, q + 128), lowNibbles(e, m, q + 160)),
    i32x4.add(highNibbles(c, m, q + 192), highNibbles(e, m, q + 224)),
  );
  const scale = f32x4.mul(f32x4.mul(d, bytesAsFloats(scales)), v128.load(f)), minimum = f32x4.mul(dmin, bytesAsFloats(mins));
  return f32x4.sub(f32x4.add(total, f32x4.mul(f32x4.convert_i32x4_s(sum), scale)), f32x4.mul(minimum, v128.load(f, 32)));
}
