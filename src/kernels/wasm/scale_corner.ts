// A group at a scale, to the bit: its codes, P and Q, and the best stored scale so
// far; see src/schemes/scale_search.ts. A group is rounded by comparing it with
// thresholds that are rounded to float32: a float32 reaches a float64 where it
// exceeds the largest float32 below it. That always works. Mostly there are quicker
// ways: grids that need no table are rounded in float32, where no value is so near to a
// threshold that it could be on its other side; others have one threshold looked up.

import { magnitudeBits, maxLaneI32, pin, workspace } from "./common";
import { ANY, clamped, E2M1, isUnsure, levelsAt, ranksOf, numberOf, roundedBy, sizeOf, TABLE, UNIFORM } from "./scale_levels";
import { levelsOf, numberAt, placesOf, scaleThresholds, stepsAt } from "./scale_tables";
import { nearestOf } from "./stored";

// What is searched, and how: a record that src/schemes/search_kernel.ts writes.
export namespace Job {
  export const LISTED: usize = 0; //      u32 1 for scales of a list, 0 for those of a type
  export const OPTIMAL: usize = 4; //     u32 0 for the starting scales alone
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

// Whether quotients by a scale are as exact as any in float32.
@inline function isInFloats(scale: f64): bool { return scale > 1e-30 && scale < 1e30; }

@inline function kindAt(scale: f64): i32 { return isInFloats(scale) ? load<i32>(job, Job.KIND) : ANY; }

@inline function lowestOf(style: i32): v128 { return pin(style === E2M1 ? 1 : f32(-load<f64>(job, Job.LOW))); }
@inline function highestOf(style: i32): v128 { return pin(f32(load<f64>(job, Job.HIGH))); }

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

@inline function high64(x: v128): v128 { return f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)); }
@inline function lanes(v: v128): f64 { return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1); }

// P and Q of the codes at a scale: every fourth value in a sum of its own.
@inline function sumsAt(style: i32, weighed: bool, scale: f64): bool {
  const bounds = workspace() + BOUNDS, flip = i32x4.splat(sign < 0 ? 0x80000000 : 0);
  if (style === ANY) setBounds(scale);
  if (style === TABLE) scaleThresholds(scale);
  const inverse = pin(style === TABLE ? stepsAt(scale) : f32(1 / scale)), low = lowestOf(style), high = highestOf(style), k = magnitudeBits();
  let p0 = f64x2.splat(0), p1 = p0, q0 = p0, q1 = p0, unsure = f32x4.splat(0);
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
    const v0 = weighed ? f64x2.mul(f64x2.promote_low_f32x4(v128.load(w4)), l0) : l0;
    const v1 = weighed ? f64x2.mul(high64(v128.load(w4)), l1) : l1;
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

@noinline function sumsOfAny(scale: f64): void {
  if (weights) sumsAt(ANY, true, scale);
  else sumsAt(ANY, false, scale);
}
@noinline function sumsByTable(scale: f64): void {
  if (weights) sumsAt(TABLE, true, scale);
  else sumsAt(TABLE, false, scale);
}
@noinline function sumsOfUniform(scale: f64): bool { return weights ? sumsAt(UNIFORM, true, scale) : sumsAt(UNIFORM, false, scale); }
@noinline function sumsOfE2M1(scale: f64): bool { return weights ? sumsAt(E2M1, true, scale) : sumsAt(E2M1, false, scale); }

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

function storeCodesByTable(codes: usize, scale: f64): void {
  scaleThresholds(scale);
  const stepsOf = f32x4.splat(stepsAt(scale)), flip = f32(sign), down = load<i32>(job, Job.DOWN);
  for (let i: usize = 0; i < count; i++) {
    const x = load<f32>(values + (i << 2)) * flip, v = f32x4.splat(x);
    const place = i32x4.extract_lane(placesOf(v, f32x4.abs(v), stepsOf), 0);
    store<u8>(codes + i, load<u8>(job + usize(down + numberAt(usize(place), f64(abs(x)))), Job.CODES));
  }
}

export function storeCodes(scale: f64, codes: usize): void {
  sign = scale < 0 ? -1 : 1;
  const magnitude = scale * sign, kind = kindAt(magnitude);
  if (kind === TABLE) return storeCodesByTable(codes, magnitude);
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
function guessListed(scale: f64, most: i32): i32 {
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

export function take(): void {
  if (!(sumP > 0 && sumQ > 0)) return;
  // The score of no scale exceeds P² / Q, but for what roundings add.
  if (sumP * sumP < bestScore * SLACK * sumQ) return;
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
