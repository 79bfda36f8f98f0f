// int4: codes of -8 ... 7, two to a byte, first in the low nibble;
// code = clamp(RNE(x / scale) + zeroPoint, -8, 7), value = (code - zeroPoint) * scale.

import {
  bytesHigh, bytesLow, isFinite32, joinWeights, lowHalves, lowNibbleOfWord, lowNibbles, magicHigh, magnitudeBits,
  maxOfEachI32, nibbleSigns, pin, roundMagic, settleNaNs, wordsHigh, wordsLow, zero,
} from "./common";
import { maxMagnitude, range } from "./reduce";

// Scale rules, as src/families/grouped.ts numbers them.
const ABSMAX: i32 = 0;
const AFFINE: i32 = 2;

const INFINITY_BITS: i32 = 0x7f800000;

// ---- quantizing a run that shares one scale ----

// Bounds of x / scale before the zero point is added. Clamping to whole numbers
// before rounding gives the same codes as after it.
@inline function lowest(zeroPoint: i32): f32 { return <f32>-8 - <f32>zeroPoint; }
@inline function highest(zeroPoint: i32): f32 { return <f32>7 - <f32>zeroPoint; }

// x * (1 / scale) can differ from x / scale by an ulp or two, which matters only
// near a tie. Adding 3072.5 leaves code + 1/2 as a 4.12 fixed-point number in the
// low 16 bits: truncating it rounds, and a zero fraction says that a tie is within
// 2^-13, in which case the block is done again by division. 1.65x over dividing.
// Codes that cannot saturate are not clamped: 1.3x in cache.
@inline function scaled(src: usize, r: v128, c: v128, low: v128, high: v128, saturate: bool): v128 {
  const t = f32x4.mul(v128.load(src), r);
  return f32x4.add(saturate ? f32x4.pmin(f32x4.pmax(t, low), high) : t, c);
}

@inline function fixedPoint(
  src: usize, r: v128, c: v128, low: v128, high: v128, mask: v128, saturate: bool,
): v128 {
  const a = scaled(src, r, c, low, high, saturate), b = scaled(src + 16, r, c, low, high, saturate);
  return i16x8.narrow_i32x4_u(v128.and(a, mask), v128.and(b, mask));
}

@inline function joinNibbles(fixed: v128, weights: v128): v128 {
  return i32x4.dot_i16x8_s(i16x8.shr_u(fixed, 12), weights);
}

@inline function packBytes(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

// 32 values to 16 bytes; false where a value is so near a tie that only division can tell.
@inline function quantizeBlock(
  src: usize, dst: usize, r: v128, c: v128, low: v128, high: v128, mask: v128, weights: v128, saturate: bool,
): bool {
  const a = fixedPoint(src, r, c, low, high, mask, saturate);
  const b = fixedPoint(src + 32, r, c, low, high, mask, saturate);
  const d = fixedPoint(src + 64, r, c, low, high, mask, saturate);
  const e = fixedPoint(src + 96, r, c, low, high, mask, saturate);
  v128.store(dst, packBytes(joinNibbles(a, weights), joinNibbles(b, weights), joinNibbles(d, weights), joinNibbles(e, weights)));
  return i16x8.all_true(i16x8.min_u(
    i16x8.min_u(i16x8.shl(a, 4), i16x8.shl(b, 4)),
    i16x8.min_u(i16x8.shl(d, 4), i16x8.shl(e, 4)),
  ));
}

@inline function divided(src: usize, s: v128, low: v128, high: v128, zp: v128): v128 {
  const t = f32x4.pmin(f32x4.pmax(f32x4.div(v128.load(src), s), low), high);
  return v128.and(i32x4.add(f32x4.add(t, roundMagic()), zp), lowNibbleOfWord());
}

// The exact way, out of line to keep the fast loop small.
@noinline function divideBlock(src: usize, dst: usize, scale: f32, zeroPoint: i32): void {
  const s = f32x4.splat(scale), zp = i32x4.splat(zeroPoint), w = joinWeights();
  const low = f32x4.splat(lowest(zeroPoint)), high = f32x4.splat(highest(zeroPoint));
  for (let i = 0; i < 16; i += 4) {
    const a = i16x8.narrow_i32x4_s(divided(src, s, low, high, zp), divided(src + 16, s, low, high, zp));
    const bytes = i32x4.dot_i16x8_s(a, w);
    const packed = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(bytes, bytes), zero());
    store<i32>(dst, i32x4.extract_lane(packed, 0));
    src += 32;
    dst += 4;
  }
}

