// The best listed scale of four groups side by side, on the levels of E2M1 and without
// weights: a lane for each. Scales are scored in float32 as in scale_lists.ts. Where
// only one may be the best, nobody asks what it is worth; groups where float32 cannot
// tell are left to others.

import { magnitudeBits, pin, workspace, zero } from "./common";
import { transposeFour } from "./groups";
import { Job, job, listed } from "./scale_corner";
import { E2M1, roundedBy, sizeOf } from "./scale_levels";
import { areDoubled, firstListed, lastListed, rangeFor } from "./scale_lists";

// In the workspace, where others have cells: magnitudes, value j of each group side by
// side; scores; the list in float32, before it room for what is read in vain.
const VALUES: usize = 640; //  f32x4[64]
const SCORES: usize = 1664; // f32x4[32]
const SCALES: usize = 2304; // f32[320]
// A lane for each group:
const LARGEST: usize = 3584; // f32x4 the largest magnitude
const ENERGY: usize = 3600; //  f32x4 the sum of squares
const FIRST: usize = 3616; //   i32x4 the number of the first scale
const BEHIND: usize = 3632; //  i32x4 how many follow it
const DOUBLED: usize = 3648; // i32x4 how many of them may be as good when doubled
const BEST: usize = 3664; //    i32x4 how far from the first the best is

const MOST_VALUES: i32 = 64, MOST_SCALES: i32 = 320, MOST_STEPS: i32 = 32;
const LAST_LEVEL: f32 = 6;
// Magnitudes whose squares float32 holds, and which no scheme refuses.
const LEAST_HELD: f32 = 1e-14, MOST_HELD: f32 = 32768;

// Whether groups of a size may be searched so; copies the list.
export function areForFours(n: i32, weighed: i32): bool {
  if (weighed || n > MOST_VALUES || (n & 3) || !load<u32>(job, Job.LISTED) || load<i32>(job, Job.KIND) !== E2M1) return false;
  const count = load<i32>(job, Job.COUNT);
  if (count > MOST_SCALES || !load<i32>(job, Job.HALVING)) return false;
  for (let i = 0; i < count; i++) store<f32>(workspace() + (usize(i) << 2), f32(listed(i)), SCALES);
  return true;
}

function loadFour(src: usize, n: i32): void {
  const work = workspace(), bytes = usize(n) << 2, k = magnitudeBits();
  let most = zero(), sum = zero(), at = work;
  for (const end = src + bytes; src < end; src += 16, at += 64) {
    transposeFour(src, src + bytes, src + 2 * bytes, src + 3 * bytes, at + VALUES);
    for (let j: usize = 0; j < 64; j += 16) {
      const x = v128.and(v128.load(at + j, VALUES), k);
      v128.store(at + j, x, VALUES);
      most = f32x4.pmax(most, x);
      sum = f32x4.add(sum, f32x4.mul(x, x));
    }
  }
  v128.store(work, most, LARGEST);
  v128.store(work, sum, ENERGY);
}

function setRanges(): void {
  for (let lane = workspace(), end = lane + 16; lane < end; lane += 4) {
    rangeFor(f64(load<f32>(lane, LARGEST)) / load<f64>(job, Job.HIGH));
    store<i32>(lane, firstListed, FIRST);
    store<i32>(lane, firstListed - lastListed, BEHIND);
    store<i32>(lane, areDoubled ? load<i32>(job, Job.HALVING) : 0, DOUBLED);
  }
}

// The scale some numbers below the first one; what lies before the list is never used.
@inline function laneScale(lane: usize, step: i32): usize {
  return workspace() + (usize(load<i32>(workspace() + (lane << 2), FIRST) - step) << 2);
}

@inline function scalesAt(step: i32): v128 {
  let scales = v128.load32_zero(laneScale(0, step), SCALES);
  scales = v128.load32_lane(laneScale(1, step), scales, 1, SCALES);
  scales = v128.load32_lane(laneScale(2, step), scales, 2, SCALES);
  return v128.load32_lane(laneScale(3, step), scales, 3, SCALES);
}

// The square of what is off, over the scale.
@inline function squareOff(bounded: bool, x: v128, inverse: v128, high: v128, one: v128): v128 {
  const y = f32x4.mul(x, inverse), near = bounded ? f32x4.pmin(y, high) : y;
  const off = f32x4.sub(y, roundedBy(E2M1, near, sizeOf(E2M1, near, one)));
  return f32x4.mul(off, off);
}

@inline function scoreOf(off: v128, scale: v128): v128 {
  return f32x4.sub(v128.load(workspace(), ENERGY), f32x4.mul(f32x4.mul(off, scale), scale));
}

// Scores two steps and stores them: by how much the sum of squares becomes less.
@inline function scoreTwo(bounded: bool, step: i32, a: v128, b: v128, n: i32): void {
  const work = workspace(), one = pin(1), high = pin(LAST_LEVEL);
  const i = f32x4.div(one, a), j = f32x4.div(one, b);
  let first = zero(), second = first;
  for (let at = work, end = work + (usize(n) << 4); at < end; at += 16) {
    const x = v128.load(at, VALUES);
    first = f32x4.add(first, squareOff(bounded, x, i, high, one));
    second = f32x4.add(second, squareOff(bounded, x, j, high, one));
  }
  const behind = v128.load(work, BEHIND), to = work + (usize(step) << 4);
  v128.store(to, v128.and(scoreOf(first, a), i32x4.ge_s(behind, i32x4.splat(step))), SCORES);
  v128.store(to, v128.and(scoreOf(second, b), i32x4.gt_s(behind, i32x4.splat(step))), SCORES + 16);
}

