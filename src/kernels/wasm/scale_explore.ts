// Where the best scale of a group cannot be, found in float32 with room for its
// errors: what is left is searched in float64, to the bit.
//
// For u = 1 / scale let G(u) be the largest 2·u·P − Q of any codes, which rounding
// at that scale gives. Each is a line in u, so G is convex: between two scales it
// lies below the chord, and the score G / u² below what the chord makes of it. A cell
// whose chord stays below the best score holds no best scale. Only sums that do
// not cancel go into it, and codes next to a threshold are as good as each other,
// so that float32 is off by little more than its roundings.

import { magnitudeBits, pin, workspace, zero } from "./common";
import { full, Job, job } from "./scale_corner";
import { clamped, E2M1, isUnsure, roundedBy, sizeOf, TABLE, UNIFORM } from "./scale_levels";
import { levelsNear } from "./scale_tables";

// In the workspace, behind what scale_search.ts has there, before what scale_lists.ts has:
const POINTS: usize = 6384; //  f32[40] u of points, in ascending order
const HEIGHTS: usize = 6544; // f32[40] their G
const SCORES: usize = 6704; //  f32[40] their P² / Q
const SUMS: usize = 6864; //    f32x4[3] P and Q at four scales, and whether levels are unsure

// The group: values and their weights or 0, the last few with zeros behind them; the levels.
let values: usize = 0, weights: usize = 0, tail: usize = 0, count: i32 = 0, kind: i32 = 0;
let lowest: f32 = 0, highest: f32 = 0;
// What values are multiplied by to be in units of the largest level.
let unit: f32 = 0;
// Its sign bit.
let turned: u32 = 0;

export function setLevels(style: i32, low: f32, high: f32): void {
  kind = style;
  lowest = low;
  highest = high;
}

export function setGroup(x: usize, w: usize, rest: usize, n: i32): void {
  values = x;
  weights = w;
  tail = rest;
  count = n;
}

export function setUnit(inverse: f32): void {
  unit = inverse;
  turned = reinterpret<u32>(inverse) & 0x80000000;
}

// Levels of a value over four scales.
@inline function rounded(style: i32, at: usize, x: v128, inverses: v128, low: v128, high: v128, k: v128): v128 {
  if (style === TABLE) return levelsNear(f32x4.mul(v128.and(x, k), inverses), (load<u32>(at) ^ turned) >> 31);
  const m = clamped(style, f32x4.mul(x, inverses), low, high, k);
  return roundedBy(style, m, sizeOf(style, m, low));
}

@inline function isUnsureAt(style: i32, level: v128, x: v128, inverses: v128, low: v128, high: v128, k: v128): v128 {
  const m = clamped(style, f32x4.mul(x, inverses), low, high, k);
  return isUnsure(style, m, level, sizeOf(style, m, low), k);
}

@inline function valueAt(style: i32, at: usize, k: v128): v128 {
  const x = v128.load32_splat(at);
  return style === E2M1 ? v128.and(x, k) : x;
}

// P and Q at four scales, one in each lane: values, by magnitude for E2M1, one after the other.
@inline function sumsOf(style: i32, weighed: bool, checked: bool, scales: v128, sums: usize): void {
  const low = pin(style === E2M1 ? 1 : lowest), high = pin(highest), k = magnitudeBits();
  const inverses = style === TABLE ? v128.and(scales, k) : scales;
  let p = zero(), q = p, p1 = p, q1 = p, unsure = p;
  let at = values;
  const w = weights - values, end = at + (usize(count) << 2);
  for (; at + 4 < end; at += 8) {
    const x = valueAt(style, at, k), y = valueAt(style, at + 4, k);
    const l = rounded(style, at, x, inverses, low, high, k), m = rounded(style, at + 4, y, inverses, low, high, k);
    if (checked) {
      unsure = v128.or(unsure, isUnsureAt(style, l, x, inverses, low, high, k));
      unsure = v128.or(unsure, isUnsureAt(style, m, y, inverses, low, high, k));
    }
    const lw = weighed ? f32x4.mul(v128.load32_splat(at + w), l) : l;
    const mw = weighed ? f32x4.mul(v128.load32_splat(at + w, 4), m) : m;
    p = f32x4.add(p, f32x4.mul(x, lw));
    q = f32x4.add(q, f32x4.mul(l, lw));
    p1 = f32x4.add(p1, f32x4.mul(y, mw));
    q1 = f32x4.add(q1, f32x4.mul(m, mw));
  }
  if (at < end) {
    const x = valueAt(style, at, k), l = rounded(style, at, x, inverses, low, high, k);
    if (checked) unsure = v128.or(unsure, isUnsureAt(style, l, x, inverses, low, high, k));
    const lw = weighed ? f32x4.mul(v128.load32_splat(at + w), l) : l;
    p = f32x4.add(p, f32x4.mul(x, lw));
    q = f32x4.add(q, f32x4.mul(l, lw));
  }
  if (checked) v128.store(sums, unsure, 32);
  v128.store(sums, f32x4.add(p, p1));
  v128.store(sums, f32x4.add(q, q1), 16);
}

