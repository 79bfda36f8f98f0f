// Where the number of a super-block and the multiples of its groups are to be looked
// for: src/schemes/multiples_explore.ts, to the bit.

import { workspace } from "./common";
import { Job } from "./scale_corner";
import { halfOf } from "./stored";

const STEPS: f64 = 16384, WEIGHT: f64 = 1023, MOST_FACTOR: f64 = 32767;
// The factor of a scale, over the largest magnitude.
const FACTOR: f64 = 128;
// A threshold of one level, in the steps that it is compared with.
const PART: f64 = 64;

// In the workspace, behind what scale_corner.ts has there: whole numbers of up to 256 values.
const VALUES: usize = 1024; //   i16
const PRODUCTS: usize = 1536; // i16 weights times values
const WEIGHTS: usize = 2048; //  i16
const BOUNDS: usize = 2560; //   i16x8[15] what is above goes beyond a level
const LEVELS: usize = 2800; //   i8[16]
const PLACES: usize = 2816; //   f64 scale, f64 score of every lane
const MOST_LANES: usize = 8;
const OWN: usize = PLACES + 16 * MOST_LANES;

// A group and what suits it best by itself.
namespace Own {
  export const SCALE: usize = 0; //  f64
  export const SCORE: usize = 8; //  f64 0 where nothing in it counts
  export const FACTOR: usize = 16; // f64 that of a scale of 1
  export const P: usize = 24; //     f64 what P is multiplied by
  export const Q: usize = 32; //     f64 and Q
  export const FOUND: usize = 40; // f64 its multiple with the unit at hand
  export const BEST: usize = 48; //  f64 and with the best one
  export const BYTES: usize = 56;
}

// The block at hand: values, weights or 0; how it is divided.
let values: usize = 0, weights: usize = 0, size: usize = 0, groups: usize = 0;
// What is looked at: see MultiplesEffort. Starts are f64, and behind them what multiples are taken to be.
let starts: usize = 0, fullness: usize = 0, fullnessEnd: usize = 0, lanes: usize = 0, rounds: i32 = 0, unitRounds: i32 = 0;
let low: f64 = 0, high: f64 = 0;

export function setMultiples(
  list: usize, groupSize: usize, groupCount: usize, least: i32, most: i32,
  startCount: i32, laneCount: i32, roundCount: i32, fullCount: i32, unitRoundCount: i32,
): void {
  size = groupSize;
  groups = groupCount;
  low = f64(least);
  high = f64(most);
  starts = list;
  fullness = list + (usize(startCount) << 3);
  fullnessEnd = fullness + (usize(fullCount) << 3);
  lanes = usize(laneCount);
  rounds = roundCount;
  unitRounds = unitRoundCount;
}

// Takes whole levels from a record.
export function setWholeLevels(job: usize): void {
  const down = usize(load<u32>(job, Job.DOWN)), work = workspace();
  for (let k: usize = 0; k < 15; k++) {
    const threshold = load<f64>(job + (k << 3), Job.THRESHOLDS) * PART;
    const bound = k < down ? -threshold : min(threshold, MOST_FACTOR);
    v128.store(work + (k << 4), i16x8.splat(i16(i32(bound) - 1)), BOUNDS);
  }
  for (let k: usize = 0; k < 16; k++) {
    let bits: u32 = 0;
    for (let byte: usize = 0; byte < 4; byte++) bits |= u32(load<u8>(job + (byte << 4) + k, Job.PLANES)) << u32(byte << 3);
    store<i8>(work + k, i8(i32(reinterpret<f32>(bits))), LEVELS);
  }
}

@inline function own(g: usize): usize { return workspace() + OWN + g * Own.BYTES; }

