// A group at a scale, to the bit: its codes, P and Q, and the best stored scale so
// far; see src/schemes/scale_search.ts. A group is rounded by comparing it with
// thresholds that are rounded to float32: a float32 reaches a float64 where it
// exceeds the largest float32 below it. That always works. Mostly there are quicker
// ways: grids that need no table are rounded in float32, where no value is so near to a
// threshold that it could be on its other side; others have one threshold looked up.

import { magnitudeBits, maxLaneI32, pin, workspace } from "./common";
import { ANY, clamped, E2M1, isUnsure, levelsAt, ranksOf, numberOf, roundedBy, sizeOf, TABLE, UNIFORM } from "./scale_levels";
import { levelsOf, placesOf, scaleThresholds, stepsAt } from "./scale_tables";
import { nearestOf } from "./stored";

// What is searched, and how: a record that src/schemes/search_kernel.ts writes.
export namespace Job {
  export const LISTED: usize = 0; //      u32 1 for scales of a list, 0 for those of a type
  export const OPTIMAL: usize = 4; //     u32 0 for a few scales alone
  export const SIGNED: usize = 8; //      u32 1 where scales may be negative
  export const DTYPE: usize = 12; //      u32 0 float32, 1 float16, 2 bfloat16
  export const MOST: usize = 16; //       f64 the largest scale
  export const REACH: usize = 24; //      f64 the largest magnitude of a level
  export const HIGH: usize = 32; //       f64 the last level upwards, 0 where there is one level
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
  export const STARTS: usize = 304; //    f64[9] see there; four for those alone
  export const POINTS: usize = 384; //    f32[16] where exploring starts: the largest level, as a part of what it is at a scale
  export const HALVING: usize = 448; //   u32 how far down the list half of a scale is; 0 where that is not so
  export const HALVED: usize = 452; //    u32 from which number on
  export const SCALES: usize = 456; //    f64[] the list, then f32[] the fields
}

const STARTS: usize = 9;

// Where what is made for a group lies in the workspace.
const BOUNDS: usize = 0; //    f32x4[16] one threshold in all lanes
export const TAIL: usize = 256; //    f32[4] the last values, zeros behind them
const TAIL_WEIGHTS: usize = 272;
export const ENDS: usize = 288; //  starts and ends
export const POINT_BYTES: usize = 24;

// The group at hand: values, weights or 0, how many.
export let job: usize = 0, values: usize = 0, weights: usize = 0, count: usize = 0;
// −1 while negative scales are looked for.
export let sign: f64 = 1;
export let sumP: f64 = 0, sumQ: f64 = 0;
export let bestScale: f64 = 0, bestScore: f64 = 0, bestListed: i32 = 0;

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

const FIRST_RANKS: usize = memory.data<i32>([0, 1, 0, 1], 16);

// Whether quotients by a scale are as exact as any in float32.
@inline function isInFloats(scale: f64): bool { return scale > 1e-30 && scale < 1e30; }

@inline function kindAt(scale: f64): i32 { return isInFloats(scale) ? load<i32>(job, Job.KIND) : ANY; }

@inline function lowestOf(style: i32): v128 { return pin(style === E2M1 ? 1 : f32(-load<f64>(job, Job.LOW))); }
@inline function highestOf(style: i32): v128 { return pin(f32(load<f64>(job, Job.HIGH))); }

// Lanes compare values that are multiplied by the sign.
function setBounds(scale: f64): void {
  const work = workspace(), s = f64x2.splat(scale), down = i32x4.splat(load<i32>(job, Job.DOWN));
  let ranks = v128.load(FIRST_RANKS);
  for (let k: usize = 0; k < 256; k += 32) {
    const bound = f64x2.mul(v128.load(job + (k >> 1), Job.THRESHOLDS), s), near = f32x4.demote_f64x2_zero(bound);
    // The smallest float32 that is not below the bound, then, upwards, the one before it.
    const less = f64x2.lt(f64x2.promote_low_f32x4(near), bound), bits = i32x4.sub(near, v128.shuffle<i32>(less, less, 0, 2, 0, 2));
    const before = i32x4.add(bits, i32x4.gt_s(bits, i32x4.splat(0))), turned = f32x4.neg(bits);
    const found = v128.bitselect(turned, before, i32x4.lt_s(ranks, down));
    v128.store(work + k, v128.shuffle<i32>(found, found, 0, 0, 0, 0), BOUNDS);
    v128.store(work + k, v128.shuffle<i32>(found, found, 1, 1, 1, 1), BOUNDS + 16);
    ranks = i32x4.add(ranks, i32x4.splat(2));
  }
}

