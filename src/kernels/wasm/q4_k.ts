// q4_k: super-blocks of 256 in 144 bytes, laid out as src/formats/q4_k.ts draws
// it: d, dmin (binary16), 12 bytes of 6-bit scales and offsets, 128 bytes of codes.

import { isFive } from "./code_bits";
import {
  bytesHigh, bytesLow, lowNibbleOfWord, lowNibbles, magicHigh, pin, roundMagic, settleNaNs, storeNibbles, wordsHigh, wordsLow, zero,
} from "./common";
import {
  finite, highOf, inverseOf, loadValues, lowOf, minOf, mostMagic, originOf, quadOf, roundable, saneOf, scaleOf, search,
  weighByImportance, weighByMagnitude, weightSumOf,
} from "./affine_search";
import { halvesOf, isOdd, loadHalf, overflowed } from "./float16";
import { sumsOfSquares } from "./groups";
import { bytesOf } from "./five_bits";
import { searchUnsigned } from "./unsigned_search";

// ---- quantizing ----

// For each of the eight groups: the stored scale and offset, and the candidate of
// the search, whose codes stay where the stored scale is 0.
export const STORED_SCALES: usize = memory.data(32, 16);
export const STORED_OFFSETS: usize = memory.data(32, 16);
const INVERSES: usize = memory.data(32, 16);
const ORIGINS: usize = memory.data(32, 16);

@inline function largest(a: v128, b: v128): f32 {
  const m = f32x4.pmax(f32x4.pmax(zero(), a), b);
  return max<f32>(
    max<f32>(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
    max<f32>(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3)),
  );
}

// 6-bit multiples: nearestInt, cut to a byte as the reference does, at most 63.
@inline function multiples(x: v128, inverse: v128): v128 {
  const t = f32x4.add(f32x4.mul(inverse, x), roundMagic());
  return i32x4.min_s(v128.and(t, i32x4.splat(255)), i32x4.splat(63));
}

@inline function packScales(dst: usize, s: v128, s4: v128, m: v128, m4: v128): void {
  const low = i32x4.splat(15);
  const a = v128.or(s, i32x4.shl(i32x4.shr_u(s4, 4), 6)), b = v128.or(m, i32x4.shl(i32x4.shr_u(m4, 4), 6));
  const c = v128.or(v128.and(s4, low), i32x4.shl(v128.and(m4, low), 4));
  const bytes = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, c));
  store<i64>(dst, i64x2.extract_lane(bytes, 0));
  store<i32>(dst, i32x4.extract_lane(bytes, 2), 8);
}

// Keeps what a quad's codes are made of; true where the ends of each group round sanely.
function keepQuad(q: usize, at: usize, d: v128, dmin: v128, s: v128, m: v128): v128 {
  const scale = f32x4.mul(d, f32x4.convert_i32x4_s(s)), offset = f32x4.mul(dmin, f32x4.convert_i32x4_s(m));
  v128.store(STORED_SCALES + at, scale);
  v128.store(STORED_OFFSETS + at, offset);
  v128.store(INVERSES + at, inverseOf(q));
  v128.store(ORIGINS + at, originOf(q));
  const a = roundable(f32x4.div(f32x4.add(lowOf(q), offset), scale));
  const b = roundable(f32x4.div(f32x4.add(highOf(q), offset), scale));
  return v128.or(f32x4.eq(scale, zero()), v128.and(a, b));
}

@inline function codeOf(
  x: v128, scale: v128, offset: v128, inverse: v128, origin: v128, none: v128, magic: v128, most: v128, mask: v128,
): v128 {
  const v = v128.bitselect(
    f32x4.mul(f32x4.sub(x, origin), inverse), f32x4.div(f32x4.add(x, offset), scale), none,
  );
  return v128.and(f32x4.pmin(f32x4.pmax(f32x4.add(v, magic), magic), most), mask);
}