@noinline function sumsByTable(i: v128, to: usize): void { if (weights) sumsOf(TABLE, true, false, i, to); else sumsOf(TABLE, false, false, i, to); }
@noinline function sumsOfUniform(i: v128, to: usize): void { if (weights) sumsOf(UNIFORM, true, false, i, to); else sumsOf(UNIFORM, false, false, i, to); }
@noinline function sumsOfE2M1(i: v128, to: usize): void { if (weights) sumsOf(E2M1, true, false, i, to); else sumsOf(E2M1, false, false, i, to); }

// The same, saying which scales float32 cannot tell the levels of.
@noinline function checkedSumsOfUniform(i: v128, to: usize): void { if (weights) sumsOf(UNIFORM, true, true, i, to); else sumsOf(UNIFORM, false, true, i, to); }
@noinline function checkedSumsOfE2M1(i: v128, to: usize): void { if (weights) sumsOf(E2M1, true, true, i, to); else sumsOf(E2M1, false, true, i, to); }

// Scores at four points of a grid that needs no table; infinite where float32 cannot tell.
export function scoresAt(u: v128): v128 {
  const inverses = f32x4.mul(u, f32x4.splat(unit)), sums = workspace() + SUMS;
  if (kind === UNIFORM) checkedSumsOfUniform(inverses, sums);
  else checkedSumsOfE2M1(inverses, sums);
  const found = scores(f32x4.mul(v128.load(sums), f32x4.splat(unit)), v128.load(sums, 16));
  return v128.bitselect(f32x4.splat(Infinity), found, v128.load(sums, 32));
}

@inline function scores(p: v128, q: v128): v128 {
  return v128.and(f32x4.gt(p, zero()), f32x4.div(f32x4.mul(p, p), q));
}

// G at four points; leaves P and Q there.
export function heightsAt(u: v128): v128 {
  const inverses = f32x4.mul(u, f32x4.splat(unit)), sums = workspace() + SUMS;
  if (kind === UNIFORM) sumsOfUniform(inverses, sums);
  else if (kind === E2M1) sumsOfE2M1(inverses, sums);
  else sumsByTable(inverses, sums);
  const p = f32x4.mul(v128.load(sums), f32x4.splat(unit)), up = f32x4.mul(u, p);
  v128.store(sums, p);
  return f32x4.sub(f32x4.add(up, up), v128.load(sums, 16));
}

// Explores four points from number `at` on.
export function explore(at: usize): void {
  const point = workspace() + (at << 2);
  v128.store(point, heightsAt(v128.load(point, POINTS)), HEIGHTS);
  v128.store(point, scores(v128.load(workspace(), SUMS), v128.load(workspace(), SUMS + 16)), SCORES);
}

@inline export function scoreAt(at: usize): f32 { return load<f32>(workspace() + (at << 2), SCORES); }
@inline export function pointAt(at: usize): f32 { return load<f32>(workspace() + (at << 2), POINTS); }
@inline export function heightAt(at: usize): f32 { return load<f32>(workspace() + (at << 2), HEIGHTS); }
@inline export function setPoint(at: usize, u: f32): void { store<f32>(workspace() + (at << 2), u, POINTS); }
@inline export function setHeight(at: usize, g: f32): void { store<f32>(workspace() + (at << 2), g, HEIGHTS); }

