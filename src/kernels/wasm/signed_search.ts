// Search for the scale of 32 values with codes -8 ... 7, or -16 ... 15 where they
// have five bits, as searchSigned of
// src/schemes/ggml_scale_search.ts does it (`make_qx_quants`), for four groups at
// once: a vector holds value j of each. Groups are loaded and weighed as for IQ4.

import { isFive } from "./code_bits";
import { lowNibbleOfWord, magnitudeBits, pin, roundMagic, storeNibbles, workspace, zero } from "./common";
import { bytesOf } from "./five_bits";
import { largestOf, VALUES, WEIGHTS } from "./iq4_search";

export { loadValues as load, weighByImportance as weigh } from "./iq4_search";

// In the workspace: 32 vectors, then a lane for each group.
const PRODUCTS: usize = 1024; // weight times value
const SCALE: usize = 1536; //    of the best candidate so far
const BEST: usize = 1552; //     its gain
const INVERSE: usize = 1568; //  what its codes are made with
const XL: usize = 1584; //       sums of two candidates
const L2: usize = 1600;
const XL2: usize = 1616;
const L22: usize = 1632;

// Half the number of codes.
@inline function levels(): f32 { return isFive() ? 16 : 8; }

// 1.5 * 2^23 - 8 and + 7: codes are clamped while the magic is on them.
@inline function leastMagic(): v128 { return pin(isFive() ? 12582896 : 12582904); }
@inline function mostMagic(): v128 { return pin(isFive() ? 12582927 : 12582919); }

@inline function levelOf(x: v128, inverse: v128, magic: v128, least: v128, most: v128): v128 {
  return f32x4.sub(f32x4.pmin(f32x4.pmax(f32x4.add(f32x4.mul(inverse, x), magic), least), most), magic);
}

// Two candidates at a time, one adding while the other waits.
function sumTwo(work: usize, a: v128, b: v128): void {
  const magic = roundMagic(), least = leastMagic(), most = mostMagic();
  let xl = zero(), l2 = xl, xl2 = xl, l22 = xl;
  for (let at = work; at < work + 512; at += 16) {
    const x = v128.load(at, VALUES), w = v128.load(at, WEIGHTS), wx = v128.load(at, PRODUCTS);
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

// Keeps a candidate where it gains more than the best one.
function judge(work: usize, inverse: v128, xl: v128, l2: v128): void {
  const best = v128.load(work, BEST), scale = f32x4.div(xl, l2);
  const wins = v128.and(f32x4.gt(l2, zero()), f32x4.gt(f32x4.mul(xl, xl), f32x4.mul(best, l2)));
  v128.store(work, v128.bitselect(scale, v128.load(work, SCALE), wins), SCALE);
  v128.store(work, v128.bitselect(f32x4.mul(scale, xl), best, wins), BEST);
  v128.store(work, v128.bitselect(inverse, v128.load(work, INVERSE), wins), INVERSE);
}

// The plain candidate is kept whatever it gains.
function begin(work: usize): void {
  const inverse = f32x4.div(f32x4.splat(-levels()), largestOf());
  sumTwo(work, inverse, inverse);
  const xl = v128.load(work, XL), l2 = v128.load(work, L2);
  const scale = v128.and(f32x4.div(xl, l2), f32x4.ne(l2, zero()));
  v128.store(work, scale, SCALE);
  v128.store(work, f32x4.mul(scale, xl), BEST);
  v128.store(work, inverse, INVERSE);
}

@inline function candidate(i: i32): v128 {
  return f32x4.div(f32x4.splat(-(levels() + <f32>0.1 * <f32>i)), largestOf());
}

// -9 ... -1 and 1 ... 9 tenths of a step off, in this order.
@inline function offset(k: i32): i32 { return k < 9 ? k - 9 : k - 8; }

@inline function negligible(): v128 {
  return f32x4.lt(v128.and(largestOf(), magnitudeBits()), f32x4.splat(1e-15));
}

// The scales of four groups whose values and weights are loaded; 0 where the
// largest magnitude is below 1e-15.
export function search(): v128 {
  const work = workspace();
  for (let at = work; at < work + 512; at += 16) {
    v128.store(at, f32x4.mul(v128.load(at, WEIGHTS), v128.load(at, VALUES)), PRODUCTS);
  }
  begin(work);
  for (let k = 0; k < 18; k += 2) {
    const a = candidate(offset(k)), b = candidate(offset(k + 1));
    sumTwo(work, a, b);
    judge(work, a, v128.load(work, XL), v128.load(work, L2));
    judge(work, b, v128.load(work, XL2), v128.load(work, L22));
  }
  return v128.andnot(v128.load(work, SCALE), negligible());
}

/** What codes are made with; infinite for a negligible group, where all are 0 in the block. */
export function inverses(): v128 {
  return v128.bitselect(f32x4.splat(Infinity), v128.load(workspace(), INVERSE), negligible());
}

@inline function codeOf(x: v128, inverse: v128, magic: v128, least: v128, most: v128, mask: v128): v128 {
  const t = f32x4.pmin(f32x4.pmax(f32x4.add(f32x4.mul(inverse, x), magic), least), most);
  return v128.and(i32x4.sub(t, least), mask);
}

@inline function maskOf(inverse: v128): v128 {
  const all = isFive() ? i32x4.splat(31) : lowNibbleOfWord();
  return v128.and(all, f32x4.ne(inverse, f32x4.splat(Infinity)));
}

/** The codes of 32 values: 16 bytes, the first half in the low nibbles. */
export function storeCodes(src: usize, inverse: v128, dst: usize): void {
  const magic = roundMagic(), least = leastMagic(), most = mostMagic(), mask = maskOf(inverse);
  for (const end = src + 64; src < end; src += 16) {
    const low = codeOf(v128.load(src), inverse, magic, least, most, mask);
    const high = codeOf(v128.load(src, 64), inverse, magic, least, most, mask);
    storeNibbles(dst, low, high);
    dst += 4;
  }
}

/** The codes of 16 values, a byte each. */
export function byteCodes(src: usize, inverse: v128): v128 {
  const magic = roundMagic(), least = leastMagic(), most = mostMagic(), mask = maskOf(inverse);
  return bytesOf(
    codeOf(v128.load(src), inverse, magic, least, most, mask),
    codeOf(v128.load(src, 16), inverse, magic, least, most, mask),
    codeOf(v128.load(src, 32), inverse, magic, least, most, mask),
    codeOf(v128.load(src, 48), inverse, magic, least, most, mask),
  );
}