// Sixteen codes, a byte each: at most 31.
@inline function byteCodes(src: usize, at: usize): v128 {
  const scale = v128.load32_splat(STORED_SCALES + at), offset = v128.load32_splat(STORED_OFFSETS + at);
  const inverse = v128.load32_splat(INVERSES + at), origin = v128.load32_splat(ORIGINS + at);
  const none = f32x4.eq(scale, zero()), magic = roundMagic(), most = mostMagic(), mask = i32x4.splat(31);
  return bytesOf(
    codeOf(v128.load(src), scale, offset, inverse, origin, none, magic, most, mask),
    codeOf(v128.load(src, 16), scale, offset, inverse, origin, none, magic, most, mask),
    codeOf(v128.load(src, 32), scale, offset, inverse, origin, none, magic, most, mask),
    codeOf(v128.load(src, 48), scale, offset, inverse, origin, none, magic, most, mask),
  );
}

// The codes of q5_k: bit g of the first 32 bytes is the highest of group g.
function writeFive(src: usize, dst: usize): void {
  const nibbles = lowNibbles(), sixteen = i8x16.splat(16);
  for (let l: usize = 0; l < 32; l += 16) {
    let high = zero(), to = dst + 32 + l;
    for (let at: usize = 0; at < 32; at += 8) {
      const from = src + (at << 5) + (l << 2), a = byteCodes(from, at), b = byteCodes(from + 128, at + 4);
      v128.store(to, v128.or(v128.and(a, nibbles), i16x8.shl(v128.and(b, nibbles), 4)));
      // What has come so far moves down two bits; this pair's go to the top.
      const pair = v128.or(i16x8.shl(v128.and(a, sixteen), 2), i16x8.shl(v128.and(b, sixteen), 3));
      high = v128.or(v128.and(i16x8.shr_u(high, 2), i8x16.splat(0x3f)), pair);
      to += 32;
    }
    v128.store(dst + l, high);
  }
}

// Codes of groups 2p and 2p + 1, which share bytes.
function writePair(src: usize, dst: usize, at: usize): void {
  const scale = v128.load32_splat(STORED_SCALES + at), scale2 = v128.load32_splat(STORED_SCALES + at, 4);
  const offset = v128.load32_splat(STORED_OFFSETS + at), offset2 = v128.load32_splat(STORED_OFFSETS + at, 4);
  const inverse = v128.load32_splat(INVERSES + at), inverse2 = v128.load32_splat(INVERSES + at, 4);
  const origin = v128.load32_splat(ORIGINS + at), origin2 = v128.load32_splat(ORIGINS + at, 4);
  const none = f32x4.eq(scale, zero()), none2 = f32x4.eq(scale2, zero());
  const magic = roundMagic(), most = mostMagic(), mask = lowNibbleOfWord();
  for (const end = src + 128; src < end; src += 16) {
    const low = codeOf(v128.load(src), scale, offset, inverse, origin, none, magic, most, mask);
    const high = codeOf(v128.load(src, 128), scale2, offset2, inverse2, origin2, none2, magic, most, mask);
    storeNibbles(dst, low, high);
    dst += 4;
  }
}

// Scales, offsets and codes of what has been searched; true lanes where all is sane.
function writeBlock(src: usize, dst: usize, d: f32, dmin: f32, s: v128, s4: v128, m: v128, m4: v128): v128 {
  const halves = halvesOf(f32x4.replace_lane(f32x4.splat(d), 1, dmin));
  store<u32>(dst, i32x4.extract_lane(halves, 0) | (i32x4.extract_lane(halves, 1) << 16));
  packScales(dst + 4, s, s4, m, m4);
  const storedD = loadHalf(dst), storedMin = loadHalf(dst + 2);
  const sane = v128.and(
    keepQuad(quadOf(0), 0, storedD, storedMin, s, m), keepQuad(quadOf(1), 16, storedD, storedMin, s4, m4),
  );
  if (v128.any_true(overflowed(halves))) return zero();
  dst += 16;
  if (isFive()) {
    writeFive(src, dst);
    return sane;
  }
  for (let at: usize = 0; at < 32; at += 8) {
    writePair(src, dst, at);
    src += 256;
    dst += 32;
  }
  return sane;
}

