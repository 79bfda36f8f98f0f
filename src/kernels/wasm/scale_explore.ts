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
import { full, Job, job, largest, squares } from "./scale_corner";
import { clamped, E2M1, isUnsure, roundedBy, sizeOf, TABLE, UNIFORM } from "./scale_levels";
import { areWhole, isUnsureFrom, levelOfZero, levelsFrom, levelsNear, nearPlacesOf, nearStepsAt, rungsFor, TABLES_END } from "./scale_tables";

// Behind the tables: 80 points, more than are open at once.
const POINTS: usize = TABLES_END; //        f32[80] u of points, in ascending order
const HEIGHTS: usize = TABLES_END + 320; // f32[80] their G
const SCORES: usize = TABLES_END + 640; //  f32[80] their P² / Q
const SQUARES: usize = TABLES_END + 960; // f32[80] their Q
const SUMS: usize = TABLES_END + 1280; //   f32x4[3] P and Q at four scales, and whether levels are unsure
export const POINTS_END: usize = TABLES_END + 1328;

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
  near = areWeightsNear();
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

@inline function overScales(v: v128, inverses: v128, k: v128): v128 { return f32x4.mul(v128.and(v, k), inverses); }

@inline function weighedBy(weighed: bool, at: usize, level: v128): v128 {
  return weighed ? f32x4.mul(v128.load32_splat(at), level) : level;
}

// The same by table, where a few thresholds are enough to compare with: four values at a time.
@inline function sumsFrom(some: i32, weighed: bool, checked: bool, scales: v128, sums: usize): void {
  const k = magnitudeBits(), inverses = v128.and(scales, k), stepsOf = nearStepsAt(inverses), turn = i32x4.splat(turned);
  let p = zero(), q = p, p1 = p, q1 = p, unsure = p;
  let at = values, w = weights, rest = count;
  for (; rest > 0; rest -= 4, at += 16, w += 16) {
    if (rest < 4) {
      at = tail;
      w = tail + 16;
    }
    const x = v128.load(at), places = nearPlacesOf(x, v128.and(x, k), stepsOf, turn);
    const first = i64x2.extract_lane(places, 0), second = i64x2.extract_lane(places, 1);
    const a = v128.load32_splat(at), b = v128.load32_splat(at, 4), c = v128.load32_splat(at, 8), d = v128.load32_splat(at, 12);
    const ay = overScales(a, inverses, k), ap = usize(<u32>first), al = levelsFrom(ay, ap, some);
    const aw = weighedBy(weighed, w, al);
    p = f32x4.add(p, f32x4.mul(a, aw));
    q = f32x4.add(q, f32x4.mul(al, aw));
    const by = overScales(b, inverses, k), bp = usize(first >> 32), bl = levelsFrom(by, bp, some);
    const bw = weighedBy(weighed, w + 4, bl);
    p1 = f32x4.add(p1, f32x4.mul(b, bw));
    q1 = f32x4.add(q1, f32x4.mul(bl, bw));
    const cy = overScales(c, inverses, k), cp = usize(<u32>second), cl = levelsFrom(cy, cp, some);
    const cw = weighedBy(weighed, w + 8, cl);
    p = f32x4.add(p, f32x4.mul(c, cw));
    q = f32x4.add(q, f32x4.mul(cl, cw));
    const dy = overScales(d, inverses, k), dp = usize(second >> 32), dl = levelsFrom(dy, dp, some);
    const dw = weighedBy(weighed, w + 12, dl);
    p1 = f32x4.add(p1, f32x4.mul(d, dw));
    q1 = f32x4.add(q1, f32x4.mul(dl, dw));
    if (checked) {
      unsure = v128.or(unsure, v128.or(isUnsureFrom(ay, ap), isUnsureFrom(by, bp)));
      unsure = v128.or(unsure, v128.or(isUnsureFrom(cy, cp), isUnsureFrom(dy, dp)));
    }
  }
  v128.store(sums, f32x4.add(p, p1));
  q = f32x4.add(q, q1);
  // The zeros behind the last value have a level, too.
  if (!weighed && rest < 0) q = f32x4.sub(q, f32x4.splat(f32(-rest) * levelOfZero() * levelOfZero()));
  v128.store(sums, q, 16);
  if (checked) v128.store(sums, unsure, 32);
}

@noinline function sumsFromTwo(i: v128, to: usize): void { sumsFrom(2, weights != 0, false, i, to); }
@noinline function sumsFromFour(i: v128, to: usize): void { sumsFrom(4, weights != 0, false, i, to); }

function sumsByTable(scales: v128, to: usize): void {
  const some = rungsFor(v128.and(scales, magnitudeBits()));
  if (some === 2) sumsFromTwo(scales, to);
  else if (some === 4) sumsFromFour(scales, to);
  else sumsByAll(scales, to);
}