@inline function high64(x: v128): v128 { return f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)); }
@inline function lanes(v: v128): f64 { return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1); }

// P and Q of the codes at a scale: every fourth value in a sum of its own.
@inline function sumsAt(style: i32, scale: f64): bool {
  const bounds = workspace() + BOUNDS, flip = i32x4.splat(sign < 0 ? 0x80000000 : 0);
  if (style === ANY) setBounds(scale);
  if (style === TABLE) scaleThresholds(scale);
  const inverse = pin(style === TABLE ? stepsAt(scale) : f32(1 / scale)), low = lowestOf(style), high = highestOf(style), k = magnitudeBits();
  let p0 = f64x2.splat(0), p1 = p0, q0 = p0, q1 = p0, unsure = f32x4.splat(0);
  const weighed = weights !== 0;
  let x4 = values, w4 = weights;
  for (let rest = i32(count); rest > 0; rest -= 4, x4 += 16, w4 += 16) {
    if (rest < 4) {
      x4 = workspace() + TAIL;
      w4 = workspace() + TAIL_WEIGHTS;
    }
    const x = v128.xor(v128.load(x4), flip), x0 = f64x2.promote_low_f32x4(x), x1 = high64(x);
    let l0: v128, l1: v128;
    if (style === TABLE) {
      const places = placesOf(x, v128.and(x, k), inverse);
      l0 = levelsOf(i64x2.extract_lane(places, 0), f64x2.abs(x0));
      l1 = levelsOf(i64x2.extract_lane(places, 1), f64x2.abs(x1));
    } else if (style === ANY) {
      const level = levelsAt(ranksOf(x, bounds), job + Job.PLANES);
      l0 = f64x2.promote_low_f32x4(level);
      l1 = high64(level);
    } else {
      const y = clamped(style, f32x4.mul(x, inverse), low, high, k), size = sizeOf(style, y, low);
      const near = roundedBy(style, y, size);
      unsure = v128.or(unsure, isUnsure(style, y, near, size, k));
      const level = style === E2M1 ? v128.or(near, v128.andnot(x, k)) : near;
      l0 = f64x2.promote_low_f32x4(level);
      l1 = high64(level);
    }
    let v0 = l0, v1 = l1;
    if (weighed) {
      const w = v128.load(w4);
      v0 = f64x2.mul(f64x2.promote_low_f32x4(w), l0);
      v1 = f64x2.mul(high64(w), l1);
    }
    p0 = f64x2.add(p0, f64x2.mul(x0, v0));
    p1 = f64x2.add(p1, f64x2.mul(x1, v1));
    q0 = f64x2.add(q0, f64x2.mul(l0, v0));
    q1 = f64x2.add(q1, f64x2.mul(l1, v1));
  }
  if (v128.any_true(unsure)) return false;
  sumP = lanes(f64x2.add(p0, p1));
  sumQ = lanes(f64x2.add(q0, q1));
  return true;
}

@noinline function sumsOfAny(scale: f64): void { sumsAt(ANY, scale); }
@noinline function sumsByTable(scale: f64): void { sumsAt(TABLE, scale); }
@noinline function sumsOfUniform(scale: f64): bool { return sumsAt(UNIFORM, scale); }
@noinline function sumsOfE2M1(scale: f64): bool { return sumsAt(E2M1, scale); }