// The largest of the eight at 63.
@inline function writeCommonSteps(src: usize, dst: usize): v128 {
  const a = quadOf(0), b = quadOf(1);
  const s = scaleOf(a), s4 = scaleOf(b), m = f32x4.neg(minOf(a)), m4 = f32x4.neg(minOf(b));
  const mostS = largest(s, s4), mostM = largest(m, m4);
  const inverse = f32x4.splat(mostS > 0 ? <f32>63 / mostS : <f32>0);
  const inverseM = f32x4.splat(mostM > 0 ? <f32>63 / mostM : <f32>0);
  const sane = writeBlock(
    src, dst, mostS / 63, mostM / 63,
    multiples(s, inverse), multiples(s4, inverse), multiples(m, inverseM), multiples(m4, inverseM),
  );
  return v128.and(sane, v128.and(v128.and(finite(s), finite(s4)), v128.and(finite(m), finite(m4))));
}

const GROUP_BYTES: usize = 128; //  of floats
const SUPER_BYTES: usize = 1024; // of floats
@inline function blockBytes(): usize { return isFive() ? 176 : 144; }

@inline function loadHalfBlock(q: usize, src: usize): v128 {
  return loadValues(q, src, src + GROUP_BYTES, src + 2 * GROUP_BYTES, src + 3 * GROUP_BYTES);
}

// Whether the search has gone as it does in the reference.
@inline function saneSearch(squares: v128, squares2: v128): v128 {
  return v128.and(v128.and(finite(squares), finite(squares2)), v128.and(saneOf(quadOf(0)), saneOf(quadOf(1))));
}

export function q4_k_quantize(n: i32, src: usize, dst: usize): i32 {
  let sane: v128 = i32x4.splat(-1);
  const a = quadOf(0), b = quadOf(1);
  for (; n > 0; n -= 256) {
    const squares = loadHalfBlock(a, src), squares2 = loadHalfBlock(b, src + 4 * GROUP_BYTES);
    weighByMagnitude(a, squares);
    weighByMagnitude(b, squares2);
    if (isFive()) search(-0.5, 0.1, 15);
    else search(-1, 0.1, 20);
    sane = v128.and(sane, v128.and(saneSearch(squares, squares2), writeCommonSteps(src, dst)));
    src += SUPER_BYTES;
    dst += blockBytes();
  }
  return i32x4.all_true(sane) ? 0 : 1;
}

// ---- quantizing with importance ----

// Scales, offsets and sums of weights of the eight groups, and their codes.
const SCALES: usize = memory.data(32, 16);
const OFFSETS: usize = memory.data(32, 16);
const WEIGHTS: usize = memory.data(32, 16);
const SCALE_CODES: usize = memory.data(32, 16);
const OFFSET_CODES: usize = memory.data(32, 16);

@inline function gather(q: usize, at: usize): v128 {
  const scale = scaleOf(q), offset = f32x4.neg(minOf(q));
  v128.store(SCALES + at, scale);
  v128.store(OFFSETS + at, offset);
  v128.store(WEIGHTS + at, weightSumOf(q));
  return v128.and(finite(scale), finite(offset));
}

// A code of more than 63 is one that the reference cut to a byte.
@inline function sixBits(codes: usize): v128 {
  const most = i32x4.splat(63);
  return v128.and(i32x4.le_u(v128.load(codes), most), i32x4.le_u(v128.load(codes, 16), most));
}

@inline function writeSearchedSteps(src: usize, dst: usize): v128 {
  const gathered = v128.and(gather(quadOf(0), 0), gather(quadOf(1), 16));
  const d = searchUnsigned(SCALES, WEIGHTS, SCALE_CODES), dmin = searchUnsigned(OFFSETS, WEIGHTS, OFFSET_CODES);
  const sane = writeBlock(
    src, dst, d, dmin,
    v128.load(SCALE_CODES), v128.load(SCALE_CODES, 16), v128.load(OFFSET_CODES), v128.load(OFFSET_CODES, 16),
  );
  const found = v128.and(finite(f32x4.splat(d)), finite(f32x4.splat(dmin)));
  return v128.and(v128.and(sane, v128.and(gathered, found)), v128.and(sixBits(SCALE_CODES), sixBits(OFFSET_CODES)));
}

@inline function weighHalfBlock(q: usize, importance: usize, sigma2: v128): void {
  weighByImportance(
    q, importance, importance + GROUP_BYTES, importance + 2 * GROUP_BYTES, importance + 3 * GROUP_BYTES, sigma2,
  );
}

