// Where scale and bias of every group are to be looked for: src/schemes/affine_explore.ts, to the bit.

import { workspace } from "./common";

// In the workspace, which MOST_VALUES of src/schemes/affine_explore.ts fit in:
const WEIGHTS: usize = 256; // i16[128] behind the values
const PLACES: usize = 512; //  lanes of 16 bytes: f64 gain, i32 factor, i32 shift

const STEP: f64 = 256, FACTOR: f64 = 8192, SHIFT: f64 = 512, WEIGHT: f64 = 1023;

// Values of the group, their weights or 0, whether whole numbers have weights, too.
let values: usize = 0, weights: usize = 0, count: i32 = 0, isWeighed: bool = false;
// Sums of weights and of values by their weights.
let one: i32 = 0, sum: i32 = 0;

// The smallest value that counts, and what a step is.
let lowest: f64 = 0, width: f64 = 0;

// False where all values that count are the same.
function takeSteps(): bool {
  let low: f64 = Infinity, high: f64 = -Infinity, most: f64 = 0;
  for (let i = 0; i < count; i++) {
    const x = f64(load<f32>(values + (i << 2)));
    if (weights) {
      const weight = f64(load<f32>(weights + (i << 2)));
      if (weight == 0) continue;
      if (weight > most) most = weight;
    }
    if (x < low) low = x;
    if (x > high) high = x;
  }
  if (!(high > low)) return false;
  lowest = low;
  width = (high - low) / 15;
  const inverse = STEP / width, ofMost = WEIGHT / most;
  one = sum = 0;
  for (let i = 0; i < count; i++) {
    const step = floor((f64(load<f32>(values + (i << 2))) - low) * inverse + 0.5);
    const x = i32(step > 0 ? min(step, 15 * STEP) : 0) - 2048;
    const part = weights ? i32(floor(f64(load<f32>(weights + (i << 2))) * ofMost + 0.5)) : 1;
    const to = workspace() + (i << 1);
    store<i16>(to, i16(x));
    store<i16>(to, i16(part), WEIGHTS);
    one += part;
    sum += part * x;
  }
  // Zeros that fill up a vector have codes, but no weight.
  isWeighed = weights != 0 || (count & 7) != 0;
  for (let i = count; i & 7; i++) store<i32>(workspace() + (i << 1), 0, WEIGHTS);
  return true;
}

// Of the codes of two places that were looked at last, a lane each: sums of them, of their squares, of them times values.
let c: v128 = i32x4.splat(0), cc: v128 = i32x4.splat(0), cx: v128 = i32x4.splat(0);

@inline function codesOf(x: v128, factor: v128, shift: v128, first: v128, last: v128): v128 {
  const y = i16x8.add(i16x8.q15mulr_sat_s(x, factor), shift);
  return i16x8.min_s(i16x8.max_s(i16x8.shr_s(y, 9), first), last);
}

// The sums of the lanes of two vectors.
@inline function both(a: v128, b: v128): v128 {
  const sums = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  return f64x2.convert_low_i32x4_s(i32x4.add(sums, v128.shuffle<i32>(sums, sums, 2, 3, 0, 1)));
}

// By two places at once, one waiting for its products while the other adds.
@inline function sumsOf(weighed: bool, factor: i32, shift: i32, factor2: i32, shift2: i32): void {
  const f = i16x8.splat(i16(factor)), s = i16x8.splat(i16(shift)), g = i16x8.splat(i16(factor2)), t = i16x8.splat(i16(shift2));
  const first = i16x8.splat(-8), last = i16x8.splat(7), ones = i16x8.splat(1);
  let ca = i32x4.splat(0), cca = ca, cxa = ca, cb = ca, ccb = ca, cxb = ca;
  const end = workspace() + (count << 1);
  for (let at = workspace(); at < end; at += 16) {
    const x = v128.load(at), x8 = i16x8.shl(x, 3);
    const a = codesOf(x8, f, s, first, last), b = codesOf(x8, g, t, first, last);
    let wa = a, wb = b;
    if (weighed) {
      const w = v128.load(at, WEIGHTS);
      wa = i16x8.mul(w, a);
      wb = i16x8.mul(w, b);
    }
    ca = i32x4.add(ca, i32x4.dot_i16x8_s(wa, ones));
    cb = i32x4.add(cb, i32x4.dot_i16x8_s(wb, ones));
    cca = i32x4.add(cca, i32x4.dot_i16x8_s(wa, a));
    ccb = i32x4.add(ccb, i32x4.dot_i16x8_s(wb, b));
    cxa = i32x4.add(cxa, i32x4.dot_i16x8_s(wa, x));
    cxb = i32x4.add(cxb, i32x4.dot_i16x8_s(wb, x));
  }
  c = both(ca, cb);
  cc = both(cca, ccb);
  cx = both(cxa, cxb);
}

