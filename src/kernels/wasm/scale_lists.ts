// The best scale of a list: src/schemes/scale_search.ts, to the bit. Scales are
// explored in float32, four at a time; those that may be the best are scored to the bit.

import { pin, workspace } from "./common";
import {
  bestScore, corner, count, forget, full, guessListed, Job, job, listed, nearestListed, none, SLACK, take, takeListed, values, weights,
} from "./scale_corner";
import { costBeyond, energyOf, heightsAt, largestLane, partLost, setUnit } from "./scale_explore";

// In the workspace, behind what others have there: f32[320] scores of scales by their numbers.
const LIST: usize = 6912;

// ---- one after the other ----

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
  const all = clippingCost(0);
  corner(none);
  take();
  let i = load<i32>(job, Job.COUNT) - 1;
  while (i > 0 && !(listed(i) < none)) i--;
  for (; i >= 0; i--) {
    if (all - clippingCost(listed(i)) < bestScore * SLACK) return;
    scoreExactly(i);
  }
}

export const LEAST_START: f64 = 0.9, MOST_START: f64 = 1.65;

function scanWindow(): void {
  const end = nearestListed(LEAST_START * full);
  for (let i = nearestListed(MOST_START * full); i >= end; i--) {
    scoreExactly(i);
  }
}

// ---- exploring ----

// The unit of scales; Σ w·x² in squares of it; the least that the best score is, and the part of it that is sure.
let base: f64 = 0, inverseBase: f64 = 0, energy: f32 = 0, least: f32 = 0, surely: f32 = 0;

@inline function listScore(i: i32): usize { return workspace() + LIST + (usize(i) << 2); }
@inline function scoreOf(i: i32): f32 { return load<f32>(listScore(i)); }

// Four scales from a number of the list on, in units.
@inline function fourFrom(i: i32): v128 {
  const at = job + (usize(i) << 3), unit = f64x2.splat(inverseBase);
  const a = f32x4.demote_f64x2_zero(f64x2.mul(v128.load(at, Job.SCALES), unit));
  const b = f32x4.demote_f64x2_zero(f64x2.mul(v128.load(at, Job.SCALES + 16), unit));
  return v128.shuffle<i64>(a, b, 0, 2);
}

// Scores the scale with a number in the list and the three below it; with the lowest four where there are less.
function exploreListed(i: i32): v128 {
  const first = max(i - 3, 0), scales = fourFrom(first);
  const scores = f32x4.mul(heightsAt(f32x4.div(f32x4.splat(1), scales)), f32x4.mul(scales, scales));
  v128.store(listScore(first), scores);
  return scores;
}

function scoreExactly(i: i32): void {
  corner(listed(i));
  takeListed(i);
}

// What is lost for sure beyond the last level: without weights, of the largest value.
@inline function lostAt(scale: f32): f32 {
  const reach = f32(load<f64>(job, Job.REACH));
  if (weights || load<f64>(job, Job.LOW) !== load<f64>(job, Job.HIGH)) return costBeyond(reach * scale);
  const beyond = max(<f32>1 - scale, <f32>0) * reach;
  return beyond * beyond;
}

// The number below those that were explored.
let explored: i32 = 0;

// Explores from one number of the list down to another, or to where too much lies
// beyond the last level; scores those that may be the best. False where float32 does
// not do.
function scoreListed(top: i32, end: i32): bool {
  base = full;
  surely = 1 - partLost();
  if (!(surely > 0) || load<i32>(job, Job.COUNT) < 4) return false;
  inverseBase = 1 / base;
  setUnit(f32(inverseBase));
  energy = energyOf();
  let most = pin(0), i = top;
  least = 0;
  for (; i >= end; i -= 4) {
    if (energy - lostAt(f32(listed(i) * inverseBase)) < least * surely) break;
    most = f32x4.pmax(most, exploreListed(i));
    least = largestLane(most);
  }
  explored = max(i, end - 1);
  // Scores of those outside do not count.
  if (i + 1 < end || top < 3) {
    least = 0;
    for (let k = explored + 1; k <= top; k++) least = max(least, scoreOf(k));
  }
  if (!(least > <f32>1e-20 && least < <f32>1e30 && least > <f32>0.5 * energy)) return false;
  const enough = least * surely;
  for (let k = top; k > explored; k--) {
    if (scoreOf(k) < enough) continue;
    scoreExactly(k);
  }
  return true;
}

