// The best stored scale of every group of a tile: src/schemes/scale_search.ts, to
// the bit. A group is rounded at a scale by comparing it with thresholds that are
// rounded to float32: a float32 reaches a float64 where it exceeds the largest
// float32 below it.

import { maxLaneI32, workspace } from "./common";
import {
  bestOf, costBeyond, explore, heightAt, levelsAt, MIDPOINTS, open, pointAt, ranksOf, scoreAt, setGroup, setHeight, setLevels, setPoint,
  setUnit, LIST,
} from "./scale_explore";

// What is searched, and how: a record that src/schemes/search_kernel.ts writes.
namespace Job {
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
const TAIL: usize = 256; //    f32[4] the last values, zeros behind them
const TAIL_WEIGHTS: usize = 272;
const ENDS: usize = 288; //  starts and ends
const CELLS: usize = 640; //   two points each
const CELLS_END: usize = 6144;
const POINT_BYTES: usize = 24;

// The group at hand: values, weights or 0, how many.
let job: usize = 0, values: usize = 0, weights: usize = 0, count: usize = 0;
// −1 while negative scales are looked for.
let sign: f64 = 1;
let sumP: f64 = 0, sumQ: f64 = 0;
let bestScale: f64 = 0, bestScore: f64 = 0;
// Set where cells do not fit into the workspace.
let crowded: bool = false;

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
function corner(scale: f64): void {
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

function storeCodes(scale: f64, codes: usize): void {
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

function rounded(x: f64): f64 {
  const dtype = load<u32>(job, Job.DTYPE), f = f32(x);
  if (dtype === 0) return f64(f);
  const bits = reinterpret<u32>(f), drop: u32 = dtype === 1 ? 13 : 16;
  // Below 2^-14 a float16 is a multiple of 2^-24.
  if (dtype === 1 && f < reinterpret<f32>(0x38800000)) return f64((f + <f32>0.5) - <f32>0.5);
  const odd = (bits >> drop) & 1;
  return f64(reinterpret<f32>(((bits + (1 << (drop - 1)) - 1 + odd) >> drop) << drop));
}

function nearestOfType(scale: f64): f64 {
  const most = load<f64>(job, Job.MOST);
  if (scale >= most) return most;
  const near = rounded(scale), twin = 2 * scale - near;
  return twin > near && twin <= most && rounded(twin) === twin ? twin : near;
}

@inline function listed(index: i32): f64 { return load<f64>(job + (usize(index) << 3), Job.SCALES); }

function nearestListed(scale: f64): i32 {
  let low = 0, high = load<i32>(job, Job.COUNT) - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scale >= (listed(middle) + listed(middle + 1)) / 2) low = middle + 1;
    else high = middle;
  }
  return low;
}

function takeScale(scale: f64): void {
  const score = scale * (2 * sumP - scale * sumQ), signed = scale * sign;
  if (score > bestScore || (score === bestScore && score > 0 && signed > bestScale)) {
    bestScore = score;
    bestScale = signed;
  }
}

function take(): void {
  if (!(sumP > 0 && sumQ > 0)) return;
  const scale = sumP / sumQ;
  takeScale(load<u32>(job, Job.LISTED) ? listed(nearestListed(scale)) : nearestOfType(scale));
}

// ---- where scales are looked for ----

// See extentOf().
let full: f64 = 0, none: f64 = 0, all: f64 = 0;

// Magnitudes: the largest of either sign and the smallest but 0.
let mostUp: f64 = 0, mostDown: f64 = 0, smallest: f64 = 0;

function measure(): void {
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

function turnTo(side: f64): void {
  sign = side;
  const most = side > 0 ? mostUp : mostDown, least = side > 0 ? mostDown : mostUp;
  const beyond = 1 + 1 / f64(1 << 20), up = load<f64>(job, Job.HIGH), down = load<f64>(job, Job.LOW);
  full = max(up > 0 ? most / up : 0, down > 0 ? least / down : 0);
  none = beyond * max(most / load<f64>(job, Job.FIRST_UP), least / load<f64>(job, Job.FIRST_DOWN));
  all = smallest / load<f64>(job, Job.LAST) / beyond;
}

@inline function scaleAt(point: usize): f64 { return load<f64>(point); }
@inline function pAt(point: usize): f64 { return load<f64>(point, 8); }
@inline function qAt(point: usize): f64 { return load<f64>(point, 16); }

// Rounds at a scale, takes that and puts it down.
function visit(scale: f64, point: usize): void {
  corner(scale);
  take();
  store<f64>(point, scale);
  store<f64>(point, sumP, 8);
  store<f64>(point, sumQ, 16);
}

// Visits the starting scales and the ends; returns where the points end.
function visitStarts(): usize {
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

// ---- the hull ----

@inline function copy(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  store<f64>(to, load<f64>(from, 16), 16);
}

function boundOf(b: usize, a: usize): f64 {
  const hb = scaleAt(b) / 2, ha = scaleAt(a) / 2;
  if (!(qAt(a) > qAt(b) && hb > ha)) return 0;
  const rise = (pAt(a) - pAt(b) - ha * qAt(a) + hb * qAt(b)) / (hb - ha), p = pAt(b) + hb * (rise - qAt(b));
  return p * p / rise;
}

const SLACK: f64 = 1 - 1e-9;

// A cell is two neighbouring points, the one with the larger scale first.
function climb(end: usize): void {
  const first = workspace() + CELLS, most = workspace() + CELLS_END - 4 * POINT_BYTES;
  let cell = first;
  for (let point = workspace() + ENDS; point + POINT_BYTES < end; point += POINT_BYTES, cell += 2 * POINT_BYTES) {
    copy(cell, point);
    copy(cell + POINT_BYTES, point + POINT_BYTES);
  }
  while (cell > first) {
    cell -= 2 * POINT_BYTES;
    const b = cell, a = cell + POINT_BYTES;
    if (!(boundOf(b, a) > bestScore * SLACK)) continue;
    const scale = 2 * (pAt(a) - pAt(b)) / (qAt(a) - qAt(b));
    corner(scale);
    take();
    if (!(sumQ > qAt(b) && sumQ < qAt(a))) continue;
    if (cell > most) {
      crowded = true;
      return;
    }
    copy(a + 2 * POINT_BYTES, a);
    store<f64>(a, scale);
    store<f64>(a, sumP, 8);
    store<f64>(a, sumQ, 16);
    copy(a + POINT_BYTES, a);
    cell += 4 * POINT_BYTES;
  }
}

// ---- lists ----

function clippingCost(scale: f64): f64 {
  const edge = load<f64>(job, Job.REACH) * scale;
  let cost: f64 = 0;
  for (let i: usize = 0; i < count; i++) {
    const beyond = abs(f64(load<f32>(values + (i << 2)))) - edge;
    if (beyond > 0) cost += beyond * beyond * (weights ? f64(load<f32>(weights + (i << 2))) : 1);
  }
  return cost;
}

function scan(): void {
  const energy = clippingCost(0);
  corner(none);
  take();
  let i = load<i32>(job, Job.COUNT) - 1;
  while (i > 0 && !(listed(i) < none)) i--;
  for (; i >= 0; i--) {
    const scale = listed(i);
    if (energy - clippingCost(scale) < bestScore * SLACK) return;
    corner(scale);
    takeScale(scale);
  }
}

const LEAST_START: f64 = 0.7, MOST_START: f64 = 2;

function scanWindow(): void {
  const end = nearestListed(LEAST_START * full);
  for (let i = nearestListed(MOST_START * full); i >= end; i--) {
    corner(listed(i));
    takeScale(listed(i));
  }
}

// ---- exploring ----

// Points to begin with on either side, and where finer ones go.
const BEGIN: usize = 16, FINER: usize = 32;

// Rounds of refining; how wide it leaves the range of a single value.
const ROUNDS: i32 = 6;
const NARROW: f32 = 0.7;

// The unit of scales while exploring.
let base: f64 = 0;
// Σ w·x², and what the best score is at least, in squares of that.
let energy: f32 = 0;
let least: f32 = 0;
// The part of it that roundings to float32 and of the stored scale do not reach.
let surely: f32 = 0;

// Whether float32 holds all that comes up. Near the smallest numbers of float16 a step is a larger part of the scale.
function isTame(): bool {
  const half = load<u32>(job, Job.DTYPE) === 1, low: f64 = half ? 1e-6 : 1e-15, high: f64 = half ? 1e3 : 1e15;
  const step = half ? f32(1 / f64(1 << 24) / full) : 0;
  surely = min(surely, 1 - step * step - f32(i32(count) + 32) / <f32>8388608);
  return full > low && full < high;
}

function exploreSide(at: usize): void {
  setUnit(f32(sign / base));
  setPoint(at, f32(base / none));
  const own = f32(base / full);
  for (let i: usize = 1; i < BEGIN; i++) setPoint(at + i, load<f32>(job + (i << 2), Job.POINTS) * own);
  for (let i: usize = 0; i < BEGIN; i += 4) explore(at + i);
  least = max(least, bestOf(at, BEGIN));
}

// What is left of a stretch: the scales from `from` down to `to`, as their inverses; nothing where the first is 0.
let from: f32 = 0, to: f32 = 0;

// Searches every stretch of cells that may hold the best scale.
function searchSide(at: usize): void {
  setUnit(f32(sign / base));
  // Where no value leaves the first level there may be codes, too.
  if (scoreAt(at) >= least * surely) visit(none, workspace() + ENDS);
  const last = at + BEGIN - 1, end = f32(base / all);
  for (let cells = open(at, i32(BEGIN) - 1, least * surely); cells; ) {
    const first = ctz(cells), n = ctz(~(cells >> first));
    cells &= ~(((1 << n) - 1) << first);
    from = pointAt(at + usize(first));
    to = pointAt(at + usize(first + n));
    refine(heightAt(at + usize(first)), heightAt(at + usize(first + n)));
    if (from > 0) searchBetween();
  }
  // Below the last scale: what lies beyond the last level costs too much there, mostly.
  from = pointAt(last);
  to = end;
  const reach = f32(load<f64>(job, Job.REACH));
  if (energy - costBeyond(reach / from) < least * surely) return;
  if (end > from) searchBetween();
  else visit(all, workspace() + ENDS);
}

function refine(low: f32, high: f32): void {
  for (let round = 0; round < ROUNDS && (to - from) * f32(count) > NARROW * from; round++) {
    const step = (to - from) * <f32>0.2;
    setPoint(FINER, from);
    for (let i: usize = 1; i < 5; i++) setPoint(FINER + i, from + f32(i) * step);
    setPoint(FINER + 5, to);
    explore(FINER + 1);
    setHeight(FINER, low);
    setHeight(FINER + 5, high);
    least = max(least, bestOf(FINER + 1, 4));
    const cells = open(FINER, 5, least * surely);
    if (cells === 0) from = 0;
    if (cells === 0 || cells === 31) return;
    const first = FINER + usize(ctz(cells)), beyond = FINER + usize(32 - clz(cells));
    from = pointAt(first);
    to = pointAt(beyond);
    low = heightAt(first);
    high = heightAt(beyond);
  }
}

function searchBetween(): void {
  const point = workspace() + ENDS;
  visit(base / f64(from), point);
  visit(base / f64(to), point + POINT_BYTES);
  climb(point + 2 * POINT_BYTES);
}

// Explores both signs and searches what is left; false where float32 does not do.
function searchByExploring(): bool {
  const sides: usize = load<u32>(job, Job.SIGNED) ? 2 : 1;
  least = 0;
  for (let side: usize = 0; side < sides; side++) {
    turnTo(side ? -1 : 1);
    if (!(none > 0) || !isTame()) return false;
    if (!side) base = full;
    exploreSide(BEGIN * side);
  }
  energy = costBeyond(0);
  // Where most is lost whatever the scale, sums cancel.
  if (!(least > <f32>1e-20 && least < <f32>1e30 && least > <f32>0.5 * energy)) return false;
  for (let side: usize = 0; side < sides; side++) {
    turnTo(side ? -1 : 1);
    searchSide(BEGIN * side);
  }
  return true;
}

// ---- exploring lists ----

// Explores the scale with a number in the list and the three below it.
function exploreListed(i: i32): void {
  for (let k = 0; k < 4; k++) setPoint(k, f32(base / listed(max(i - k, 0))));
  explore(0);
  for (let k = 0; k < 4 && k <= i; k++) store<f32>(listScore(i - k), heightAt(k) / (pointAt(k) * pointAt(k)));
}

@inline function listScore(i: i32): usize { return workspace() + LIST + (usize(i) << 2); }

// The number below those that were explored.
let explored: i32 = 0;

// Explores from one number of the list down to another, or to where too much lies
// beyond the last level; scores those that may be the best. False where float32 does
// not do.
function scoreListed(top: i32, end: i32): bool {
  const reach = f32(load<f64>(job, Job.REACH));
  base = full;
  if (!isTame()) return false;
  setUnit(f32(1 / base));
  energy = costBeyond(0);
  least = 0;
  let i = top;
  for (; i >= end; i -= 4) {
    if (energy - costBeyond(reach * f32(listed(i) / base)) < least * surely) break;
    exploreListed(i);
    for (let k = i; k > i - 4 && k >= end; k--) least = max(least, load<f32>(listScore(k)));
  }
  if (!(least > <f32>1e-20 && least < <f32>1e30 && least > <f32>0.5 * energy)) return false;
  explored = max(i, end - 1);
  for (let k = top; k > explored; k--) {
    if (load<f32>(listScore(k)) < least * surely) continue;
    corner(listed(k));
    takeScale(listed(k));
  }
  return true;
}

// In units of the scale that puts the largest value on the last level of E2M1: from
// here on half of a scale, where it is listed, does as well: all levels up to that
// value, doubled, are levels, too.
const WIDEST: f64 = 2.4;

// The same as scan(). Scales beyond the widest may be as good as their halves, but
// not better.
function scanByExploring(): bool {
  const halving = load<i32>(job, Job.HALVING), most = load<i32>(job, Job.COUNT) - 1;
  let top = nearestListed(WIDEST * full);
  if (listed(top) > WIDEST * full) top--;
  top = max(top, load<i32>(job, Job.HALVED));
  if (!halving || !scoreListed(top, 0)) return false;
  for (let i = top; i > max(top - halving, explored); i--) {
    for (let k = i; k <= most && load<f32>(listScore(k)) >= least * surely; ) {
      if (k > top) {
        corner(listed(k));
        takeScale(listed(k));
      }
      k += halving;
      if (k <= most) exploreListed(k);
    }
  }
  return true;
}

function windowByExploring(): bool {
  return scoreListed(nearestListed(MOST_START * full), nearestListed(LEAST_START * full));
}

// ---- groups ----

function searchOneSign(side: f64): void {
  turnTo(side);
  if (!(none > 0)) return;
  const optimal = load<u32>(job, Job.OPTIMAL);
  if (load<u32>(job, Job.LISTED)) {
    if (optimal ? scanByExploring() : windowByExploring()) return;
    bestScale = bestScore = 0;
    if (optimal) scan();
    else scanWindow();
    return;
  }
  const end = visitStarts();
  if (optimal) climb(end);
}

function searchGroup(): void {
  bestScale = bestScore = 0;
  measure();
  setGroup(values, weights, workspace() + TAIL, i32(count));
  surely = 1 - load<f32>(job, Job.LOSS);
  if (load<u32>(job, Job.OPTIMAL) && !load<u32>(job, Job.LISTED)) {
    if (searchByExploring()) return;
    bestScale = bestScore = 0;
  }
  searchOneSign(1);
  if (load<u32>(job, Job.SIGNED)) searchOneSign(-1);
}

function setTail(): void {
  const work = workspace(), from = count & ~3;
  v128.store(work, i32x4.splat(0), TAIL);
  v128.store(work, i32x4.splat(0), TAIL_WEIGHTS);
  for (let i = from; i < count; i++) {
    store<f32>(work + ((i - from) << 2), load<f32>(values + (i << 2)), TAIL);
    if (weights) store<f32>(work + ((i - from) << 2), load<f32>(weights + (i << 2)), TAIL_WEIGHTS);
  }
}

// Whether weights are 0 alone: the columns count all the same then.
function weighNothing(): bool {
  for (let i: usize = 0; i < count; i++) {
    if (load<f32>(weights + (i << 2)) != 0) return false;
  }
  return true;
}

function fieldOf(scale: f64): f32 {
  if (!load<u32>(job, Job.LISTED)) return f32(scale);
  return load<f32>(job + (usize(load<u32>(job, Job.COUNT)) << 3) + (usize(nearestListed(scale)) << 2), Job.SCALES);
}

function prepare(): void {
  setLevels(
    load<i32>(job, Job.KIND), f32(-load<f64>(job, Job.LOW)), f32(load<f64>(job, Job.HIGH)),
    f32(load<f64>(job, Job.AT_ZERO)), job + Job.PLANES,
  );
  const down = usize(load<u32>(job, Job.DOWN));
  for (let k: usize = 0; k < 15; k++) {
    const threshold = f32(load<f64>(job + (k << 3), Job.THRESHOLDS));
    v128.store(workspace() + (k << 4), f32x4.splat(k < down ? -threshold : threshold), MIDPOINTS);
  }
}

// A magnitude whose scale every type holds: beyond it, the scheme may have to refuse a value.
const SURELY_HELD: f64 = 32768;

// Scales and codes of every group; see tile.ts for where they lie. Returns 1 where a group is left as it
// was, since no scale is better than none, or where the scheme may refuse it; 2
// where groups have to be searched otherwise.
export function search_scales(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, importance: usize, codes: usize, scales: usize, how: usize, weighed: i32,
): i32 {
  let result = 0;
  job = how;
  crowded = false;
  prepare();
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest);
      values = src;
      count = n;
      weights = weighed ? importance : 0;
      if (weights && weighNothing()) weights = 0;
      setTail();
      searchGroup();
      if (crowded) return 2;
      if (bestScale != 0) {
        store<f32>(scales + at, fieldOf(abs(bestScale)) * (bestScale < 0 ? -1 : 1));
        storeCodes(bestScale, codes);
      } else result = 1;
      // The scale that puts the largest value on the last level.
      if (full > SURELY_HELD) result = 1;
      at += 4;
      src += <usize>n << 2;
      importance += <usize>n << 2;
      codes += n;
    }
    scales += <usize>stride;
  }
  return result;
}