@inline function quantizeOne(x: f32, scale: f32, zeroPoint: i32): u32 {
  const t = min<f32>(max<f32>(x / scale, lowest(zeroPoint)), highest(zeroPoint));
  return (<u32>(<i32>nearest(t) + zeroPoint)) & 15;
}

// Reciprocals outside of this range are not normal floats, or lose the products.
@inline function reciprocal(scale: f32): f32 {
  return scale > <f32>1e-30 && scale < <f32>1e30 ? <f32>1 / scale : <f32>NaN;
}

const PAGE: usize = 4096;

// Four pages at once: hardware prefetching stops at the end of a page, which four
// streams make up for where data comes from memory. src to end: whole four pages.
@inline function quantizePages(src: usize, end: usize, dst: usize, scale: f32, zeroPoint: i32, saturate: bool): void {
  const r = pin(reciprocal(scale)), c = pin(<f32>3072.5 + <f32>zeroPoint);
  const low = pin(lowest(zeroPoint)), high = pin(highest(zeroPoint));
  const mask = lowHalves(), weights = joinWeights();
  for (; src < end; src += 3 * PAGE) {
    for (const pageEnd = src + PAGE; src < pageEnd; src += 128) {
      for (let page: usize = 0; page < 4; page++) {
        const from = src + page * PAGE, to = dst + page * (PAGE / 8);
        if (!quantizeBlock(from, to, r, c, low, high, mask, weights, saturate)) divideBlock(from, to, scale, zeroPoint);
      }
      dst += 16;
    }
    dst += 3 * (PAGE / 8);
  }
}

// src to end: whole blocks of 32.
@inline function quantizeBlocks(src: usize, end: usize, dst: usize, scale: f32, zeroPoint: i32, saturate: bool): void {
  const r = pin(reciprocal(scale)), c = pin(<f32>3072.5 + <f32>zeroPoint);
  const low = pin(lowest(zeroPoint)), high = pin(highest(zeroPoint));
  const mask = lowHalves(), weights = joinWeights();
  for (; src < end; src += 128) {
    if (!quantizeBlock(src, dst, r, c, low, high, mask, weights, saturate)) divideBlock(src, dst, scale, zeroPoint);
    dst += 16;
  }
}

// One function for each loop, so that its constants have the registers to themselves.
@noinline function quantizePagesInRange(src: usize, end: usize, dst: usize, scale: f32, zeroPoint: i32): void {
  quantizePages(src, end, dst, scale, zeroPoint, false);
}
@noinline function quantizePagesSaturating(src: usize, end: usize, dst: usize, scale: f32, zeroPoint: i32): void {
  quantizePages(src, end, dst, scale, zeroPoint, true);
}
@noinline function quantizeBlocksInRange(src: usize, end: usize, dst: usize, scale: f32, zeroPoint: i32): void {
  quantizeBlocks(src, end, dst, scale, zeroPoint, false);
}
@noinline function quantizeBlocksSaturating(src: usize, end: usize, dst: usize, scale: f32, zeroPoint: i32): void {
  quantizeBlocks(src, end, dst, scale, zeroPoint, true);
}