export function corner(scale: f64): void {
  const kind = kindAt(scale);
  if (kind === UNIFORM && sumsOfUniform(scale)) return;
  if (kind === E2M1 && sumsOfE2M1(scale)) return;
  if (kind === TABLE) sumsByTable(scale);
  else sumsOfAny(scale);
  if (!weights && (count & 3)) {
    // The zeros behind the last value have a level, too; a whole number where it is not 0.
    const level = load<f64>(job, Job.AT_ZERO);
    sumQ -= f64(4 - (count & 3)) * level * level;
  }
}

// Four codes by their levels' numbers.
@inline function storeFour(codes: usize, table: v128, ranks: v128, rest: usize): void {
  const four = i8x16.swizzle(table, v128.shuffle<i8>(ranks, ranks, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12));
  if (rest >= 4) v128.store32_lane(codes, four, 0);
  else {
    let word = <u32>i32x4.extract_lane(four, 0);
    for (let j: usize = 0; j < rest; j++, word >>= 8) store<u8>(codes + j, word);
  }
}

@inline function storeCodesAt(style: i32, codes: usize, scale: f64): bool {
  const bounds = workspace() + BOUNDS, flip = i32x4.splat(sign < 0 ? 0x80000000 : 0), table = v128.load(job, Job.CODES);
  if (style === ANY) setBounds(scale);
  const inverse = pin(f32(sign / scale)), low = lowestOf(style), high = highestOf(style), k = magnitudeBits();
  const down = i32x4.splat(load<i32>(job, Job.DOWN));
  let unsure = f32x4.splat(0);
  for (let i: usize = 0; i < count; i += 4) {
    const x = v128.load(count - i < 4 ? workspace() + TAIL : values + (i << 2));
    let ranks: v128;
    if (style === ANY) ranks = ranksOf(v128.xor(x, flip), bounds);
    else {
      const y = f32x4.mul(x, inverse), c = clamped(style, y, low, high, k), size = sizeOf(style, c, low);
      const near = roundedBy(style, c, size);
      unsure = v128.or(unsure, isUnsure(style, c, near, size, k));
      ranks = i32x4.add(numberOf(style, near, y, size), down);
    }
    storeFour(codes + i, table, ranks, count - i);
  }
  return !v128.any_true(unsure);
}

export function storeCodes(scale: f64, codes: usize): void {
  sign = scale < 0 ? -1 : 1;
  const magnitude = scale * sign, kind = kindAt(magnitude);
  if (kind === UNIFORM && storeCodesAt(UNIFORM, codes, magnitude)) return;
  if (kind === E2M1 && storeCodesAt(E2M1, codes, magnitude)) return;
  storeCodesAt(ANY, codes, magnitude);
}

// ---- the best so far ----

// More than the roundings of a score are.
export const SLACK: f64 = 1 - 1e-9;

function nearestOfType(scale: f64): f64 {
  return nearestOf(load<u32>(job, Job.DTYPE), load<f64>(job, Job.MOST), scale);
}

@inline export function listed(index: i32): f64 { return load<f64>(job + (usize(index) << 3), Job.SCALES); }

// Halfway to the next one.
@inline function betweenListed(index: i32): f64 { return (listed(index) + listed(index + 1)) / 2; }

// Where scales double every few numbers, about the bits of a float32 tell which is near.
export function guessListed(scale: f64, most: i32): i32 {
  const octave = load<i32>(job, Job.HALVING);
  if (!octave || !isInFloats(scale)) return -1;
  const below = reinterpret<i32>(f32(listed(most))) - reinterpret<i32>(f32(scale));
  return max(0, min(most, most - ((below >> 15) * octave >> 8)));
}

export function nearestListed(scale: f64): i32 {
  const most = load<i32>(job, Job.COUNT) - 1, guess = guessListed(scale, most);
  if (guess >= 0) {
    let i = guess;
    while (i < most && scale >= betweenListed(i)) i++;
    while (i > 0 && scale < betweenListed(i - 1)) i--;
    return i;
  }
  let low = 0, high = most;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scale >= betweenListed(middle)) low = middle + 1;
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