// The steps of values and weights of a group; false where nothing counts.
function takeSteps(g: usize): bool {
  let top: f64 = 0, most: f64 = 0;
  const x4 = values + g * (size << 2), w4 = weights + g * (size << 2);
  for (let i: usize = 0; i < size; i++) {
    if (weights) {
      const weight = f64(load<f32>(w4 + (i << 2)));
      if (weight == 0) continue;
      most = max(most, weight);
    }
    top = max(top, abs(f64(load<f32>(x4 + (i << 2)))));
  }
  if (top == 0) return false;
  const steps = STEPS / top, ofMost = WEIGHT / most, to = workspace() + g * (size << 1);
  for (let i: usize = 0; i < size; i++) {
    const x = max(-STEPS, min(STEPS, floor(f64(load<f32>(x4 + (i << 2))) * steps + 0.5)));
    store<i16>(to + (i << 1), i16(i32(x)), VALUES);
    if (!weights) continue;
    const weight = f64(load<f32>(w4 + (i << 2)));
    store<i16>(to + (i << 1), i16(i32(floor(x * (weight / most) + 0.5))), PRODUCTS);
    store<i16>(to + (i << 1), i16(i32(floor(weight * ofMost + 0.5))), WEIGHTS);
  }
  const at = own(g);
  store<f64>(at, FACTOR * top, Own.FACTOR);
  store<f64>(at, weights ? most / steps : 1 / steps, Own.P);
  store<f64>(at, weights ? 1 / ofMost : 1, Own.Q);
  return true;
}

// P and Q of the codes that were looked at last.
let p: f64 = 0, q: f64 = 0;