@noinline function sumWeighed(f: i32, s: i32, g: i32, t: i32): void { sumsOf(true, f, s, g, t); }
@noinline function sumEven(f: i32, s: i32, g: i32, t: i32): void { sumsOf(false, f, s, g, t); }

// Looks at two factors and shifts, and puts the numbers that suit their codes best
// into two places where these gain more; says whether that is so anywhere.
function improve(factor: i32, shift: i32, place: usize, factor2: i32, shift2: i32, place2: usize): bool {
  if (isWeighed) sumWeighed(factor, shift, factor2, shift2);
  else sumEven(factor, shift, factor2, shift2);
  const ones = f64x2.splat(f64(one)), sums = f64x2.splat(f64(sum)), none = f64x2.splat(0);
  const together = f64x2.sub(f64x2.mul(ones, cx), f64x2.mul(c, sums));
  const spread = f64x2.sub(f64x2.mul(ones, cc), f64x2.mul(c, c)), scale = f64x2.div(together, spread);
  const valid = v128.and(f64x2.gt(together, none), f64x2.gt(spread, none));
  const gain = v128.and(f64x2.mul(together, scale), valid);
  const gain1 = f64x2.extract_lane(gain, 0), gain2 = f64x2.extract_lane(gain, 1);
  const is1 = gain1 > load<f64>(place), is2 = gain2 > load<f64>(place2);
  if (!is1 && !is2) return false;
  const middle = f64x2.div(f64x2.sub(sums, f64x2.mul(scale, c)), ones), half = f64x2.splat(0.5);
  const nextFactor = f64x2.floor(f64x2.add(f64x2.mul(f64x2.div(f64x2.splat(STEP), scale), f64x2.splat(FACTOR)), half));
  const nextShift = f64x2.floor(f64x2.add(f64x2.mul(f64x2.add(f64x2.div(f64x2.neg(middle), scale), half), f64x2.splat(SHIFT)), half));
  if (is1) setPlace(place, gain1, f64x2.extract_lane(nextFactor, 0), f64x2.extract_lane(nextShift, 0));
  // Of two for the same place, the one that gains more.
  if (gain2 > load<f64>(place2)) setPlace(place2, gain2, f64x2.extract_lane(nextFactor, 1), f64x2.extract_lane(nextShift, 1));
  return true;
}

@inline function setPlace(place: usize, gain: f64, factor: f64, shift: f64): void {
  store<f64>(place, gain);
  store<i32>(place, i32(min(max(factor, 1), 32767)), 8);
  store<i32>(place, i32(min(max(shift, -16384), 16383)), 12);
}

// What is looked at: starts, i16 each of factor and shift; how many lanes and rounds.
let starts: usize = 0, startsEnd: usize = 0, lanes: usize = 0, rounds: i32 = 0;

export function setEffort(from: usize, startCount: i32, laneCount: i32, roundCount: i32): void {
  starts = from;
  startsEnd = from + (usize(startCount) << 2);
  lanes = usize(laneCount);
  rounds = roundCount;
}

// The numbers that were found, as they are before they are stored.
export let exploredScale: f64 = 0, exploredBias: f64 = 0;

function setNumbers(factor: i32, shift: i32): void {
  exploredScale = width * FACTOR / f64(factor);
  const middle = f64(shift) / SHIFT - 0.5 + 8;
  exploredBias = lowest + 8 * width - middle * exploredScale;
}

// Explores a group of 128 values at most; false where all values that count are the same.
export function exploreGroup(x: usize, w: usize, n: i32): bool {
  values = x;
  weights = w;
  count = n;
  if (!takeSteps()) return false;
  const first = workspace() + PLACES, last = first + (lanes << 4);
  // With one behind the last for what has no neighbour.
  memory.fill(first, 0, last + 16 - first);
  for (let at = starts, place = first; at < startsEnd; at += 8) {
    const next = place + 16 < last ? place + 16 : first, isPair = at + 4 < startsEnd;
    improve(
      load<i16>(at), load<i16>(at, 2), place,
      isPair ? load<i16>(at, 4) : 0, isPair ? load<i16>(at, 6) : 0, isPair ? next : last,
    );
    place = next + 16 < last ? next + 16 : first;
  }
  for (let place = first; place < last; place += 32) {
    // What has stopped stays as it is.
    for (let round = 0; round < rounds; round++) {
      if (!improve(load<i32>(place, 8), load<i32>(place, 12), place, load<i32>(place, 24), load<i32>(place, 28), place + 16)) break;
    }
  }
  let best = first;
  for (let place = first; place < last; place += 16) {
    if (load<f64>(place) > load<f64>(best)) best = place;
  }
  const factor = load<i32>(best, 8);
  if (factor === 0) return false;
  setNumbers(factor, load<i32>(best, 12));
  return true;
}