// n values from the nibble-th nibble of dst on. A NaN reciprocal leaves every
// fraction zero, so that all blocks are divided.
@noinline function quantizeRun(src: usize, n: i32, dst: usize, nibble: i32, scale: f32, zeroPoint: i32, saturate: bool): void {
  dst += <usize>(nibble >> 1);
  nibble &= 1;
  const end = src + ((<usize>n) << 2);
  if (!nibble && n >= 32) {
    const body = src + ((<usize>(n & ~31)) << 2);
    if (saturate) quantizeBlocksSaturating(src, body, dst, scale, zeroPoint);
    else quantizeBlocksInRange(src, body, dst, scale, zeroPoint);
    dst += (body - src) >> 3;
    src = body;
  }
  while (src < end) {
    const code = quantizeOne(load<f32>(src), scale, zeroPoint);
    if (nibble) {
      store<u8>(dst, load<u8>(dst) | <u8>(code << 4));
      dst++;
    } else {
      store<u8>(dst, <u8>code);
    }
    nibble ^= 1;
    src += 4;
  }
}

// Values in four pages.
const PAGES: i32 = 4096;

// Fewer values than this come in a tile, and so from a cache.
const FROM_MEMORY: i32 = 16384;

// saturate: 0 where no value is beyond 7 scales.
export function int4_quantize(n: i32, src: usize, codes: usize, scale: f32, zeroPoint: i32, saturate: i32): i32 {
  const whole = n < FROM_MEMORY ? 0 : n & ~(PAGES - 1), body = src + ((<usize>whole) << 2);
  if (whole && saturate) quantizePagesSaturating(src, body, codes, scale, zeroPoint);
  else if (whole) quantizePagesInRange(src, body, codes, scale, zeroPoint);
  quantizeRun(body, n - whole, codes + ((<usize>whole) >> 1), 0, scale, zeroPoint, saturate != 0);
  return 0;
}

// ---- quantizing groups, each with its own scale ----

const STATE: usize = memory.data(16, 16);

@inline function orOne(scale: f32): f32 { return scale == 0 ? <f32>1 : scale; }

// Scale and zero point of one group of any length; true where a value or the scale is not finite.
@inline function measureGroup(src: usize, n: i32, rule: i32, scales: usize, zeroPoints: usize): bool {
  if (rule == ABSMAX) {
    const bits = maxMagnitude(src, n, 0);
    store<f32>(scales, orOne(reinterpret<f32>(bits) / 7));
    return bits >= INFINITY_BITS;
  }
  const first = rule == AFFINE ? <f32>0 : load<f32>(src);
  store<f32>(STATE, first);
  store<f32>(STATE, first, 4);
  store<i32>(STATE, 0, 8);
  const bad = range(n, src, STATE);
  const low = load<f32>(STATE), scale = orOne((load<f32>(STATE, 4) - low) / 15);
  store<f32>(scales, scale);
  if (rule == AFFINE) {
    store<i8>(zeroPoints, <i8><i32>nearest(min<f32>(max<f32>(<f32>-8 - low / scale, -8), 7)));
  }
  return bad != 0 || !isFinite32(scale);
}

// Rows of any length in groups of any length; each row's codes start at a byte.
function quantizeGroups(n: i32, src: usize, codes: usize, scales: usize, zeroPoints: usize, row: i32, group: i32, rule: i32): i32 {
  let bad = 0;
  while (n > 0) {
    const columns = min(n, row);
    for (let at = 0; at < columns; at += group) {
      const length = min(group, columns - at), start = src + ((<usize>at) << 2);
      bad |= <i32>measureGroup(start, length, rule, scales, zeroPoints);
      const zeroPoint = rule == AFFINE ? <i32>load<i8>(zeroPoints) : 0;
      quantizeRun(start, length, codes, at, load<f32>(scales), zeroPoint, rule != ABSMAX);
      scales += 4;
      if (rule == AFFINE) zeroPoints++;
    }
    src += (<usize>columns) << 2;
    codes += (<usize>(columns + 1)) >> 1;
    n -= columns;
  }
  return bad;
}

