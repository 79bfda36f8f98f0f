// The best stored scale of every group of a tile: src/schemes/scale_search.ts, to
// the bit. A group is rounded at a scale by comparing it with thresholds that are
// rounded to float32: a float32 reaches a float64 where it exceeds the largest
// float32 below it.

import { workspace } from "./common";

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
  export const THRESHOLDS: usize = 64; // f64[16] magnitudes in the order of levels, those behind the last are infinite
  export const FIRST_UP: usize = 192; //  f64 the first threshold upwards, infinite without one
  export const FIRST_DOWN: usize = 200; // f64 and downwards
  export const LAST: usize = 208; //      f64 the largest threshold
  export const AT_ZERO: usize = 216; //   f64 the level of 0
  export const PLANES: usize = 224; //    u8[4][16] bytes of the levels in float32, the lowest ones first
  export const CODES: usize = 288; //     u8[16] codes of the levels
  export const STARTS: usize = 304; //    f64[9] see there
  export const SCALES: usize = 384; //    f64[] the list, then f32[] the fields
}

const STARTS: usize = 9;

// Where what is made for a group lies in the workspace.
const BOUNDS: usize = 0; //    f32x4[15] one threshold in all lanes
const TAIL: usize = 256; //    f32[4] the last values, zeros behind them
const TAIL_WEIGHTS: usize = 272;
const POINTS: usize = 288; //  starts and ends
const CELLS: usize = 640; //   two points each
const CELLS_END: usize = 8192;
const POINT_BYTES: usize = 24;

// Which bytes of a vector of ranks are those that every byte of a lane goes by.
const SPREAD: usize = memory.data<u8>([0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12], 16);

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

// How many thresholds each of four values is beyond.
@inline function ranksOf(x: v128, bounds: usize): v128 {
  let a = f32x4.gt(x, v128.load(bounds)), b = f32x4.gt(x, v128.load(bounds, 16));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 32)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 48)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 64)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 80)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 96)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 112)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 128)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 144)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 160)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 176)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 192)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 208)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 224)));
  return i32x4.neg(i32x4.add(a, b));
}

@inline function levelsAt(ranks: v128): v128 {
  const bytes = i8x16.swizzle(ranks, v128.load(SPREAD));
  const a = i8x16.swizzle(v128.load(job, Job.PLANES), bytes), b = i8x16.swizzle(v128.load(job, Job.PLANES + 16), bytes);
  const c = i8x16.swizzle(v128.load(job, Job.PLANES + 32), bytes), d = i8x16.swizzle(v128.load(job, Job.PLANES + 48), bytes);
  return v128.bitselect(
    v128.bitselect(a, b, i16x8.splat(0xff)), v128.bitselect(c, d, i16x8.splat(0xff)), i32x4.splat(0xffff),
  );
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
    const x = v128.xor(v128.load(x4), flip), level = levelsAt(ranksOf(x, bounds));
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
  const bytes = v128.load(SPREAD);
  for (let i: usize = 0; i < count; i += 4) {
    const x = v128.load(count - i < 4 ? workspace() + TAIL : values + (i << 2));
    const ranks = ranksOf(v128.xor(x, flip), bounds);
    const four = i8x16.swizzle(table, v128.shuffle<i8>(ranks, bytes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12));
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

function measure(): void {
  let most: f64 = 0, least: f64 = 0, smallest = Infinity;
  for (let at = values, end = at + (count << 2); at < end; at += 4) {
    const x = f64(load<f32>(at)) * sign;
    if (x > most) most = x;
    else if (-x > least) least = -x;
    if (x != 0) smallest = min(smallest, abs(x));
  }
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
  let point = workspace() + POINTS;
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
  for (let point = workspace() + POINTS; point + POINT_BYTES < end; point += POINT_BYTES, cell += 2 * POINT_BYTES) {
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

// ---- groups ----

function searchOneSign(): void {
  measure();
  if (!(none > 0)) return;
  const optimal = load<u32>(job, Job.OPTIMAL);
  if (load<u32>(job, Job.LISTED)) {
    if (optimal) scan();
    else scanWindow();
    return;
  }
  const end = visitStarts();
  if (optimal) climb(end);
}

function searchGroup(): void {
  bestScale = bestScore = 0;
  sign = 1;
  searchOneSign();
  if (!load<u32>(job, Job.SIGNED)) return;
  sign = -1;
  searchOneSign();
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
