// IQ4_NL: [f16 scale][16 bytes of codes] for 32 values.
// IQ4_XS: [f16 scale][u16 high bits][4 bytes of low bits][8 * 16 bytes of codes] for 256.

import { bytesHigh, bytesLow, lowNibbles, pin, roundMagic, settleNaNs, wordsHigh, wordsLow, workspace, zero } from "./common";
import { anyOdd, halvesOf, isOdd, loadHalf, oddness, overflowed } from "./float16";
import { sumsOfSquares } from "./groups";
import {
  allFinite, gridValues, inverseOrZero, loadValues, search, storeCodes, weighByImportance, weighBySquares,
} from "./iq4_search";

const GROUP_BYTES: usize = 128; //      of floats
const NL_BYTES: usize = 18;
const SUPER_BYTES: usize = 1024; //     of floats
const XS_BYTES: usize = 136;
const XS_CODES: usize = 8;

// ---- iq4_nl ----

// What four blocks are written with: binary16 scales and inverse scales.
const HALVES: usize = memory.data(16, 16);
const FACTORS: usize = memory.data(16, 16);

@inline function storeBlock(lane: usize, src: usize, dst: usize): void {
  store<u16>(dst, load<u16>(HALVES + lane));
  storeCodes(src, load<f32>(FACTORS + lane), dst + 2);
}

// Four blocks at a time; where fewer are left, the last one fills the other
// lanes and is written again, to the same bytes.
function quantizeNl(n: i32, src: usize, importance: usize, blocks: usize, columns: i32): i32 {
  const rowBytes = (<usize>columns) << 2, from = src;
  const end = src + ((<usize>n) << 2), last = end - GROUP_BYTES;
  for (; src < end; src += 4 * GROUP_BYTES) {
    const b = min(src + GROUP_BYTES, last), c = min(src + 2 * GROUP_BYTES, last), d = min(src + 3 * GROUP_BYTES, last);
    if (importance) {
      const sigma2 = f32x4.mul(sumsOfSquares(src, b, c, d, GROUP_BYTES, workspace()), f32x4.splat(2.0 / 32));
      if (!loadValues(src, b, c, d)) return 1;
      weighByImportance(
        importance + (src - from) % rowBytes, importance + (b - from) % rowBytes,
        importance + (c - from) % rowBytes, importance + (d - from) % rowBytes, sigma2,
      );
    } else {
      if (!loadValues(src, b, c, d)) return 1;
      weighBySquares();
    }
    const scales = search();
    const halves = halvesOf(scales);
    if (v128.any_true(overflowed(halves))) return 1;
    v128.store(HALVES, halves);
    v128.store(FACTORS, inverseOrZero(scales));
    storeBlock(0, src, blocks);
    storeBlock(4, b, blocks + (b - src) / GROUP_BYTES * NL_BYTES);
    storeBlock(8, c, blocks + (c - src) / GROUP_BYTES * NL_BYTES);
    storeBlock(12, d, blocks + (d - src) / GROUP_BYTES * NL_BYTES);
    blocks += 4 * NL_BYTES;
  }
  return 0;
}

export function iq4_nl_quantize(n: i32, src: usize, blocks: usize): i32 {
  return quantizeNl(n, src, 0, blocks, n);
}

export function iq4_nl_weigh(n: i32, src: usize, importance: usize, blocks: usize, columns: i32): i32 {
  return quantizeNl(n, src, importance, blocks, columns);
}

// ---- iq4_xs ----

const SCALES: usize = memory.data(32, 16); //   of eight groups
const INVERSES: usize = memory.data(32, 16); // of their rounded scales
const LEVELS: usize = memory.data(32, 16); //   the 6-bit scales
const SIGMAS: usize = memory.data(16, 16); //   sigma2 of four super-blocks

