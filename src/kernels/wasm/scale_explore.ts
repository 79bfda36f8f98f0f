// Where the best scale of a group cannot be, found in float32 with room for its
// errors: what is left is searched in float64, to the bit.
//
// For u = 1 / scale let G(u) be the largest 2·u·P − Q of any codes, which rounding
// at that scale gives. Each is a line in u, so G is convex: between two scales it
// lies below the chord, and the score G / u² below what the chord makes of it. A cell
// whose chord stays below the best score holds no best scale. Only sums that do
// not cancel go into it, and codes next to a threshold are as good as each other,
// so that float32 is off by little more than its roundings.

import { magnitudeBits, sumOfEachF32, workspace } from "./common";

// What levels are: any, whole numbers one after the other, or those of E2M1.
export const ANY: i32 = 0;
export const UNIFORM: i32 = 1;
export const E2M1: i32 = 2;

// In the workspace, behind what scale_search.ts has there:
export const MIDPOINTS: usize = 6144; // f32x4[15] thresholds of the grid
export const LIST: usize = 6912; //      f32[320] scores of the scales of a list, by their numbers
const POINTS: usize = 6400; //  f32[40] u of points, in ascending order
const HEIGHTS: usize = 6560; // f32[40] their G
const SCORES: usize = 6720; //  f32[40] their P² / Q
const SUMS: usize = 6880; //    f32x4[2] P and Q at four scales

// Which bytes of a vector of ranks are those that every byte of a lane goes by.
const SPREAD: usize = memory.data<u8>([0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12], 16);

@inline export function spread(): v128 { return v128.load(SPREAD); }