@noinline function sumsByAll(i: v128, to: usize): void { sumsOf(TABLE, weights != 0, false, i, to); }
@noinline function sumsOfE2M1(i: v128, to: usize): void { if (weights) sumsOf(E2M1, true, false, i, to); else sumsOf(E2M1, false, false, i, to); }

// The same, saying which scales float32 cannot tell the levels of.
@noinline function checkedSumsOfUniform(i: v128, to: usize): void { sumsOf(UNIFORM, weights != 0, true, i, to); }
@noinline function checkedSumsOfE2M1(i: v128, to: usize): void { sumsOf(E2M1, weights != 0, true, i, to); }

@noinline function checkedSumsFromTwo(i: v128, to: usize): void { sumsFrom(2, weights != 0, true, i, to); }

function checkedSums(scales: v128, to: usize): void {
  if (kind === UNIFORM) return checkedSumsOfUniform(scales, to);
  if (kind === E2M1) return checkedSumsOfE2M1(scales, to);
  // Of a few scales side by side none goes beyond more than two thresholds of a usual grid.
  if (rungsFor(v128.and(scales, magnitudeBits())) === 2) checkedSumsFromTwo(scales, to);
  else v128.store(to, i32x4.splat(-1), 32);
}

// Scores at four points; infinite where float32 cannot tell.
export function scoresAt(u: v128): v128 {
  const inverses = f32x4.mul(u, f32x4.splat(unit)), sums = workspace() + SUMS;
  checkedSums(inverses, sums);
  const found = scores(f32x4.mul(v128.load(sums), f32x4.splat(unit)), v128.load(sums, 16));
  return v128.bitselect(f32x4.splat(Infinity), found, v128.load(sums, 32));
}

@inline function scores(p: v128, q: v128): v128 {
  return v128.and(f32x4.gt(p, zero()), f32x4.div(f32x4.mul(p, p), q));
}

// G at four points, of levels that are not even; leaves P and Q there.
export function heightsAt(u: v128): v128 {
  const inverses = f32x4.mul(u, f32x4.splat(unit)), sums = workspace() + SUMS;
  if (kind === E2M1) sumsOfE2M1(inverses, sums);
  else sumsByTable(inverses, sums);
  const p = f32x4.mul(v128.load(sums), f32x4.splat(unit)), up = f32x4.mul(u, p);
  v128.store(sums, p);
  return f32x4.sub(f32x4.add(up, up), v128.load(sums, 16));
}

// Explores four points, which get numbers from `at` on; gives their scores.
export function explore(u: v128, at: usize): v128 {
  if (kind === UNIFORM) return exploreBounded(u, u, at, at);
  const point = workspace() + (at << 2);
  v128.store(point, u, POINTS);
  v128.store(point, heightsAt(u), HEIGHTS);
  const q = v128.load(workspace(), SUMS + 16), found = scores(v128.load(workspace(), SUMS), q);
  v128.store(point, found, SCORES);
  v128.store(point, q, SQUARES);
  return found;
}

// ---- eight points at a time, of even levels ----

@inline function levelOf(bounded: bool, y: v128, low: v128, high: v128): v128 {
  return f32x4.nearest(bounded ? f32x4.pmin(f32x4.pmax(y, low), high) : y);
}

@inline function keep(point: usize, u: v128, p: v128, q: v128): v128 {
  const inUnits = f32x4.mul(p, f32x4.splat(unit)), up = f32x4.mul(u, inUnits), found = scores(inUnits, q);
  v128.store(point, u, POINTS);
  v128.store(point, f32x4.sub(f32x4.add(up, up), q), HEIGHTS);
  v128.store(point, found, SCORES);
  v128.store(point, q, SQUARES);
  return found;
}

@inline function exploreTwice(weighed: bool, bounded: bool, u: v128, v: v128, at: usize, next: usize): v128 {
  const low = pin(lowest), high = pin(highest), i = f32x4.mul(u, f32x4.splat(unit)), j = f32x4.mul(v, f32x4.splat(unit));
  let p = zero(), q = p, p1 = p, q1 = p;
  const by = weights - values;
  for (let x4 = values, end = x4 + (usize(count) << 2); x4 < end; x4 += 4) {
    const x = v128.load32_splat(x4), l = levelOf(bounded, f32x4.mul(x, i), low, high), m = levelOf(bounded, f32x4.mul(x, j), low, high);
    const w = weighed ? v128.load32_splat(x4 + by) : l;
    const lw = weighed ? f32x4.mul(w, l) : l, mw = weighed ? f32x4.mul(w, m) : m;
    p = f32x4.add(p, f32x4.mul(x, lw));
    q = f32x4.add(q, f32x4.mul(l, lw));
    p1 = f32x4.add(p1, f32x4.mul(x, mw));
    q1 = f32x4.add(q1, f32x4.mul(m, mw));
  }
  return f32x4.pmax(keep(workspace() + (at << 2), u, p, q), keep(workspace() + (next << 2), v, p1, q1));
}