@inline function total(v: v128): f64 {
  const w = i32x4.add(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f64(i32x4.extract_lane(w, 0) + i32x4.extract_lane(w, 1));
}

@inline function sumsOf(weighed: bool, at: usize, factor: i32): void {
  const f = i16x8.splat(i16(factor)), bounds = workspace(), table = v128.load(bounds, LEVELS);
  let p4 = i32x4.splat(0), q4 = p4;
  for (const end = at + (size << 1); at < end; at += 32) {
    const y = i16x8.q15mulr_sat_s(v128.load(at, VALUES), f), z = i16x8.q15mulr_sat_s(v128.load(at, VALUES + 16), f);
    let bound = v128.load(bounds, BOUNDS), a = i16x8.gt_s(y, bound), b = i16x8.gt_s(z, bound);
    for (let k: usize = 16; k < 240; k += 16) {
      bound = v128.load(bounds + k, BOUNDS);
      a = i16x8.add(a, i16x8.gt_s(y, bound));
      b = i16x8.add(b, i16x8.gt_s(z, bound));
    }
    const levels = i8x16.swizzle(table, i8x16.neg(i8x16.narrow_i16x8_s(a, b)));
    const l = i16x8.extend_low_i8x16_s(levels), m = i16x8.extend_high_i8x16_s(levels);
    const x = weighed ? v128.load(at, PRODUCTS) : v128.load(at, VALUES);
    const x2 = weighed ? v128.load(at, PRODUCTS + 16) : v128.load(at, VALUES + 16);
    p4 = i32x4.add(p4, i32x4.add(i32x4.dot_i16x8_s(x, l), i32x4.dot_i16x8_s(x2, m)));
    if (weighed) {
      const w = i32x4.dot_i16x8_s(v128.load(at, WEIGHTS), i16x8.mul(l, l));
      q4 = i32x4.add(q4, i32x4.add(w, i32x4.dot_i16x8_s(v128.load(at, WEIGHTS + 16), i16x8.mul(m, m))));
    } else q4 = i32x4.add(q4, i32x4.add(i32x4.dot_i16x8_s(l, l), i32x4.dot_i16x8_s(m, m)));
  }
  p = total(p4);
  q = total(q4);
}

@noinline function sumWeighed(at: usize, factor: i32): void { sumsOf(true, at, factor); }
@noinline function sumEven(at: usize, factor: i32): void { sumsOf(false, at, factor); }

function sumsAt(g: usize, factor: i32): void {
  const at = workspace() + g * (size << 1);
  if (weights) sumWeighed(at, factor);
  else sumEven(at, factor);
  p *= load<f64>(own(g), Own.P);
  q *= load<f64>(own(g), Own.Q);
}

function factorOf(g: usize, scale: f64): i32 {
  const factor = i32(min(MOST_FACTOR, floor(load<f64>(own(g), Own.FACTOR) / abs(scale) + 0.5)));
  return scale < 0 ? -factor : factor;
}

// Puts the scale that suits the last codes best into a place where it scores more.
function takePlace(place: usize): bool {
  if (!(q > 0)) return false;
  const scale = p / q, score = scale * p;
  if (!(score > load<f64>(place, 8))) return false;
  store<f64>(place, scale);
  store<f64>(place, score, 8);
  return true;
}

function findOwn(g: usize): void {
  const at = own(g), first = workspace() + PLACES, last = first + (lanes << 4);
  store<f64>(at, 0, Own.SCALE);
  store<f64>(at, 0, Own.SCORE);
  if (!takeSteps(g)) return;
  memory.fill(first, 0, last - first);
  for (let start = starts, place = first; start < fullness; start += 8) {
    sumsAt(g, i32(load<f64>(start)));
    takePlace(place);
    place += 16;
    if (place === last) place = first;
  }
  for (let place = first; place < last; place += 16) {
    for (let round = 0; round < rounds && load<f64>(place) != 0; round++) {
      sumsAt(g, factorOf(g, load<f64>(place)));
      if (!takePlace(place)) break;
    }
    if (!(load<f64>(place, 8) > load<f64>(at, Own.SCORE))) continue;
    store<f64>(at, load<f64>(place), Own.SCALE);
    store<f64>(at, load<f64>(place, 8), Own.SCORE);
  }
}

// What the multiples of a unit come to, and the unit that would suit the codes best.
let score: f64 = 0, fitted: f64 = 0;

// Those of one group: what it scores, and its P and Q.
let groupScore: f64 = 0, groupP: f64 = 0, groupQ: f64 = 0;

function findMultiple(g: usize, unit: f64): f64 {
  groupScore = groupP = groupQ = 0;
  const at = own(g);
  if (!(load<f64>(at, Own.SCORE) > 0)) return 0;
  const near = max(low, min(high, floor(load<f64>(at, Own.SCALE) / unit + 0.5)));
  let best: f64 = 0;
  for (let multiple = max(low, near - 1); multiple <= min(high, near + 1); multiple++) {
    if (multiple == 0) continue;
    const t = unit * multiple;
    sumsAt(g, factorOf(g, t));
    const scored = t * (2 * p - t * q);
    if (!(scored > groupScore)) continue;
    best = multiple;
    groupScore = scored;
    groupP = p;
    groupQ = q;
  }
  return best;
}

// False where they score no more than `least`.
function findMultiples(unit: f64, least: f64): bool {
  let rest: f64 = 0, up: f64 = 0, down: f64 = 0;
  for (let g: usize = 0; g < groups; g++) rest += load<f64>(own(g), Own.SCORE);
  score = 0;
  for (let g: usize = 0; g < groups; g++) {
    const multiple = findMultiple(g, unit);
    score += groupScore;
    rest -= load<f64>(own(g), Own.SCORE);
    if (!(score + rest > least)) return false;
    up += multiple * groupP;
    down += multiple * multiple * groupQ;
    store<f64>(own(g), multiple, Own.FOUND);
  }
  fitted = up / down;
  return score > least;
}

@inline function isUnit(unit: f64): bool { return unit != 0 && unit - unit == 0; }

// What was found: the unit, 0 where there is none.
export let exploredUnit: f64 = 0;
@inline export function exploredMultiple(g: usize): f64 { return load<f64>(own(g), Own.BEST); }

// Looks for the number of a block and the multiples of its groups.
export function exploreMultiples(x: usize, w: usize): void {
  values = x;
  weights = w;
  let largest: f64 = 0, most: f64 = 0;
  exploredUnit = 0;
  for (let g: usize = 0; g < groups; g++) {
    findOwn(g);
    const scale = load<f64>(own(g), Own.SCALE);
    if (abs(scale) > abs(largest)) largest = scale;
  }
  for (let at = fullness; at < fullnessEnd; at += 8) {
    const full = load<f64>(at), end = full < 0 ? -low : high;
    let unit = halfOf(largest / (end * full));
    for (let round = 0; round < unitRounds && isUnit(unit); round++) {
      if (!findMultiples(unit, most)) break;
      most = score;
      exploredUnit = unit;
      for (let g: usize = 0; g < groups; g++) store<f64>(own(g), load<f64>(own(g), Own.FOUND), Own.BEST);
      unit = halfOf(fitted);
    }
  }
}