@inline export function largestLane(v: v128): f32 {
  const w = f32x4.pmax(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(w, v128.shuffle<i32>(w, w, 1, 0, 3, 2)), 0);
}

// The largest score of some points, a multiple of four.
export function bestOf(at: usize, n: usize): f32 {
  let most = f32x4.splat(0);
  for (let i = at; i < at + n; i += 4) most = f32x4.pmax(most, v128.load(workspace() + (i << 2), SCORES));
  return largestLane(most);
}

// Which of four cells may have a score of `least`: cell k lies between points k and k + 1.
@inline function openFour(at: usize, least: v128): i32 {
  const point = workspace() + (at << 2);
  const u1 = v128.load(point, POINTS), u2 = v128.load(point, POINTS + 4);
  const g1 = v128.load(point, HEIGHTS), g2 = v128.load(point, HEIGHTS + 4);
  const slope = f32x4.div(f32x4.sub(g2, g1), f32x4.sub(u2, u1)), a = f32x4.sub(g1, f32x4.mul(slope, u1));
  // a·t² + slope·t is largest at t = −slope / 2a.
  const top = f32x4.pmin(f32x4.pmax(f32x4.div(f32x4.mul(a, f32x4.splat(-2)), slope), u1), u2);
  const g = f32x4.add(g1, f32x4.mul(slope, f32x4.sub(top, u1)));
  const inside = f32x4.lt(g, f32x4.mul(least, f32x4.mul(top, top)));
  const first = f32x4.lt(g1, f32x4.mul(least, f32x4.mul(u1, u1))), last = f32x4.lt(g2, f32x4.mul(least, f32x4.mul(u2, u2)));
  return ~i32x4.bitmask(v128.and(inside, v128.and(first, last))) & 15;
}

// The same for any number of cells: a bit for each.
export function open(at: usize, cells: i32, least: f32): i32 {
  const l = f32x4.splat(least);
  let bits = 0;
  for (let i = 0; i < cells; i += 4) bits |= openFour(at + usize(i), l) << i;
  return bits & ((1 << cells) - 1);
}

// Σ w·x², in units.
export function energyOf(): f32 {
  return costBeyond(0);
}

// What values beyond a level cost for sure; with 0 the energy. In the same units.
export function costBeyond(level: f32): f32 {
  const k = magnitudeBits(), edge = f32x4.splat(level / abs(unit)), zero = f32x4.splat(0);
  let sum = zero, x4 = values, w4 = weights;
  for (let rest = count; rest > 0; rest -= 4, x4 += 16, w4 += 16) {
    if (rest < 4) {
      x4 = tail;
      w4 = tail + 16;
    }
    const beyond = f32x4.mul(f32x4.pmax(f32x4.sub(v128.and(v128.load(x4), k), edge), zero), f32x4.splat(unit));
    const square = f32x4.mul(beyond, beyond);
    sum = f32x4.add(sum, weights ? f32x4.mul(square, v128.load(w4)) : square);
  }
  const half = f32x4.add(sum, v128.shuffle<i32>(sum, sum, 2, 3, 0, 1));
  return f32x4.extract_lane(half, 0) + f32x4.extract_lane(half, 1);
}

// What part of a score roundings to float32 and of the stored scale may come to; all
// of it where float32 does not hold what comes up.
export function partLost(): f32 {
  const half = load<u32>(job, Job.DTYPE) === 1, low: f64 = half ? 1e-6 : 1e-15, high: f64 = half ? 1e3 : 1e15;
  if (!(full > low && full < high)) return 1;
  // Near the smallest numbers of float16 a step is a larger part of the scale.
  const step = half ? f32(1 / f64(1 << 24) / full) : 0;
  return load<f32>(job, Job.LOSS) + step * step + f32(count + 64) / <f32>8388608;
}
