// q6_k: super-blocks of 256 in 210 bytes, laid out as src/ggml/q6_k.ts draws it:
// 128 bytes of lower, 64 of higher bits, 16 signed scales of 16 values each, f16 d.

import { lowNibbles, magnitudeBits, pin, roundMagic, settleNaNs, workspace, zero } from "./common";
import { halvesOf, isOdd, loadHalf } from "./float16";
import { storeSigned } from "./q8_0";

const BLOCK_BYTES: usize = 210;
const SUPER_BYTES: usize = 1024; // of floats
const HIGH: usize = 128;
const SCALES: usize = 192;
const D: usize = 208;

// ---- the search, of four groups side by side: vector j holds value j of each ----

// In the workspace: a quad of groups, 16 vectors each,
const X: usize = 0;
const W: usize = 256; //  weights
const WX: usize = 512; // weight times value
// sums of two candidates,
const XL: usize = 768;
const L2: usize = 784;
const XL2: usize = 800;
const L22: usize = 816;
// the best one so far,
const BEST: usize = 832; // its gain
// and what is kept of all sixteen groups, a vector for each quad.
const SCALE: usize = 896;
const INVERSE: usize = 960;
const LARGEST: usize = 1024; // the value of the largest magnitude
const STORED: usize = 1088; //  the scale as it is stored
const CODES: usize = 1152; //   256 bytes

// 1.5 * 2^23 - 32 and + 31: codes are clamped while the magic is on them.
@inline function leastMagic(): v128 { return pin(12582880); }
@inline function mostMagic(): v128 { return pin(12582943); }

@inline function levelOf(x: v128, inverse: v128, magic: v128, least: v128, most: v128): v128 {
  return f32x4.sub(f32x4.pmin(f32x4.pmax(f32x4.add(f32x4.mul(inverse, x), magic), least), most), magic);
}

// Four groups of 16 floats that follow each other, to 16 vectors of one lane each.
function transpose(src: usize, dst: usize): void {
  for (const end = src + 64; src < end; src += 16) {
    const a = v128.load(src), b = v128.load(src, 64), c = v128.load(src, 128), d = v128.load(src, 192);
    const low = v128.shuffle<i32>(a, b, 0, 4, 1, 5), high = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    const low2 = v128.shuffle<i32>(c, d, 0, 4, 1, 5), high2 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
    v128.store(dst, v128.shuffle<i64>(low, low2, 0, 2));
    v128.store(dst, v128.shuffle<i64>(low, low2, 1, 3), 16);
    v128.store(dst, v128.shuffle<i64>(high, high2, 0, 2), 32);
    v128.store(dst, v128.shuffle<i64>(high, high2, 1, 3), 48);
    dst += 64;
  }
}

// Loads a quad. Returns the first value of the largest magnitude of each group, by
// its bits: a NaN is above all.
function loadQuad(work: usize, src: usize, weights: usize): v128 {
  const k = magnitudeBits();
  transpose(src, work + X);
  if (weights) transpose(weights, work + W);
  let largest = zero(), most = zero();
  for (let at = work, end = work + 256; at < end; at += 16) {
    const x = v128.load(at, X), m = v128.and(x, k), more = i32x4.gt_s(m, most);
    most = v128.bitselect(m, most, more);
    largest = v128.bitselect(x, largest, more);
    const w = weights ? v128.load(at, W) : f32x4.mul(x, x);
    if (!weights) v128.store(at, w, W);
    v128.store(at, f32x4.mul(w, x), WX);
  }
  return largest;
}

// Two candidates at a time, one adding while the other waits.
function sumTwo(work: usize, a: v128, b: v128): void {
  const magic = roundMagic(), least = leastMagic(), most = mostMagic();
  let xl = zero(), l2 = xl, xl2 = xl, l22 = xl;
  for (let at = work, end = work + 256; at < end; at += 16) {
    const x = v128.load(at, X), w = v128.load(at, W), wx = v128.load(at, WX);
    const l = levelOf(x, a, magic, least, most), m = levelOf(x, b, magic, least, most);
    xl = f32x4.add(xl, f32x4.mul(wx, l));
    l2 = f32x4.add(l2, f32x4.mul(f32x4.mul(w, l), l));
    xl2 = f32x4.add(xl2, f32x4.mul(wx, m));
    l22 = f32x4.add(l22, f32x4.mul(f32x4.mul(w, m), m));
  }
  v128.store(work, xl, XL);
  v128.store(work, l2, L2);
  v128.store(work, xl2, XL2);
  v128.store(work, l22, L22);
}

// Keeps a candidate where it gains more than the best one; `kept` is the work, moved by the quad.
function judge(work: usize, kept: usize, inverse: v128, xl: v128, l2: v128): void {
  const best = v128.load(work, BEST), scale = f32x4.div(xl, l2);
  const wins = v128.and(f32x4.gt(l2, zero()), f32x4.gt(f32x4.mul(xl, xl), f32x4.mul(best, l2)));
  v128.store(kept, v128.bitselect(scale, v128.load(kept, SCALE), wins), SCALE);
  v128.store(work, v128.bitselect(f32x4.mul(scale, xl), best, wins), BEST);
  v128.store(kept, v128.bitselect(inverse, v128.load(kept, INVERSE), wins), INVERSE);
}

