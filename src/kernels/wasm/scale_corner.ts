// A group at a scale, to the bit: its codes, P and Q, and the best stored scale so
// far; see src/schemes/scale_search.ts. A group is rounded by comparing it with
// thresholds that are rounded to float32: a float32 reaches a float64 where it
// exceeds the largest float32 below it.

import { maxLaneI32, workspace } from "./common";
import { levelsAt, ranksOf } from "./scale_explore";
import { nearestOf } from "./stored";

// What is searched, and how: a record that src/schemes/search_kernel.ts writes.
export namespace Job {
  export const LISTED: usize = 0; //      u32 1 for scales of a list, 0 for those of a type
  export const OPTIMAL: usize = 4; //     u32 0 for the starting scales alone
  export const SIGNED: usize = 8; //      u32 1 where scales may be negative
  export const DTYPE: usize = 12; //      u32 0 float32, 1 float16, 2 bfloat16
  export const MOST: usize = 16; //       f64 the largest scale
  export const REACH: usize = 24; //      f64 the largest magnitude of a level
  export const HIGH: usize = 32; //       f64 1 over the last level upwards, 0 where there is one level
  export const LOW: usize = 40; //        f64 the same downwards, by magnitude
  export const DOWN: usize = 48; //       u32 how many thresholds are negative
  export const COUNT: usize = 52; //      u32 scales in the list
  export const KIND: usize = 56; //       u32 what the levels are: see scale_explore.ts
  export const LOSS: usize = 60; //       f32 the largest part of a score that storing the scale costs
  export const THRESHOLDS: usize = 64; // f64[16] magnitudes in the order of levels, those behind the last are infinite
  export const FIRST_UP: usize = 192; //  f64 the first threshold upwards, infinite without one
  export const FIRST_DOWN: usize = 200; // f64 and downwards
  export const LAST: usize = 208; //      f64 the largest threshold
  export const AT_ZERO: usize = 216; //   f64 the level of 0
  export const PLANES: usize = 224; //    u8[4][16] bytes of the levels in float32, the lowest ones first
  export const CODES: usize = 288; //     u8[16] codes of the levels
  export const STARTS: usize = 304; //    f64[9] see there
  export const POINTS: usize = 384; //    f32[16] where exploring starts: the largest level, as a part of what it is at a scale
  export const HALVING: usize = 448; //   u32 how far down the list half of a scale is; 0 where that is not so
  export const HALVED: usize = 452; //    u32 from which number on
  export const SCALES: usize = 456; //    f64[] the list, then f32[] the fields
}

const STARTS: usize = 9;

// Where what is made for a group lies in the workspace.
const BOUNDS: usize = 0; //    f32x4[15] one threshold in all lanes
export const TAIL: usize = 256; //    f32[4] the last values, zeros behind them
const TAIL_WEIGHTS: usize = 272;
export const ENDS: usize = 288; //  starts and ends
export const POINT_BYTES: usize = 24;

// The group at hand: values, weights or 0, how many.
export let job: usize = 0, values: usize = 0, weights: usize = 0, count: usize = 0;
// −1 while negative scales are looked for.
export let sign: f64 = 1;
export let sumP: f64 = 0, sumQ: f64 = 0;
export let bestScale: f64 = 0, bestScore: f64 = 0;

export function setJob(record: usize): void { job = record; }

// Sets the group at hand; the last few of its values get zeros behind them.
export function begin(x: usize, w: usize, n: usize): void {
  values = x;
  weights = w;
  count = n;
  const work = workspace(), from = n & ~3;
  v128.store(work, i32x4.splat(0), TAIL);
  v128.store(work, i32x4.splat(0), TAIL_WEIGHTS);
  for (let i = from; i < n; i++) {
    store<f32>(work + ((i - from) << 2), load<f32>(x + (i << 2)), TAIL);
    if (w) store<f32>(work + ((i - from) << 2), load<f32>(w + (i << 2)), TAIL_WEIGHTS);
  }
}

// For corners alone, which need no extents.
export function setSign(side: f64): void { sign = side; }

export function forget(): void { bestScale = bestScore = 0; }

// ---- rounding a group ----

// Lanes compare values that are multiplied by the sign.
function setBounds(scale: f64): void {
  const work = workspace(), down = usize(load<u32>(job, Job.DOWN)) << 4;
  for (let k: usize = 0; k < 240; k += 16) {
    const bound = load<f64>(job + (k >> 1), Job.THRESHOLDS) * scale;
    let near = f32(bound);
    // The smallest float32 that is not below the bound, then, upwards, the one before it.
    if (f64(near) < bound) near = reinterpret<f32>(reinterpret<u32>(near) + 1);
    if (k < down) near = -near;
    else if (near > 0) near = reinterpret<f32>(reinterpret<u32>(near) - 1);
    v128.store(work + k, f32x4.splat(near), BOUNDS);
  }
}

@inline function high(x: v128): v128 { return f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)); }
@inline function lanes(v: v128): f64 { return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1); }