@inline function searchHalf(src: usize, importance: usize, sigma2: f32, scales: usize): bool {
  if (!loadValues(src, src + GROUP_BYTES, src + 2 * GROUP_BYTES, src + 3 * GROUP_BYTES)) return false;
  if (importance) {
    weighByImportance(
      importance, importance + GROUP_BYTES, importance + 2 * GROUP_BYTES, importance + 3 * GROUP_BYTES, f32x4.splat(sigma2),
    );
  } else {
    weighBySquares();
  }
  const found = search();
  v128.store(scales, found);
  return allFinite(found);
}

// Rounds four scales to levels of -32 ... 31.
@inline function roundScales(at: usize, d: f32, inverse: f32): void {
  const t = f32x4.add(f32x4.mul(f32x4.splat(inverse), v128.load(SCALES + at)), roundMagic());
  const level = i32x4.min_s(i32x4.max_s(i32x4.sub(t, roundMagic()), i32x4.splat(-32)), i32x4.splat(31));
  v128.store(LEVELS + at, i32x4.add(level, i32x4.splat(32)));
  v128.store(INVERSES + at, inverseOrZero(f32x4.mul(f32x4.splat(d), f32x4.convert_i32x4_s(level))));
}

// From the scales of the groups to the block; false where the reference has to do it.
function storeSuperBlock(src: usize, dst: usize): bool {
  let largest: f32 = 0;
  for (let g: usize = 0; g < 32; g += 4) {
    const scale = load<f32>(SCALES + g);
    if (abs(scale) > abs(largest)) largest = scale;
  }
  const d = -largest / 32, inverse: f32 = d == 0 ? 0 : 1 / d;
  if (!(abs(inverse) < <f32>Infinity)) return false;
  roundScales(0, d, inverse);
  roundScales(16, d, inverse);
  let high: u32 = 0, low: u32 = 0;
  for (let g: u32 = 0; g < 8; g++) {
    const level = load<u32>(LEVELS + (g << 2));
    high |= (level >> 4) << (2 * g);
    low |= (level & 15) << (4 * g);
    storeCodes(src + g * GROUP_BYTES, load<f32>(INVERSES + (g << 2)), dst + XS_CODES + (g << 4));
  }
  v128.store16_lane(dst, halvesOf(f32x4.splat(d)), 0);
  if (isOdd(dst)) return false;
  store<u16>(dst, <u16>high, 2);
  store<u32>(dst, low, 4);
  return true;
}

@inline function quantizeSuperBlock(src: usize, importance: usize, sigma2: f32, dst: usize): bool {
  const half = 4 * GROUP_BYTES;
  return searchHalf(src, importance, sigma2, SCALES) &&
    searchHalf(src + half, importance ? importance + half : 0, sigma2, SCALES + 16) && storeSuperBlock(src, dst);
}

export function iq4_xs_quantize(n: i32, src: usize, blocks: usize): i32 {
  for (const end = src + ((<usize>n) << 2); src < end; src += SUPER_BYTES) {
    if (!quantizeSuperBlock(src, 0, 0, blocks)) return 1;
    blocks += XS_BYTES;
  }
  return 0;
}

export function iq4_xs_weigh(n: i32, src: usize, importance: usize, blocks: usize, columns: i32): i32 {
  const rowBytes = (<usize>columns) << 2, from = src;
  const end = src + ((<usize>n) << 2), last = end - SUPER_BYTES;
  for (let next = src; src < end; src += SUPER_BYTES) {
    if (src == next) { // sums of 256 values take turns too, four at once
      next += 4 * SUPER_BYTES;
      const b = min(src + SUPER_BYTES, last), c = min(src + 2 * SUPER_BYTES, last), d = min(src + 3 * SUPER_BYTES, last);
      v128.store(SIGMAS, f32x4.mul(sumsOfSquares(src, b, c, d, SUPER_BYTES, workspace()), f32x4.splat(2.0 / 256)));
    }
    const sigma2 = load<f32>(SIGMAS + ((4 - (next - src) / SUPER_BYTES) << 2));
    if (!quantizeSuperBlock(src, importance + (src - from) % rowBytes, sigma2, blocks)) return 1;
    blocks += XS_BYTES;
  }
  return 0;
}

// ---- dequantizing ----

