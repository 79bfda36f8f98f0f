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

// Of the codes that were looked at last: sums of them, of their squares, of them times values.
let c: i32 = 0, cc: i32 = 0, cx: i32 = 0;

@inline function sumsOf(weighed: bool, factor: i32, shift: i32): void {
  const f = i16x8.splat(i16(factor)), s = i16x8.splat(i16(shift));
  const first = i16x8.splat(-8), last = i16x8.splat(7), ones = i16x8.splat(1);
  let c4 = i32x4.splat(0), cc4 = c4, cx4 = c4;
  const end = workspace() + (count << 1);
  for (let at = workspace(); at < end; at += 16) {
    const x = v128.load(at), y = i16x8.add(i16x8.q15mulr_sat_s(i16x8.shl(x, 3), f), s);
    const code = i16x8.min_s(i16x8.max_s(i16x8.shr_s(y, 9), first), last);
    const part = weighed ? i16x8.mul(v128.load(at, WEIGHTS), code) : code;
    c4 = i32x4.add(c4, i32x4.dot_i16x8_s(part, ones));
    cc4 = i32x4.add(cc4, i32x4.dot_i16x8_s(part, code));
    cx4 = i32x4.add(cx4, i32x4.dot_i16x8_s(part, x));
  }
  const both = i32x4.add(v128.shuffle<i32>(c4, cc4, 0, 4, 1, 5), v128.shuffle<i32>(c4, cc4, 2, 6, 3, 7));
  const sums = i32x4.add(both, v128.shuffle<i32>(both, both, 2, 3, 0, 1));
  c = i32x4.extract_lane(sums, 0);
  cc = i32x4.extract_lane(sums, 1);
  const half = i32x4.add(cx4, v128.shuffle<i32>(cx4, cx4, 2, 3, 0, 1));
  cx = i32x4.extract_lane(half, 0) + i32x4.extract_lane(half, 1);
}

// The gain of the numbers that suit those codes best; 0 where there are none.
let together: f64 = 0, scale: f64 = 0;

function gainAt(factor: i32, shift: i32): f64 {
  if (isWeighed) sumsOf(true, factor, shift);
  else sumsOf(false, factor, shift);
  together = f64(one) * f64(cx) - f64(c) * f64(sum);
  const spread = f64(one) * f64(cc) - f64(c) * f64(c);
  if (!(together > 0 && spread > 0)) return 0;
  scale = together / spread;
  return together * scale;
}

// Puts the numbers for the last codes into a place.
function setPlace(place: usize, gain: f64): void {
  const middle = (f64(sum) - scale * f64(c)) / f64(one);
  const factor = STEP / scale, shift = -middle / scale;
  store<f64>(place, gain);
  store<i32>(place, i32(min(max(floor(factor * FACTOR + 0.5), 1), 32767)), 8);
  store<i32>(place, i32(min(max(floor((shift + 0.5) * SHIFT + 0.5), -16384), 16383)), 12);
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
  memory.fill(first, 0, last - first);
  for (let at = starts, place = first; at < startsEnd; at += 4) {
    const gain = gainAt(load<i16>(at), load<i16>(at, 2));
    if (gain > load<f64>(place)) setPlace(place, gain);
    place += 16;
    if (place === last) place = first;
  }
  let best = first;
  for (let place = first; place < last; place += 16) {
    for (let round = 0; round < rounds; round++) {
      const gain = gainAt(load<i32>(place, 8), load<i32>(place, 12));
      if (!(gain > load<f64>(place))) break;
      setPlace(place, gain);
    }
    if (load<f64>(place) > load<f64>(best)) best = place;
  }
  const factor = load<i32>(best, 8);
  if (factor === 0) return false;
  setNumbers(factor, load<i32>(best, 12));
  return true;
}