// P and Q of the codes at a scale: every fourth value in a sum of its own.
export function corner(scale: f64): void {
  setBounds(scale);
  const bounds = workspace() + BOUNDS, flip = sign < 0 ? i32x4.splat(0x80000000) : i32x4.splat(0);
  const one = f64x2.splat(1);
  let p0 = f64x2.splat(0), p1 = p0, q0 = p0, q1 = p0;
  let x4 = values, w4 = weights, w0 = one, w1 = one;
  for (let rest = i32(count); rest > 0; rest -= 4, x4 += 16, w4 += 16) {
    if (rest < 4) {
      x4 = workspace() + TAIL;
      w4 = workspace() + TAIL_WEIGHTS;
    }
    const x = v128.xor(v128.load(x4), flip), level = levelsAt(ranksOf(x, bounds), job + Job.PLANES);
    if (weights) {
      const w = v128.load(w4);
      w0 = f64x2.promote_low_f32x4(w);
      w1 = high(w);
    }
    const l0 = f64x2.promote_low_f32x4(level), l1 = high(level), v0 = f64x2.mul(w0, l0), v1 = f64x2.mul(w1, l1);
    p0 = f64x2.add(p0, f64x2.mul(f64x2.promote_low_f32x4(x), v0));
    p1 = f64x2.add(p1, f64x2.mul(high(x), v1));
    q0 = f64x2.add(q0, f64x2.mul(l0, v0));
    q1 = f64x2.add(q1, f64x2.mul(l1, v1));
  }
  sumP = lanes(f64x2.add(p0, p1));
  sumQ = lanes(f64x2.add(q0, q1));
  if (!weights && (count & 3)) {
    // The zeros behind the last value have a level, too; a whole number where it is not 0.
    const level = load<f64>(job, Job.AT_ZERO);
    sumQ -= f64(4 - (count & 3)) * level * level;
  }
}

export function storeCodes(scale: f64, codes: usize): void {
  sign = scale < 0 ? -1 : 1;
  setBounds(scale * sign);
  const bounds = workspace() + BOUNDS, flip = sign < 0 ? i32x4.splat(0x80000000) : i32x4.splat(0), table = v128.load(job, Job.CODES);
  for (let i: usize = 0; i < count; i += 4) {
    const x = v128.load(count - i < 4 ? workspace() + TAIL : values + (i << 2));
    const ranks = ranksOf(v128.xor(x, flip), bounds);
    const four = i8x16.swizzle(table, v128.shuffle<i8>(ranks, ranks, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12));
    let word = <u32>i32x4.extract_lane(four, 0);
    if (count - i >= 4) store<u32>(codes + i, word);
    else {
      for (let j = i; j < count; j++, word >>= 8) store<u8>(codes + j, word);
    }
  }
}

// ---- the best so far ----

function nearestOfType(scale: f64): f64 {
  return nearestOf(load<u32>(job, Job.DTYPE), load<f64>(job, Job.MOST), scale);
}

@inline export function listed(index: i32): f64 { return load<f64>(job + (usize(index) << 3), Job.SCALES); }

export function nearestListed(scale: f64): i32 {
  let low = 0, high = load<i32>(job, Job.COUNT) - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scale >= (listed(middle) + listed(middle + 1)) / 2) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function takeScale(scale: f64): void {
  const score = scale * (2 * sumP - scale * sumQ), signed = scale * sign;
  if (score > bestScore || (score === bestScore && score > 0 && signed > bestScale)) {
    bestScore = score;
    bestScale = signed;
  }
}

export function take(): void {
  if (!(sumP > 0 && sumQ > 0)) return;
  const scale = sumP / sumQ;
  takeScale(load<u32>(job, Job.LISTED) ? listed(nearestListed(scale)) : nearestOfType(scale));
}

// ---- where scales are looked for ----

// See extentOf().
export let full: f64 = 0, none: f64 = 0, all: f64 = 0;

// Magnitudes: the largest of either sign and the smallest but 0.
let mostUp: f64 = 0, mostDown: f64 = 0, smallest: f64 = 0;

export function measure(): void {
  const none = f32x4.splat(0), infinity = i32x4.splat(0x7f800000), bits = i32x4.splat(0x7fffffff);
  let up = none, down = none, least = infinity;
  for (let i: usize = 0; i < count; i += 4) {
    const x = v128.load(count - i < 4 ? workspace() + TAIL : values + (i << 2));
    up = i32x4.max_s(up, x);
    down = i32x4.max_s(down, f32x4.neg(x));
    least = i32x4.min_s(least, v128.or(v128.and(x, bits), v128.and(f32x4.eq(x, none), infinity)));
  }
  mostUp = f64(reinterpret<f32>(maxLaneI32(up)));
  mostDown = f64(reinterpret<f32>(maxLaneI32(down)));
  smallest = f64(reinterpret<f32>(-maxLaneI32(i32x4.neg(least))));
}

export function turnTo(side: f64): void {
  sign = side;
  const most = side > 0 ? mostUp : mostDown, least = side > 0 ? mostDown : mostUp;
  const beyond = 1 + 1 / f64(1 << 20), up = load<f64>(job, Job.HIGH), down = load<f64>(job, Job.LOW);
  full = max(up > 0 ? most / up : 0, down > 0 ? least / down : 0);
  none = beyond * max(most / load<f64>(job, Job.FIRST_UP), least / load<f64>(job, Job.FIRST_DOWN));
  all = smallest / load<f64>(job, Job.LAST) / beyond;
}

@inline export function scaleAt(point: usize): f64 { return load<f64>(point); }
@inline export function pAt(point: usize): f64 { return load<f64>(point, 8); }
@inline export function qAt(point: usize): f64 { return load<f64>(point, 16); }

// Rounds at a scale, takes that and puts it down.
export function visit(scale: f64, point: usize): void {
  corner(scale);
  take();
  store<f64>(point, scale);
  store<f64>(point, sumP, 8);
  store<f64>(point, sumQ, 16);
}

// Visits the starting scales and the ends; returns where the points end.
export function visitStarts(): usize {
  let point = workspace() + ENDS;
  visit(none, point);
  point += POINT_BYTES;
  for (let i: usize = 0; i < STARTS; i++) {
    const scale = load<f64>(job + (i << 3), Job.STARTS) * full;
    if (!(scale > all && scale < none)) continue;
    visit(scale, point);
    point += POINT_BYTES;
  }
  visit(all, point);
  return point + POINT_BYTES;
}