@noinline function scoreBounded(step: i32, a: v128, b: v128, n: i32): void { scoreTwo(true, step, a, b, n); }
@noinline function scoreUnbounded(step: i32, a: v128, b: v128, n: i32): void { scoreTwo(false, step, a, b, n); }

// What roundings come to, of which sums of positive numbers have most.
@inline function surely(n: i32): v128 { return f32x4.splat(1 - (f32(n) * 3 + 24) / <f32>8388608); }

// Lanes whose scales are all scored that may be the best: at smaller ones too much of the
// largest value lies beyond the last level.
@inline function areDone(step: i32, scale: v128, enough: v128): v128 {
  const beyond = f32x4.sub(v128.load(workspace(), LARGEST), f32x4.mul(f32x4.splat(LAST_LEVEL), scale));
  const cut = f32x4.pmax(beyond, zero()), left = f32x4.sub(v128.load(workspace(), ENERGY), f32x4.mul(cut, cut));
  return v128.or(f32x4.lt(left, enough), i32x4.lt_s(v128.load(workspace(), BEHIND), i32x4.splat(step)));
}

// Whether twice a scale is surely worse: see isBestHalved() of scale_lists.ts.
function areBestHalved(scales: v128, n: i32): v128 {
  const one = pin(1), half = pin(0.5), near = pin(0.2), inverses = f32x4.div(one, scales);
  let found = zero();
  for (let at = workspace(), end = at + (usize(n) << 4); at < end; at += 16) {
    const y = f32x4.mul(v128.load(at, VALUES), inverses), off = f32x4.abs(f32x4.sub(f32x4.abs(f32x4.sub(y, one)), half));
    found = v128.or(found, f32x4.lt(off, near));
  }
  return found;
}

@inline function bestScales(): v128 {
  const work = workspace();
  let scales = v128.load32_zero(laneScale(0, load<i32>(work, BEST)), SCALES);
  scales = v128.load32_lane(laneScale(1, load<i32>(work, BEST + 4)), scales, 1, SCALES);
  scales = v128.load32_lane(laneScale(2, load<i32>(work, BEST + 8)), scales, 2, SCALES);
  return v128.load32_lane(laneScale(3, load<i32>(work, BEST + 12)), scales, 3, SCALES);
}

// The lanes of which one step is surely the best.
@inline function settle(steps: i32, enough: v128): v128 {
  const work = workspace();
  let found = i32x4.splat(0), best = found;
  for (let step = 0; step < steps; step++) {
    const may = f32x4.ge(v128.load(work + (usize(step) << 4), SCORES), enough);
    found = i32x4.sub(found, may);
    best = v128.or(best, v128.and(may, i32x4.splat(step)));
  }
  best = v128.and(best, i32x4.splat(MOST_STEPS - 1));
  v128.store(work, best, BEST);
  return i32x4.eq(found, i32x4.splat(1));
}

// Searches four groups of a size, one after the other in memory; gives a bit for each
// that has its best scale.
export function searchFour(src: usize, n: i32): i32 {
  const work = workspace(), sure = surely(n);
  loadFour(src, n);
  setRanges();
  let most = zero(), enough = most, done = most, step = 0;
  for (; step < MOST_STEPS && !i32x4.all_true(done); step += 2) {
    const b = scalesAt(step + 1), to = work + (usize(step) << 4);
    // At large scales no value is beyond the last level.
    if (i32x4.all_true(f32x4.ge(f32x4.mul(b, f32x4.splat(LAST_LEVEL)), v128.load(work, LARGEST)))) scoreUnbounded(step, scalesAt(step), b, n);
    else scoreBounded(step, scalesAt(step), b, n);
    most = f32x4.pmax(most, f32x4.pmax(v128.load(to, SCORES), v128.load(to, SCORES + 16)));
    enough = f32x4.mul(most, sure);
    done = areDone(step + 2, b, enough);
  }
  const only = settle(step, enough), largest = v128.load(work, LARGEST);
  const held = v128.and(f32x4.gt(largest, f32x4.splat(LEAST_HELD)), f32x4.lt(largest, f32x4.splat(MOST_HELD)));
  // Where most is lost whatever the scale, sums cancel.
  const good = f32x4.gt(most, f32x4.mul(v128.load(work, ENERGY), f32x4.splat(0.5)));
  const single = v128.or(areBestHalved(bestScales(), n), i32x4.ge_s(v128.load(work, BEST), v128.load(work, DOUBLED)));
  return i32x4.bitmask(v128.and(v128.and(v128.and(only, done), held), v128.and(good, single)));
}

// The number in the list of what was found for a group.
export function foundFor(lane: usize): i32 {
  const at = workspace() + (lane << 2);
  return load<i32>(at, FIRST) - load<i32>(at, BEST);
}