// How many thresholds each of four values is beyond.
@inline export function ranksOf(x: v128, bounds: usize): v128 {
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

// Levels by rank, of the four bytes of each in planes.
@inline export function levelsAt(ranks: v128, planes: usize): v128 {
  const bytes = i8x16.swizzle(ranks, spread());
  const a = i8x16.swizzle(v128.load(planes), bytes), b = i8x16.swizzle(v128.load(planes, 16), bytes);
  const c = i8x16.swizzle(v128.load(planes, 32), bytes), d = i8x16.swizzle(v128.load(planes, 48), bytes);
  return v128.bitselect(
    v128.bitselect(a, b, i16x8.splat(0xff)), v128.bitselect(c, d, i16x8.splat(0xff)), i32x4.splat(0xffff),
  );
}

// The group: values and their weights or 0, the last few with zeros behind them; the levels.
let values: usize = 0, weights: usize = 0, tail: usize = 0, count: i32 = 0, kind: i32 = 0, planes: usize = 0;
let lowest: f32 = 0, highest: f32 = 0, levelAtZero: f32 = 0;
// What values are multiplied by to be in units of the largest level.
let unit: f32 = 0;

export function setLevels(style: i32, low: f32, high: f32, atZero: f32, bytes: usize): void {
  kind = style;
  lowest = low;
  highest = high;
  levelAtZero = atZero;
  planes = bytes;
}

export function setGroup(x: usize, w: usize, rest: usize, n: i32): void {
  values = x;
  weights = w;
  tail = rest;
  count = n;
}

export function setUnit(inverse: f32): void { unit = inverse; }

// Levels of values over a scale; of E2M1 by magnitude: adding 1.5 · 2^22 times the
// power of two below a number rounds it to one bit behind the first.
@inline function rounded(style: i32, x: v128, inverse: v128, low: v128, high: v128): v128 {
  const y = f32x4.mul(x, inverse);
  if (style === UNIFORM) return f32x4.pmin(f32x4.pmax(f32x4.nearest(y), low), high);
  if (style === E2M1) {
    const m = f32x4.pmin(y, high), power = v128.and(f32x4.pmax(m, low), i32x4.splat(0x7f800000));
    const magic = i32x4.add(power, i32x4.splat(0x0b400000));
    return f32x4.sub(f32x4.add(m, magic), magic);
  }
  return levelsAt(ranksOf(y, workspace() + MIDPOINTS), planes);
}

// P and Q at four scales, one in each lane.
@inline function sumsOf(style: i32, weighed: bool, inverses: v128, sums: usize): void {
  const i0 = v128.shuffle<i32>(inverses, inverses, 0, 0, 0, 0), i1 = v128.shuffle<i32>(inverses, inverses, 1, 1, 1, 1);
  const i2 = v128.shuffle<i32>(inverses, inverses, 2, 2, 2, 2), i3 = v128.shuffle<i32>(inverses, inverses, 3, 3, 3, 3);
  const low = f32x4.splat(style === E2M1 ? 1 : lowest), high = f32x4.splat(highest);
  let p0 = f32x4.splat(0), p1 = p0, p2 = p0, p3 = p0, q0 = p0, q1 = p0, q2 = p0, q3 = p0;
  let x4 = values, w4 = weights;
  for (let rest = count; rest > 0; rest -= 4, x4 += 16, w4 += 16) {
    if (rest < 4) {
      x4 = tail;
      w4 = tail + 16;
    }
    let x = v128.load(x4);
    if (style === E2M1) x = f32x4.abs(x);
    const l0 = rounded(style, x, i0, low, high), l1 = rounded(style, x, i1, low, high);
    const l2 = rounded(style, x, i2, low, high), l3 = rounded(style, x, i3, low, high);
    if (weighed) {
      const w = v128.load(w4), wx = f32x4.mul(w, x);
      p0 = f32x4.add(p0, f32x4.mul(wx, l0));
      q0 = f32x4.add(q0, f32x4.mul(l0, f32x4.mul(w, l0)));
      p1 = f32x4.add(p1, f32x4.mul(wx, l1));
      q1 = f32x4.add(q1, f32x4.mul(l1, f32x4.mul(w, l1)));
      p2 = f32x4.add(p2, f32x4.mul(wx, l2));
      q2 = f32x4.add(q2, f32x4.mul(l2, f32x4.mul(w, l2)));
      p3 = f32x4.add(p3, f32x4.mul(wx, l3));
      q3 = f32x4.add(q3, f32x4.mul(l3, f32x4.mul(w, l3)));
    } else {
      p0 = f32x4.add(p0, f32x4.mul(x, l0));
      q0 = f32x4.add(q0, f32x4.mul(l0, l0));
      p1 = f32x4.add(p1, f32x4.mul(x, l1));
      q1 = f32x4.add(q1, f32x4.mul(l1, l1));
      p2 = f32x4.add(p2, f32x4.mul(x, l2));
      q2 = f32x4.add(q2, f32x4.mul(l2, l2));
      p3 = f32x4.add(p3, f32x4.mul(x, l3));
      q3 = f32x4.add(q3, f32x4.mul(l3, l3));
    }
  }
  v128.store(sums, sumOfEachF32(p0, p1, p2, p3));
  v128.store(sums, sumOfEachF32(q0, q1, q2, q3), 16);
}

@noinline function sumsOfAny(i: v128, to: usize): void { if (weights) sumsOf(ANY, true, i, to); else sumsOf(ANY, false, i, to); }
@noinline function sumsOfUniform(i: v128, to: usize): void { if (weights) sumsOf(UNIFORM, true, i, to); else sumsOf(UNIFORM, false, i, to); }
@noinline function sumsOfE2M1(i: v128, to: usize): void { if (weights) sumsOf(E2M1, true, i, to); else sumsOf(E2M1, false, i, to); }

// Explores four points from number `at` on.
export function explore(at: usize): void {
  const point = workspace() + (at << 2), u = v128.load(point, POINTS), inverses = f32x4.mul(u, f32x4.splat(unit));
  const sums = workspace() + SUMS;
  if (kind === UNIFORM) sumsOfUniform(inverses, sums);
  else if (kind === E2M1) sumsOfE2M1(inverses, sums);
  else sumsOfAny(inverses, sums);
  const p = f32x4.mul(v128.load(sums), f32x4.splat(unit));
  let q = v128.load(sums, 16);
  // The zeros behind the last value have a level, too.
  if (!weights && (count & 3)) q = f32x4.sub(q, f32x4.splat(f32(<i32>4 - (count & 3)) * levelAtZero * levelAtZero));
  const up = f32x4.mul(u, p);
  v128.store(point, f32x4.sub(f32x4.add(up, up), q), HEIGHTS);
  v128.store(point, v128.and(f32x4.gt(p, f32x4.splat(0)), f32x4.div(f32x4.mul(p, p), q)), SCORES);
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