// In units of the scale that puts the largest value on the last level of E2M1: where
// scales are larger, no value comes to more than 3.5 and level 3, and half of a scale,
// where it is listed, does as well: all levels up to 3, doubled, are levels, too.
const WIDEST: f64 = 12.0 / 7 + 1 / f64(1 << 20);

// The number from which on scales are larger than the widest and listed halved.
function topOf(full: f64): i32 {
  const most = load<i32>(job, Job.COUNT) - 1, bound = WIDEST * full;
  let top = max(guessListed(bound, most), 0);
  while (top < most && listed(top + 1) <= bound) top++;
  while (top > 0 && listed(top) > bound) top--;
  return max(top, load<i32>(job, Job.HALVED));
}

// Whether twice a scale is surely worse: where a value is near to level 0.5 or 1.5,
// whose doubles are no levels, it is so by more than roundings can hide.
function isBestHalved(scale: f64): bool {
  if (weights || count > 4096) return false;
  const inverse = f32x4.splat(f32(1 / scale)), one = f32x4.splat(1), half = f32x4.splat(0.5), near = f32x4.splat(0.2);
  for (let at = values, end = at + ((count & ~3) << 2); at < end; at += 16) {
    const y = f32x4.abs(f32x4.mul(v128.load(at), inverse)), off = f32x4.abs(f32x4.sub(f32x4.abs(f32x4.sub(y, one)), half));
    if (v128.any_true(f32x4.lt(off, near))) return true;
  }
  return false;
}

// Scores those of some listed scales that may be the best, and of the larger ones up to
// a number those that may be as good as their halves.
function scoreHalving(top: i32, end: i32, most: i32): bool {
  if (!scoreListed(top, end)) return false;
  const halving = load<i32>(job, Job.HALVING);
  for (let i = top; i > max(top - halving, explored); i--) {
    for (let k = i; scoreOf(k) >= least * surely; ) {
      if (k > top) scoreExactly(k);
      if (isBestHalved(listed(k))) break;
      k += halving;
      if (k > most) break;
      exploreListed(k);
    }
  }
  return true;
}

// Where scales of a list are looked for that knows halves, by number: from the first
// down to the last; whether those of the first octave may be as good when doubled, up to
// a number.
export let firstListed: i32 = 0, lastListed: i32 = 0, mostListed: i32 = 0, areDoubled: bool = true;

// Scales beyond the widest may be as good as their halves, but not better.
export function rangeFor(full: f64): void {
  firstListed = topOf(full);
  lastListed = 0;
  mostListed = load<i32>(job, Job.COUNT) - 1;
  areDoubled = true;
  if (load<u32>(job, Job.OPTIMAL)) return;
  mostListed = nearestListed(MOST_START * full);
  lastListed = nearestListed(LEAST_START * full);
  // Halves of all beyond the top are in the window, or it is looked at whole.
  areDoubled = firstListed < mostListed && firstListed - load<i32>(job, Job.HALVING) >= lastListed - 1;
  if (!areDoubled) firstListed = mostListed;
}

// The same as scan() or scanWindow().
function searchByExploring(): bool {
  if (!load<i32>(job, Job.HALVING)) {
    return !load<u32>(job, Job.OPTIMAL) && scoreListed(nearestListed(MOST_START * full), nearestListed(LEAST_START * full));
  }
  rangeFor(full);
  return areDoubled ? scoreHalving(firstListed, lastListed, mostListed) : scoreListed(firstListed, lastListed);
}

export function searchList(): void {
  if (searchByExploring()) return;
  forget();
  if (load<u32>(job, Job.OPTIMAL)) scan();
  else scanWindow();
}