export function q4_k_weigh(n: i32, src: usize, importance: usize, dst: usize, columns: i32): i32 {
  let sane: v128 = i32x4.splat(-1);
  const a = quadOf(0), b = quadOf(1), from = src, rowBytes = (<usize>columns) << 2;
  for (const end = src + ((<usize>n) << 2); src < end; src += SUPER_BYTES) {
    const sum = sumsOfSquares(src, src, src, src, SUPER_BYTES, a);
    const sigma2 = f32x4.div(f32x4.add(sum, sum), f32x4.splat(256));
    const squares = loadHalfBlock(a, src), squares2 = loadHalfBlock(b, src + 4 * GROUP_BYTES);
    const weights = importance + (src - from) % rowBytes;
    weighHalfBlock(a, weights, sigma2);
    weighHalfBlock(b, weights + 4 * GROUP_BYTES, sigma2);
    search(-0.9, 0.05, 36);
    sane = v128.and(sane, v128.and(saneSearch(squares, squares2), writeSearchedSteps(src, dst)));
    dst += blockBytes();
  }
  return i32x4.all_true(sane) ? 0 : 1;
}

// ---- dequantizing ----

// A code as 2^23 + code in float, less 2^23: exact, and no conversion.
@inline export function storeValues(out: usize, bytes: v128, scale: v128, offset: v128, z: v128, high: v128, two23: v128): void {
  const a = bytesLow(bytes, z), b = bytesHigh(bytes, z);
  v128.store(out, f32x4.sub(f32x4.mul(f32x4.sub(wordsLow(a, high), two23), scale), offset));
  v128.store(out, f32x4.sub(f32x4.mul(f32x4.sub(wordsHigh(a, high), two23), scale), offset), 16);
  v128.store(out, f32x4.sub(f32x4.mul(f32x4.sub(wordsLow(b, high), two23), scale), offset), 32);
  v128.store(out, f32x4.sub(f32x4.mul(f32x4.sub(wordsHigh(b, high), two23), scale), offset), 48);
}

// Scales and offsets of the eight groups as floats.
@inline export function loadScales(src: usize): void {
  const d = loadHalf(src), dmin = loadHalf(src + 2);
  const z = zero(), bytes = v128.load(src, 4), low6 = i32x4.splat(63), low4 = i32x4.splat(15), high2 = i32x4.splat(0x30);
  const sm = bytesLow(bytes, z), both = wordsLow(bytesHigh(bytes, z), z);
  const s = wordsLow(sm, z), m = wordsHigh(sm, z);
  const s4 = v128.or(v128.and(both, low4), v128.and(i32x4.shr_u(s, 2), high2));
  const m4 = v128.or(i32x4.shr_u(both, 4), v128.and(i32x4.shr_u(m, 2), high2));
  v128.store(STORED_SCALES, f32x4.mul(d, f32x4.convert_i32x4_s(v128.and(s, low6))));
  v128.store(STORED_SCALES, f32x4.mul(d, f32x4.convert_i32x4_s(s4)), 16);
  v128.store(STORED_OFFSETS, f32x4.mul(dmin, f32x4.convert_i32x4_s(v128.and(m, low6))));
  v128.store(STORED_OFFSETS, f32x4.mul(dmin, f32x4.convert_i32x4_s(m4)), 16);
}

export function q4_k_dequantize(n: i32, src: usize, out: usize): i32 {
  const z = zero(), high = magicHigh(), mask = lowNibbles(), two23 = pin(8388608);
  for (; n > 0; n -= 256) {
    loadScales(src);
    const odd = isOdd(src) || isOdd(src + 2);
    src += 16;
    for (let at: usize = 0; at < 32; at += 8) {
      const scale = v128.load32_splat(STORED_SCALES + at), scale2 = v128.load32_splat(STORED_SCALES + at, 4);
      const offset = v128.load32_splat(STORED_OFFSETS + at), offset2 = v128.load32_splat(STORED_OFFSETS + at, 4);
      for (const end = src + 32; src < end; src += 16) {
        const bytes = v128.load(src);
        storeValues(out, v128.and(bytes, mask), scale, offset, z, high, two23);
        storeValues(out + 128, v128.and(i16x8.shr_u(bytes, 4), mask), scale2, offset2, z, high, two23);
        out += 64;
      }
      out += 128;
    }
    if (odd) settleNaNs(out - SUPER_BYTES, out);
  }
  return 0;
}