@noinline function exploreInside(u: v128, v: v128, at: usize): v128 { return exploreTwice(false, false, u, v, at, at + 4); }
@noinline function exploreBounded(u: v128, v: v128, at: usize, next: usize): v128 {
  return weights ? exploreTwice(true, true, u, v, at, next) : exploreTwice(false, true, u, v, at, next);
}

// Explores eight points; gives the larger ones of their scores. Where no value is beyond
// the last level of its side, none is looked for.
export function exploreEight(isInside: bool, u: v128, v: v128, at: usize): v128 {
  if (kind !== UNIFORM) return f32x4.pmax(explore(u, at), explore(v, at + 4));
  return isInside && !weights && lowest < 0 && highest > 0 ? exploreInside(u, v, at) : exploreBounded(u, v, at, at + 4);
}

// The same for points that are set.
export function exploreAt(at: usize): void { explore(v128.load(workspace() + (at << 2), POINTS), at); }

@inline export function scoreAt(at: usize): f32 { return load<f32>(workspace() + (at << 2), SCORES); }
@inline export function pointAt(at: usize): f32 { return load<f32>(workspace() + (at << 2), POINTS); }
@inline export function heightAt(at: usize): f32 { return load<f32>(workspace() + (at << 2), HEIGHTS); }
@inline export function setPoint(at: usize, u: f32): void { store<f32>(workspace() + (at << 2), u, POINTS); }
@inline export function setHeight(at: usize, g: f32): void { store<f32>(workspace() + (at << 2), g, HEIGHTS); }

export function copyPoint(to: usize, from: usize): void {
  setPoint(to, pointAt(from));
  setHeight(to, heightAt(from));
  store<f32>(workspace() + (to << 2), squaresAt(from), SQUARES);
}

@inline function squaresAt(at: usize): f32 { return load<f32>(workspace() + (at << 2), SQUARES); }

// So many values at most for Q to be exact.
const MOST_COUNTED: i32 = 256;

// Whether codes between two points are those at both: with every code that changes Q
// becomes more. At the points themselves roundings may hide others, which count
// for nothing where a score of `least` is out of reach.
export function areSame(first: usize, last: usize, least: f32): bool {
  if (squaresAt(first) !== squaresAt(last) || weights || count > MOST_COUNTED || (kind === TABLE && !areWhole())) return false;
  const from = pointAt(first), to = pointAt(last);
  return heightAt(first) < least * from * from && heightAt(last) < least * to * to;
}

@inline export function largestLane(v: v128): f32 {
  const w = f32x4.pmax(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(w, v128.shuffle<i32>(w, w, 1, 0, 3, 2)), 0);
}

// Which of four cells between two points each may have a score of 1 / `inverse`. The
// chord stays below u² over that where it does at both ends, and either it meets it
// nowhere or where they are closest is outside.
@inline function openFour(u1: v128, u2: v128, height1: v128, height2: v128, inverse: v128): i32 {
  const g1 = f32x4.mul(height1, inverse), g2 = f32x4.mul(height2, inverse);
  const ends = v128.and(f32x4.lt(g1, f32x4.mul(u1, u1)), f32x4.lt(g2, f32x4.mul(u2, u2)));
  const width = f32x4.sub(u2, u1), rise = f32x4.sub(g2, g1), twice = f32x4.add(width, width);
  const below = f32x4.sub(f32x4.mul(rise, u1), f32x4.mul(g1, width)), apart = f32x4.mul(f32x4.add(twice, twice), below);
  const outside = v128.or(f32x4.lt(rise, f32x4.mul(twice, u1)), f32x4.gt(rise, f32x4.mul(twice, u2)));
  const closed = v128.and(ends, v128.or(f32x4.lt(f32x4.mul(rise, rise), apart), outside));
  return ~i32x4.bitmask(closed) & 15;
}

// Which cells may have a score of `least`, a bit for each: cell k lies between points k and k + 1.
export function open(at: usize, cells: i32, least: f32): i32 {
  const inverse = f32x4.splat(1 / least);
  let bits = 0;
  for (let i = 0; i < cells; i += 4) {
    const point = workspace() + ((at + usize(i)) << 2);
    bits |= openFour(
      v128.load(point, POINTS), v128.load(point, POINTS + 4), v128.load(point, HEIGHTS), v128.load(point, HEIGHTS + 4), inverse,
    ) << i;
  }
  return bits & ((1 << cells) - 1);
}