@inline function candidate(i: i32, largest: v128): v128 {
  return f32x4.div(f32x4.splat(-(<f32>32 + <f32>0.1 * <f32>i)), largest);
}

// The plain candidate is kept whatever it gains; then -9 ... -1 and 1 ... 9 tenths of a step off.
function search(work: usize, kept: usize, largest: v128): void {
  const plain = f32x4.div(f32x4.splat(-32), largest), first = candidate(-9, largest);
  sumTwo(work, plain, first);
  const xl = v128.load(work, XL), l2 = v128.load(work, L2);
  const scale = v128.and(f32x4.div(xl, l2), f32x4.ne(l2, zero()));
  v128.store(kept, scale, SCALE);
  v128.store(work, f32x4.mul(scale, xl), BEST);
  v128.store(kept, plain, INVERSE);
  judge(work, kept, first, v128.load(work, XL2), v128.load(work, L22));
  for (let i = -8; i <= 9; i += 2) {
    if (i == 0) i = 1; // 0 is the plain one
    const a = candidate(i, largest), b = candidate(min(i + 1, 9), largest); // 9 has no partner but itself
    sumTwo(work, a, b);
    judge(work, kept, a, v128.load(work, XL), v128.load(work, L2));
    judge(work, kept, b, v128.load(work, XL2), v128.load(work, L22));
  }
  // Negligible groups: no scale, and an inverse that says so.
  const none = f32x4.lt(v128.and(largest, magnitudeBits()), f32x4.splat(1e-15));
  v128.store(kept, v128.andnot(v128.load(kept, SCALE), none), SCALE);
  v128.store(kept, v128.bitselect(f32x4.splat(Infinity), v128.load(kept, INVERSE), none), INVERSE);
  v128.store(kept, largest, LARGEST);
}

// ---- writing ----

@inline function finite(v: v128): v128 {
  return f32x4.lt(v128.and(v, magnitudeBits()), f32x4.splat(Infinity));
}

// The first of the sixteen scales that has the largest magnitude.
function largestScale(work: usize): f32 {
  let largest: f32 = 0;
  for (let at = work, end = work + 64; at < end; at += 4) {
    const scale = load<f32>(at, SCALE);
    if (abs(scale) > abs(largest)) largest = scale;
  }
  return largest;
}

// Stores d and the sixteen scales. Returns lanes that are true where all is sane.
function writeScales(work: usize, dst: usize, largest: f32): v128 {
  const inverse = f32x4.splat(-128 / largest), magic = roundMagic();
  const half = halvesOf(f32x4.splat(1 / f32x4.extract_lane(inverse, 0)));
  v128.store16_lane(dst, half, 0, D);
  const d = loadHalf(dst + D), limit = f32x4.splat(1048576);
  let sane = finite(d);
  for (let at: usize = 0; at < 64; at += 16) {
    const scale = v128.load(work + at, SCALE);
    const t = f32x4.sub(f32x4.add(f32x4.mul(inverse, scale), magic), magic);
    const s = f32x4.pmin(t, f32x4.splat(127)), stored = f32x4.mul(d, s);
    v128.store(work + at, stored, STORED);
    const words = i32x4.trunc_sat_f32x4_s(s), halves = i16x8.narrow_i32x4_s(words, words);
    v128.store32_lane(dst + (at >> 2), i8x16.narrow_i16x8_s(halves, halves), 0, SCALES);
    // Codes far beyond their range are rounded by the reference in a way of its own.
    const code = v128.and(f32x4.div(v128.load(work + at, LARGEST), stored), magnitudeBits());
    sane = v128.and(sane, v128.or(f32x4.eq(stored, zero()), f32x4.lt(code, limit)));
  }
  return sane;
}

@inline function codeOf(
  src: usize, scale: v128, inverse: v128, none: v128, magic: v128, least: v128, most: v128, mask: v128,
): v128 {
  const x = v128.load(src), v = v128.bitselect(f32x4.mul(inverse, x), f32x4.div(x, scale), none);
  return v128.and(i32x4.sub(f32x4.pmin(f32x4.pmax(f32x4.add(v, magic), least), most), least), mask);
}

// A byte for each code. With a stored scale of 0 they are those of the search, all 0 in a negligible group.
function writeCodes(work: usize, src: usize): void {
  const magic = roundMagic(), least = leastMagic(), most = mostMagic();
  for (let g: usize = 0; g < 64; g += 4) {
    const scale = v128.load32_splat(work + g, STORED), inverse = v128.load32_splat(work + g, INVERSE);
    const none = f32x4.eq(scale, zero());
    const mask = v128.andnot(i32x4.splat(63), v128.and(none, f32x4.eq(inverse, f32x4.splat(Infinity))));
    const a = i16x8.narrow_i32x4_s(
      codeOf(src, scale, inverse, none, magic, least, most, mask),
      codeOf(src + 16, scale, inverse, none, magic, least, most, mask),
    );
    const b = i16x8.narrow_i32x4_s(
      codeOf(src + 32, scale, inverse, none, magic, least, most, mask),
      codeOf(src + 48, scale, inverse, none, magic, least, most, mask),
    );
    v128.store(work + (g << 2), i8x16.narrow_i16x8_u(a, b), CODES);
    src += 64;
  }
}