@inline function magnitudes(src: usize, k: v128, end: usize): v128 {
  let m = zero();
  while (src < end) {
    m = i32x4.max_s(m, i32x4.max_s(
      i32x4.max_s(
        i32x4.max_s(v128.and(k, v128.load(src)), v128.and(k, v128.load(src, 16))),
        i32x4.max_s(v128.and(k, v128.load(src, 32)), v128.and(k, v128.load(src, 48))),
      ),
      i32x4.max_s(
        i32x4.max_s(v128.and(k, v128.load(src, 64)), v128.and(k, v128.load(src, 80))),
        i32x4.max_s(v128.and(k, v128.load(src, 96)), v128.and(k, v128.load(src, 112))),
      ),
    ));
    src += 128;
  }
  return m;
}

// A chunk is measured, then quantized, while its floats are in the first cache.
const CHUNK: i32 = 4096;
const RECIPROCALS: usize = memory.data((CHUNK / 32) * 4, 16);

// absmax over groups of a multiple of 32, four groups at a time so that one
// vector holds their four maxima and divisions run four wide.
function quantizeAbsmaxQuads(quads: i32, src: usize, codes: usize, scales: usize, group: i32): i32 {
  const groupBytes = (<usize>group) << 2, quadBytes = groupBytes << 2;
  const perChunk = max(1, CHUNK / (group << 2));
  const last = src + (<usize>quads) * quadBytes - 128;
  let bad = zero();
  while (quads > 0) {
    const now = min(quads, perChunk), end = src + (<usize>now) * quadBytes;
    const k = magnitudeBits();
    // A look at the first lines of the next chunk's pages starts their prefetching early.
    if (quads > now) {
      for (let page = end; page < end + 4 * PAGE && page < last; page += PAGE) {
        bad = i32x4.max_s(bad, v128.and(k, v128.load(page)));
        bad = i32x4.max_s(bad, v128.and(k, v128.load(page, 64)));
      }
    }
    let r = RECIPROCALS, s = scales;
    for (let at = src; at < end; at += quadBytes) {
      const second = at + groupBytes, third = second + groupBytes, fourth = third + groupBytes;
      const m = maxOfEachI32(
        magnitudes(at, k, second), magnitudes(second, k, third),
        magnitudes(third, k, fourth), magnitudes(fourth, k, at + quadBytes),
      );
      bad = i32x4.max_s(bad, m);
      v128.store(s, m);
      s += 16;
    }
    const seven = f32x4.splat(7), one = f32x4.splat(1), nan = f32x4.splat(NaN);
    const smallest = f32x4.splat(1e-30), largest = f32x4.splat(1e30);
    for (let q = scales; q < s; q += 16) {
      let scale = f32x4.div(v128.load(q), seven);
      scale = v128.bitselect(one, scale, f32x4.eq(scale, zero()));
      v128.store(q, scale);
      const usable = v128.and(f32x4.gt(scale, smallest), f32x4.lt(scale, largest));
      v128.store(r, v128.bitselect(f32x4.div(one, scale), nan, usable));
      r += 16;
    }
    const c = pin(3072.5), mask = lowHalves(), weights = joinWeights();
    r = RECIPROCALS;
    while (src < end) {
      const groupEnd = src + groupBytes, reciprocals = v128.load32_splat(r);
      do {
        if (!quantizeBlock(src, codes, reciprocals, c, c, c, mask, weights, false)) {
          divideBlock(src, codes, load<f32>(scales), 0);
        }
        src += 128;
        codes += 16;
      } while (src < groupEnd);
      r += 4;
      scales += 4;
    }
    quads -= now;
  }
  return i32x4.all_true(i32x4.lt_s(bad, i32x4.splat(INFINITY_BITS))) ? 0 : 1;
}

