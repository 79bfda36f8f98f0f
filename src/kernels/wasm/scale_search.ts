// The best stored scale of every group of a tile: src/schemes/scale_search.ts, to the bit.

import { workspace } from "./common";
import {
  all, begin, bestScale, bestScore, corner, count, ENDS, forget, full, Job, job, listed, measure, nearestListed, none, pAt, POINT_BYTES, qAt,
  scaleAt, setJob, sign, storeCodes, sumP, sumQ, TAIL, take, takeScale, turnTo, values, visit, visitStarts, weights,
} from "./scale_corner";
import {
  bestOf, costBeyond, explore, heightAt, LIST, MIDPOINTS, open, pointAt, scoreAt, setGroup, setHeight, setLevels, setPoint, setUnit,
} from "./scale_explore";

// ---- the hull ----

// Cells in the workspace, two points each, and where they have to end.
const CELLS: usize = 640;
const CELLS_END: usize = 6144;
// Set where they do not fit.
let crowded: bool = false;

export function startTile(): void { crowded = false; }
export function isCrowded(): bool { return crowded; }

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

export const LEAST_START: f64 = 0.7, MOST_START: f64 = 2;

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

// A score that others have reached: less is of no use.
let floor: f64 = 0;

export function setFloor(score: f64): void { floor = score; }

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
  least = max(least, f32(floor / (base * base)));
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
    forget();
    if (optimal) scan();
    else scanWindow();
    return;
  }
  const end = visitStarts();
  if (optimal) climb(end);
}

export function searchGroup(): void {
  forget();
  measure();
  setGroup(values, weights, workspace() + TAIL, i32(count));
  surely = 1 - load<f32>(job, Job.LOSS);
  if (load<u32>(job, Job.OPTIMAL) && !load<u32>(job, Job.LISTED)) {
    if (searchByExploring()) return;
    forget();
  }
  searchOneSign(1);
  if (load<u32>(job, Job.SIGNED)) searchOneSign(-1);
}

// Whether weights are 0 alone: the columns count all the same then.
export function weighNothing(from: usize, n: i32): bool {
  for (const end = from + (<usize>n << 2); from < end; from += 4) {
    if (load<f32>(from) != 0) return false;
  }
  return true;
}

function fieldOf(scale: f64): f32 {
  if (!load<u32>(job, Job.LISTED)) return f32(scale);
  return load<f32>(job + (usize(load<u32>(job, Job.COUNT)) << 3) + (usize(nearestListed(scale)) << 2), Job.SCALES);
}

export function prepare(): void {
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
  setJob(how);
  crowded = false;
  prepare();
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest);
      begin(src, weighed && !weighNothing(importance, n) ? importance : 0, n);
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