// A grid value in the top byte of a word is the value times 2^24, exactly; so
// scales are taken times 2^-24, exactly too. One lookup and four conversions for
// sixteen values are faster than two lookups.
const SHRINK: f32 = 5.9604644775390625e-8; // 2^-24

@inline function storeValues(out: usize, grid: v128, codes: v128, scale: v128, z: v128): void {
  const bytes = i8x16.swizzle(grid, codes), a = bytesLow(z, bytes), b = bytesHigh(z, bytes);
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(wordsLow(z, a)), scale));
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(wordsHigh(z, a)), scale), 16);
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(wordsLow(z, b)), scale), 32);
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(wordsHigh(z, b)), scale), 48);
}

@inline function dequantizeGroup(src: usize, out: usize, scale: v128, grid: v128, mask: v128, z: v128): void {
  const codes = v128.load(src);
  storeValues(out, grid, v128.and(codes, mask), scale, z);
  storeValues(out + 64, grid, v128.and(i16x8.shr_u(codes, 4), mask), scale, z);
}

export function iq4_nl_dequantize(n: i32, blocks: usize, out: usize): i32 {
  const grid = gridValues(), mask = lowNibbles(), z = zero(), shrink = pin(SHRINK);
  let odd: u32 = 0;
  for (const end = out + ((<usize>n) << 2); out < end; out += GROUP_BYTES) {
    dequantizeGroup(blocks + 2, out, f32x4.mul(loadHalf(blocks), shrink), grid, mask, z);
    odd |= oddness(blocks);
    blocks += NL_BYTES;
  }
  if (anyOdd(odd)) settleNaNs(out - ((<usize>n) << 2), out);
  return 0;
}

// The 6-bit scales of four groups, 16 times as large: their nibble and their two
// bits are masked where they are and moved to bits 4 ... 9 by multiplications.
@inline function levels(high: v128, low: v128): v128 {
  const nibbles = i32x4.mul(v128.and(low, i32x4(0x0f, 0xf0, 0x0f, 0xf0)), i32x4(16, 1, 16, 1));
  const pairs = i32x4.mul(v128.and(high, i32x4(0x03, 0x0c, 0x30, 0xc0)), i32x4(256, 64, 16, 4));
  return f32x4.convert_i32x4_s(i32x4.sub(i32x4.add(nibbles, pairs), i32x4.splat(32 * 16)));
}

export function iq4_xs_dequantize(n: i32, blocks: usize, out: usize): i32 {
  const grid = gridValues(), mask = lowNibbles(), z = zero(), shrink = pin(SHRINK / 16);
  for (const end = out + ((<usize>n) << 2); out < end; blocks += XS_BYTES) {
    const head = v128.load(blocks), d = f32x4.mul(loadHalf(blocks), shrink);
    const a = levels(
      v128.shuffle<i8>(head, z, 2, 16, 16, 16, 2, 16, 16, 16, 2, 16, 16, 16, 2, 16, 16, 16),
      v128.shuffle<i8>(head, z, 4, 16, 16, 16, 4, 16, 16, 16, 5, 16, 16, 16, 5, 16, 16, 16),
    );
    const b = levels(
      v128.shuffle<i8>(head, z, 3, 16, 16, 16, 3, 16, 16, 16, 3, 16, 16, 16, 3, 16, 16, 16),
      v128.shuffle<i8>(head, z, 6, 16, 16, 16, 6, 16, 16, 16, 7, 16, 16, 16, 7, 16, 16, 16),
    );
    v128.store(SCALES, f32x4.mul(a, d));
    v128.store(SCALES, f32x4.mul(b, d), 16);
    for (let codes = blocks + XS_CODES, scale = SCALES; scale < SCALES + 32; scale += 4) {
      dequantizeGroup(codes, out, v128.load32_splat(scale), grid, mask, z);
      codes += 16;
      out += GROUP_BYTES;
    }
    if (isOdd(blocks)) settleNaNs(out - SUPER_BYTES, out);
  }
  return 0;
}