// Rows of `row` values in groups of `group` (the last of a row may be shorter).
export function int4_quantize_groups(
  n: i32, src: usize, codes: usize, scales: usize, zeroPoints: usize, row: i32, group: i32, rule: i32,
): i32 {
  let bad = 0;
  if (rule == ABSMAX && !(group & 31) && n <= row) {
    const quads = n / (group << 2), done = quads * (group << 2);
    bad = quantizeAbsmaxQuads(quads, src, codes, scales, group);
    n -= done;
    src += (<usize>done) << 2;
    codes += (<usize>done) >> 1;
    scales += (<usize>quads) << 4;
  }
  return bad | quantizeGroups(n, src, codes, scales, zeroPoints, row, group, rule);
}

// ---- dequantizing ----

// A code as 2^23 + (code ^ 8) in float, less 2^23 + 8 + zeroPoint: exact, and no conversion.
@inline function storeValues(out: usize, bytes: v128, scale: v128, offset: v128, z: v128, high: v128): void {
  const a = bytesLow(bytes, z), b = bytesHigh(bytes, z);
  v128.store(out, f32x4.mul(f32x4.sub(wordsLow(a, high), offset), scale));
  v128.store(out, f32x4.mul(f32x4.sub(wordsHigh(a, high), offset), scale), 16);
  v128.store(out, f32x4.mul(f32x4.sub(wordsLow(b, high), offset), scale), 32);
  v128.store(out, f32x4.mul(f32x4.sub(wordsHigh(b, high), offset), scale), 48);
}

@inline function dequantizeRun(codes: usize, nibble: i32, n: i32, out: usize, s: f32, zeroPoint: i32): void {
  codes += <usize>(nibble >> 1);
  nibble &= 1;
  const end = out + ((<usize>n) << 2);
  if (!nibble && n >= 32) {
    const body = out + ((<usize>(n & ~31)) << 2);
    const scale = pin(s), offset = pin(<f32>8388616 + <f32>zeroPoint);
    const signs = nibbleSigns(), mask = lowNibbles(), high = magicHigh(), z = zero();
    while (out < body) {
      const v = v128.xor(v128.load(codes), signs);
      const even = v128.and(v, mask), odd = v128.and(i16x8.shr_u(v, 4), mask);
      storeValues(out, bytesLow(even, odd), scale, offset, z, high);
      storeValues(out + 64, bytesHigh(even, odd), scale, offset, z, high);
      codes += 16;
      out += 128;
    }
  }
  while (out < end) {
    const code = nibble ? <i32>load<i8>(codes) >> 4 : (<i32>load<u8>(codes) << 28) >> 28;
    store<f32>(out, <f32>(code - zeroPoint) * s);
    codes += <usize>nibble;
    nibble ^= 1;
    out += 4;
  }
}

export function int4_dequantize(n: i32, codes: usize, out: usize, scale: f32, zeroPoint: i32): i32 {
  dequantizeRun(codes, 0, n, out, scale, zeroPoint);
  if (!isFinite32(scale)) settleNaNs(out, out + ((<usize>n) << 2));
  return 0;
}

// affine: 1 where zero points are there to be read.
export function int4_dequantize_groups(
  n: i32, codes: usize, scales: usize, zeroPoints: usize, out: usize, row: i32, group: i32, affine: i32,
): i32 {
  const first = out;
  let odd: u32 = 0; // negative where the exponent of a scale is that of infinities and NaN
  while (n > 0) {
    const columns = min(n, row);
    for (let at = 0; at < columns; at += group) {
      odd |= (load<u32>(scales) & 0x7fffffff) + 0x00800000;
      const zeroPoint = affine ? <i32>load<i8>(zeroPoints) : 0;
      dequantizeRun(codes, at, min(group, columns - at), out + ((<usize>at) << 2), load<f32>(scales), zeroPoint);
      scales += 4;
      zeroPoints += <usize>affine;
    }
    codes += (<usize>(columns + 1)) >> 1;
    out += (<usize>columns) << 2;
    n -= columns;
  }
  if (<i32>odd < 0) settleNaNs(first, out);
  return 0;
}