@inline function highBits(codes: v128): v128 {
  return v128.and(i16x8.shr_u(codes, 4), lowNibbles());
}

function packCodes(work: usize, dst: usize): void {
  const low = lowNibbles();
  let high = dst + HIGH;
  for (const end = work + 256; work < end; work += 128) {
    for (let l: usize = 0; l < 32; l += 16) {
      const a = v128.load(work + l, CODES), b = v128.load(work + l, CODES + 32);
      const c = v128.load(work + l, CODES + 64), d = v128.load(work + l, CODES + 96);
      v128.store(dst + l, v128.or(v128.and(a, low), i16x8.shl(v128.and(c, low), 4)));
      v128.store(dst + l, v128.or(v128.and(b, low), i16x8.shl(v128.and(d, low), 4)), 32);
      const ab = v128.or(highBits(a), i16x8.shl(highBits(b), 2));
      const cd = v128.or(i16x8.shl(highBits(c), 4), i16x8.shl(highBits(d), 6));
      v128.store(high, v128.or(ab, cd));
      high += 16;
    }
    dst += 64;
  }
}

// Returns lanes that are true where the reference would do the same.
function quantizeBlock(src: usize, weights: usize, dst: usize): v128 {
  const work = workspace();
  let sane: v128 = i32x4.splat(-1);
  for (let q: usize = 0; q < 64; q += 16) {
    const largest = loadQuad(work, src + (q << 4), weights ? weights + (q << 4) : 0);
    search(work, work + q, largest);
    sane = v128.and(sane, v128.and(finite(largest), finite(v128.load(work + q, SCALE))));
  }
  const largest = largestScale(work);
  if (abs(largest) < <f32>1e-15) {
    memory.fill(dst, 0, BLOCK_BYTES);
    return sane;
  }
  sane = v128.and(sane, writeScales(work, dst, largest));
  writeCodes(work, src);
  packCodes(work, dst);
  return sane;
}

export function q6_k_quantize(n: i32, src: usize, dst: usize): i32 {
  let sane: v128 = i32x4.splat(-1);
  for (; n > 0; n -= 256) {
    sane = v128.and(sane, quantizeBlock(src, 0, dst));
    src += SUPER_BYTES;
    dst += BLOCK_BYTES;
  }
  return i32x4.all_true(sane) ? 0 : 1;
}

export function q6_k_weigh(n: i32, src: usize, importance: usize, dst: usize, columns: i32): i32 {
  let sane: v128 = i32x4.splat(-1);
  const from = src, rowBytes = (<usize>columns) << 2;
  for (const end = src + ((<usize>n) << 2); src < end; src += SUPER_BYTES) {
    sane = v128.and(sane, quantizeBlock(src, importance + (src - from) % rowBytes, dst));
    dst += BLOCK_BYTES;
  }
  return i32x4.all_true(sane) ? 0 : 1;
}

// ---- dequantizing ----

@inline function scaleOf(src: usize, d: v128): v128 {
  return f32x4.mul(d, f32x4.splat(<f32>load<i8>(src, SCALES)));
}

export function q6_k_dequantize(n: i32, src: usize, out: usize): i32 {
  const low = lowNibbles(), pair = i8x16.splat(0x30), middle = i8x16.splat(32);
  for (; n > 0; n -= 256) {
    const d = loadHalf(src + D);
    let scales = src, high = src + HIGH;
    for (const end = src + HIGH; src < end; src += 64) {
      for (let l: usize = 0; l < 32; l += 16) {
        const a = v128.load(src + l), b = v128.load(src + l, 32), h = v128.load(high);
        const p = v128.or(v128.and(a, low), v128.and(i16x8.shl(h, 4), pair));
        const q = v128.or(v128.and(b, low), v128.and(i16x8.shl(h, 2), pair));
        const r = v128.or(v128.and(i16x8.shr_u(a, 4), low), v128.and(h, pair));
        const s = v128.or(v128.and(i16x8.shr_u(b, 4), low), v128.and(i16x8.shr_u(h, 2), pair));
        storeSigned(out, i8x16.sub(p, middle), scaleOf(scales, d));
        storeSigned(out + 128, i8x16.sub(q, middle), scaleOf(scales + 2, d));
        storeSigned(out + 256, i8x16.sub(r, middle), scaleOf(scales + 4, d));
        storeSigned(out + 384, i8x16.sub(s, middle), scaleOf(scales + 6, d));
        out += 64;
        high += 16;
        scales++;
      }
      out += 384;
      scales += 6;
    }
    if (isOdd(src + D - HIGH)) settleNaNs(out - SUPER_BYTES, out);
    src += BLOCK_BYTES - HIGH;
  }
  return 0;
}