// Takes the scale with a number in the list.
export function takeListed(index: i32): void {
  const scale = listed(index);
  takeScale(scale);
  if (scale === bestScale) bestListed = index;
}

// Takes the scale with a number in the list as the best of all.
export function settleListed(index: i32): void {
  bestListed = index;
  bestScale = listed(index);
}

export function take(): void {
  if (!(sumP > 0 && sumQ > 0)) return;
  // The score of no scale exceeds P² / Q, but for what roundings add.
  if (sumP * sumP < bestScore * SLACK * sumQ) return;
  const scale = sumP / sumQ;
  if (load<u32>(job, Job.LISTED)) takeListed(nearestListed(scale));
  else takeScale(nearestOfType(scale));
}

// ---- where scales are looked for ----

// See extentOf(). The other two are those of values with turned signs.
export let full: f64 = 0, none: f64 = 0, all: f64 = 0;
let fullUp: f64 = 0, noneUp: f64 = 0, fullDown: f64 = 0, noneDown: f64 = 0;

// Magnitudes: the largest of either sign and the smallest but 0.
let mostUp: f64 = 0, mostDown: f64 = 0, smallest: f64 = 0;

// The largest magnitude; Σ x², nearly.
export let largest: f64 = 0, squares: f32 = 0;

export function measure(): void {
  const none = f32x4.splat(0), infinity = i32x4.splat(0x7f800000), bits = i32x4.splat(0x7fffffff);
  let up = none, down = none, least = infinity, sum = none;
  for (let i: usize = 0; i < count; i += 4) {
    const x = v128.load(count - i < 4 ? workspace() + TAIL : values + (i << 2));
    up = i32x4.max_s(up, x);
    down = i32x4.max_s(down, f32x4.neg(x));
    least = i32x4.min_s(least, v128.or(v128.and(x, bits), v128.and(f32x4.eq(x, none), infinity)));
    sum = f32x4.add(sum, f32x4.mul(x, x));
  }
  mostUp = f64(reinterpret<f32>(maxLaneI32(up)));
  mostDown = f64(reinterpret<f32>(maxLaneI32(down)));
  smallest = f64(reinterpret<f32>(-maxLaneI32(i32x4.neg(least))));
  largest = max(mostUp, mostDown);
  squares = (f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1)) + (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3));
}

@inline function fullOf(up: f64, down: f64): f64 {
  const high = load<f64>(job, Job.HIGH), low = load<f64>(job, Job.LOW);
  return max(high > 0 ? up / high : 0, low > 0 ? down / low : 0);
}

@inline function noneOf(up: f64, down: f64): f64 {
  return BEYOND * max(up / load<f64>(job, Job.FIRST_UP), down / load<f64>(job, Job.FIRST_DOWN));
}

const BEYOND: f64 = 1 + 1 / f64(1 << 20);

// Finds the ranges for a grid; negative scales are of use where that is asked for.
export function findRanges(): void {
  fullUp = fullOf(mostUp, mostDown);
  noneUp = noneOf(mostUp, mostDown);
  all = smallest / load<f64>(job, Job.LAST) / BEYOND;
  if (!load<u32>(job, Job.SIGNED)) return;
  fullDown = fullOf(mostDown, mostUp);
  noneDown = noneOf(mostDown, mostUp);
}

export function turnTo(side: f64): void {
  sign = side;
  full = side > 0 ? fullUp : fullDown;
  none = side > 0 ? noneUp : noneDown;
}

// Bits of the sides.
export const UP: u32 = 1, DOWN: u32 = 2;

// Sides that are worth a hurried look: see src/schemes/scale_search.ts.
export function roomySides(): u32 {
  const sides = u32(noneUp > 0) | (load<u32>(job, Job.SIGNED) && noneDown > 0 ? DOWN : 0);
  if (sides !== 3 || load<i32>(job, Job.KIND) !== UNIFORM) return sides;
  return fullDown < fullUp ? DOWN : UP;
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