const FIFTHS: usize = memory.data<f32>([0.2, 0.4, 0.6, 0.8], 16);
const NINTHS: usize = memory.data<f32>([1.0 / 9, 2.0 / 9, 3.0 / 9, 4.0 / 9, 5.0 / 9, 6.0 / 9, 7.0 / 9, 8.0 / 9], 16);

// How many points are explored between two others: more at a time where they are cheap.
@inline export function between(): i32 { return kind === UNIFORM ? 8 : 4; }

// Explores some points between two others, which get numbers from `at` on.
export function exploreBetween(first: usize, last: usize, some: i32, at: usize): v128 {
  const from = pointAt(first), to = pointAt(last), start = f32x4.splat(from), width = f32x4.splat(to - from);
  const end = at + usize(some) + 1;
  copyPoint(at, first);
  copyPoint(end, last);
  if (some === 4) return explore(f32x4.add(start, f32x4.mul(width, v128.load(FIFTHS))), at + 1);
  const u = f32x4.add(start, f32x4.mul(width, v128.load(NINTHS))), v = f32x4.add(start, f32x4.mul(width, v128.load(NINTHS, 16)));
  return exploreBounded(u, v, at + 1, at + 5);
}

// The same as open() for the cells of such points: none is read from memory that
// was just written in another way.
export function openBetween(at: usize, some: i32, least: f32): i32 {
  const point = workspace() + (at << 2), inverse = f32x4.splat(1 / least), end = at + usize(some) + 1;
  let u = v128.load(point, POINTS + 4), g = v128.load(point, HEIGHTS + 4);
  const from = f32x4.splat(pointAt(at)), low = f32x4.splat(heightAt(at));
  const to = f32x4.splat(pointAt(end)), high = f32x4.splat(heightAt(end));
  let cells = openFour(v128.shuffle<i32>(from, u, 0, 4, 5, 6), u, v128.shuffle<i32>(low, g, 0, 4, 5, 6), g, inverse);
  if (some === 8) {
    const v = v128.load(point, POINTS + 20), h = v128.load(point, HEIGHTS + 20);
    cells |= openFour(v128.shuffle<i32>(u, v, 3, 4, 5, 6), v, v128.shuffle<i32>(g, h, 3, 4, 5, 6), h, inverse) << 4;
    u = v;
    g = h;
  }
  const beyond = openFour(v128.shuffle<i32>(u, u, 3, 3, 3, 3), to, v128.shuffle<i32>(g, g, 3, 3, 3, 3), high, inverse);
  return cells | (beyond & 1) << some;
}

// Whether sums are not of positive numbers alone.
export function mayCancel(): bool { return kind === TABLE && levelOfZero() !== 0; }

@inline function sumLanes(v: v128): f32 {
  const half = f32x4.add(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(half, 0) + f32x4.extract_lane(half, 1);
}

// Σ w·x², in units.
export function energyOf(): f32 {
  return weights ? costBeyond(0) : squares * unit * unit;
}

// Whether what lies beyond a level costs so much that less than a score is left of some energy.
export function costsTooMuch(level: f32, energy: f32, score: f32): bool {
  // Mostly the largest value does.
  const beyond = max(f32(largest) * abs(unit) - level, <f32>0);
  return (!weights && energy - beyond * beyond < score) || energy - costBeyond(level) < score;
}

// What values beyond a level cost for sure, in the same units.
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
  return sumLanes(sum);
}

// Where a weight is a hundred thousand times another, what one value adds to a score is
// less than what roundings do, and many scales are as good in float32 as the best.
const NEAR: f32 = 100000;
let near: bool = false;

function areWeightsNear(): bool {
  if (!weights) return true;
  const infinite = f32x4.splat(Infinity);
  let most = zero(), least = infinite;
  for (let w4 = weights, rest = count; rest > 0; rest -= 4, w4 += 16) {
    const w = v128.load(rest < 4 ? tail + 16 : w4);
    most = f32x4.pmax(most, w);
    // Values without a weight are none.
    least = f32x4.pmin(least, v128.bitselect(w, infinite, f32x4.gt(w, zero())));
  }
  return largestLane(most) < NEAR * -largestLane(f32x4.neg(least));
}

// What part of a score roundings to float32 and of the stored scale may come to; all
// of it where float32 does not hold what comes up.
export function partLost(): f32 {
  const half = load<u32>(job, Job.DTYPE) === 1, low: f64 = half ? 1e-6 : 1e-15, high: f64 = half ? 1e3 : 1e15;
  if (!(full > low && full < high && near)) return 1;
  // Near the smallest numbers of float16 a step is a larger part of the scale.
  const step = half ? f32(1 / f64(1 << 24) / full) : 0;
  // Sums of positive numbers, two of half of them; levels from a table are sums, too.
  const rounded = f32(count) * <f32>1.5 + (kind === TABLE ? 48 : 16);
  return load<f32>(job, Job.LOSS) + step * step + rounded / <f32>8388608;
}
