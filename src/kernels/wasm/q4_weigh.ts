// q4_0 and q4_1, and q5_0 and q5_1, with importance: a row of blocks of 32, with
// weights made of the row's mean square. Layouts as in q4.ts.

import {
  finite, inverseOf, loadValues, minOf, mostMagic, originOf, quadOf, saneOf, scaleOf, search, weighByImportance,
} from "./affine_search";
import { isFive } from "./code_bits";
import { lowNibbleOfWord, roundMagic, storeNibbles, workspace } from "./common";
import { bytesOf, storeFive } from "./five_bits";
import { halvesOf, overflowed } from "./float16";
import { sumsOfSquares } from "./groups";
import * as signed from "./signed_search";

const GROUP_BYTES: usize = 128; // of floats
// Bytes of a block with one and with two halves.
@inline function bytes0(): usize { return isFive() ? 22 : 18; }
@inline function bytes1(): usize { return isFive() ? 24 : 20; }

// What eight blocks are written with: scales and minima as binary16, and what codes are made of.
const SCALES: usize = memory.data(32, 16);
const MINIMA: usize = memory.data(32, 16);
const INVERSES: usize = memory.data(32, 16);
const ORIGINS: usize = memory.data(32, 16);

// Mean square of a row.
@inline function meanSquare(src: usize, columns: i32): v128 {
  const sum = sumsOfSquares(src, src, src, src, (<usize>columns) << 2, workspace());
  return f32x4.div(sum, f32x4.splat(<f32>columns));
}

// Beyond, the number of columns is no float.
const MOST_COLUMNS: i32 = 1 << 24;

// ---- q4_1 ----

@inline function codeOf(x: v128, inverse: v128, origin: v128, magic: v128, most: v128): v128 {
  const t = f32x4.add(f32x4.mul(f32x4.sub(x, origin), inverse), magic);
  return v128.and(f32x4.pmin(f32x4.pmax(t, magic), most), isFive() ? i32x4.splat(31) : lowNibbleOfWord());
}

@inline function byteCodes(src: usize, inverse: v128, origin: v128): v128 {
  const magic = roundMagic(), most = mostMagic();
  return bytesOf(
    codeOf(v128.load(src), inverse, origin, magic, most), codeOf(v128.load(src, 16), inverse, origin, magic, most),
    codeOf(v128.load(src, 32), inverse, origin, magic, most), codeOf(v128.load(src, 48), inverse, origin, magic, most),
  );
}

function storeCodes(src: usize, inverse: v128, origin: v128, dst: usize): void {
  if (isFive()) return storeFive(dst, byteCodes(src, inverse, origin), byteCodes(src + 64, inverse, origin));
  const magic = roundMagic(), most = mostMagic();
  for (const end = src + 64; src < end; src += 16) {
    const low = codeOf(v128.load(src), inverse, origin, magic, most);
    const high = codeOf(v128.load(src, 64), inverse, origin, magic, most);
    storeNibbles(dst, low, high);
    dst += 4;
  }
}

// Four of the eight blocks from `src` on; the last block of the row stands in for those beyond it.
function loadQuad(half: usize, src: usize, last: usize, weights: usize, sigma2: v128): v128 {
  const q = quadOf(half), i = min(src, last), j = min(src + GROUP_BYTES, last);
  const k = min(src + 2 * GROUP_BYTES, last), l = min(src + 3 * GROUP_BYTES, last);
  const squares = loadValues(q, i, j, k, l);
  weighByImportance(q, i + weights, j + weights, k + weights, l + weights, sigma2);
  return finite(squares);
}

function keepQuad(half: usize): v128 {
  const q = quadOf(half), at = half << 4;
  const scales = halvesOf(scaleOf(q)), minima = halvesOf(minOf(q));
  v128.store(SCALES + at, scales);
  v128.store(MINIMA + at, minima);
  v128.store(INVERSES + at, inverseOf(q));
  v128.store(ORIGINS + at, originOf(q));
  return v128.andnot(saneOf(q), v128.or(overflowed(scales), overflowed(minima)));
}

// `weights` is how far from a value its weight is.
function weighRow1(src: usize, weights: usize, dst: usize, columns: i32): v128 {
  const sigma2 = meanSquare(src, columns), last = src + ((<usize>columns) << 2) - GROUP_BYTES;
  let sane: v128 = i32x4.splat(-1);
  while (src <= last) {
    const loaded = loadQuad(0, src, last, weights, sigma2);
    sane = v128.and(sane, v128.and(loaded, loadQuad(1, src + 4 * GROUP_BYTES, last, weights, sigma2)));
    search(-0.9, 0.05, 36);
    sane = v128.and(sane, keepQuad(0));
    sane = v128.and(sane, keepQuad(1));
    for (let at: usize = 0; at < 32 && src <= last; at += 4) {
      store<u32>(dst, load<u32>(SCALES + at) | (load<u32>(MINIMA + at) << 16));
      storeCodes(src, v128.load32_splat(INVERSES + at), v128.load32_splat(ORIGINS + at), dst + 4);
      src += GROUP_BYTES;
      dst += bytes1();
    }
  }
  return sane;
}

export function q4_1_weigh(n: i32, src: usize, importance: usize, dst: usize, columns: i32): i32 {
  if (columns > MOST_COLUMNS) return 1;
  const rowBytes = (<usize>columns) << 2;
  let sane: v128 = i32x4.splat(-1);
  for (const end = src + ((<usize>n) << 2); src < end; src += rowBytes) {
    sane = v128.and(sane, weighRow1(src, importance - src, dst, columns));
    dst += rowBytes / GROUP_BYTES * bytes1();
  }
  return i32x4.all_true(sane) ? 0 : 1;
}

// ---- q4_0 ----

function weighRow0(src: usize, weights: usize, dst: usize, columns: i32): bool {
  const sigma2 = meanSquare(src, columns), last = src + ((<usize>columns) << 2) - GROUP_BYTES;
  while (src <= last) {
    const j = min(src + GROUP_BYTES, last), k = min(src + 2 * GROUP_BYTES, last), l = min(src + 3 * GROUP_BYTES, last);
    if (!signed.load(src, j, k, l)) return false;
    signed.weigh(src + weights, j + weights, k + weights, l + weights, sigma2);
    const scales = signed.search();
    const halves = halvesOf(scales);
    if (v128.any_true(overflowed(halves))) return false;
    v128.store(SCALES, halves);
    v128.store(INVERSES, signed.inverses());
    for (let at: usize = 0; at < 16 && src <= last; at += 4) {
      store<u16>(dst, <u16>load<u32>(SCALES + at));
      const inverse = v128.load32_splat(INVERSES + at);
      if (isFive()) storeFive(dst + 2, signed.byteCodes(src, inverse), signed.byteCodes(src + 64, inverse));
      else signed.storeCodes(src, inverse, dst + 2);
      src += GROUP_BYTES;
      dst += bytes0();
    }
  }
  return true;
}

export function q4_0_weigh(n: i32, src: usize, importance: usize, dst: usize, columns: i32): i32 {
  if (columns > MOST_COLUMNS) return 1;
  const rowBytes = (<usize>columns) << 2;
  for (const end = src + ((<usize>n) << 2); src < end; src += rowBytes) {
    if (!weighRow0(src, importance - src, dst, columns)) return 1;
    dst += rowBytes / GROUP_BYTES * bytes0();
  }
  return 0;
}
