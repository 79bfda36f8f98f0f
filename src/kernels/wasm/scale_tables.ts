// What a search looks up in grids that are not even: levels by their distance from 0,
// upwards and downwards as src/schemes/ladder.ts has them.

import { workspace } from "./common";

// Behind the workspace of all kernels; 16 entries upwards, then 16 downwards.
const LEVELS: usize = 8192; //     f64[32] levels, that of 0 first
const THRESHOLDS: usize = 8448; // f64[32] over the scale, magnitudes; infinite behind the last
const SCALED: usize = 8704; //     f64[32] the same at the scale at hand
const REACHED: usize = 8960; //    u8[2][128] by steps of magnitude the level that is surely reached: 8 times its entry
const RUNGS: usize = 9216; //      f32x4[32][2] a threshold, and how much higher the level beyond it is
const NEAR: usize = 10240; //      u8[2][128] as REACHED, by the nearest step
const FLOATS: usize = 10496; //    f32[32] levels, 8 bytes apart
export const TABLES_END: usize = 10752;

const ENTRIES: usize = 16;
// Steps up to the last threshold. No threshold is so near to the end of one that
// roundings could lead beyond, and no step has two: src/schemes/search_kernel.ts checks that.
export const STEPS: f64 = 127;
export const MARGIN: f64 = 1 / f64(1 << 12);

// Steps in a magnitude of 1, levels beyond 0 of the longer side, the level of 0.
let steps: f64 = 0, rungs: usize = 0, atZero: f32 = 0;
// How far apart scales may be for magnitudes not to go beyond more than two thresholds
// after what is reached for sure at the largest; than four.
let twoWithin: f32 = 0, fourWithin: f32 = 0;
// More than roundings move a magnitude by, less than the margin.
let unsureWithin: f32 = 0;

// Sets a grid: magnitudes of thresholds in the order of levels, bytes of the levels
// in planes, how many are below that of 0.
export function setTables(thresholds: usize, planes: usize, down: usize, last: f64): void {
  steps = STEPS / max(1, last);
  rungs = max(down, 15 - down);
  unsureWithin = f32(MARGIN / 2 / steps);
  atZero = f32(levelOf(planes, down));
  for (let k: usize = 0; k < ENTRIES; k++) {
    const up = down + k;
    setEntry(k, up < 15 ? load<f64>(thresholds + (up << 3)) : Infinity, levelOf(planes, min(up, 15)), levelOf(planes, min(up + 1, 15)));
    const below = k < down ? down - k : 0;
    setEntry(
      ENTRIES + k, below ? load<f64>(thresholds + ((below - 1) << 3)) : Infinity,
      levelOf(planes, below), levelOf(planes, below ? below - 1 : 0),
    );
  }
  whole = true;
  for (let k: usize = 0; k < 2 * ENTRIES; k++) {
    const level = load<f64>(workspace() + (k << 3), LEVELS);
    whole = whole && nearest(level) === level;
  }
  setReached(REACHED, 0, 0);
  setReached(REACHED, ENTRIES, 0);
  setReached(NEAR, 0, 0.5);
  setReached(NEAR, ENTRIES, 0.5);
  twoWithin = rungs > 8 ? 0 : f32(min(ratioFor(0, 2), ratioFor(ENTRIES, 2)));
  fourWithin = rungs > 8 ? 0 : f32(min(ratioFor(0, 4), ratioFor(ENTRIES, 4)));
}

function levelOf(planes: usize, rank: usize): f64 {
  const p = planes + rank;
  const bits = <u32>load<u8>(p) | <u32>load<u8>(p, 16) << 8 | <u32>load<u8>(p, 32) << 16 | <u32>load<u8>(p, 48) << 24;
  return f64(reinterpret<f32>(bits));
}

function setEntry(entry: usize, threshold: f64, level: f64, next: f64): void {
  const at = workspace() + (entry << 3), rung = workspace() + (entry << 5);
  store<f64>(at, level, LEVELS);
  store<f64>(at, threshold, THRESHOLDS);
  store<f32>(at, f32(level), FLOATS);
  v128.store(rung, f32x4.splat(f32(threshold)), RUNGS);
  v128.store(rung, f32x4.splat(f32(next - level)), RUNGS + 16);
}

// Steps begin `before` their number.
function setReached(table: usize, first: usize, before: f64): void {
  let entry = first;
  for (let step: usize = 0; step < 128; step++) {
    while (load<f64>(workspace() + (entry << 3), THRESHOLDS) * steps <= f64(step) - before - MARGIN) entry++;
    store<u8>(workspace() + (first << 3) + step + table, u8(entry << 3));
  }
}

// The largest ratio with which no magnitude goes beyond more than some thresholds.
function ratioFor(first: usize, some: usize): f64 {
  let ratio: f64 = Infinity;
  for (let step: usize = 0; step < 128; step++) {
    const reached = usize(load<u8>(workspace() + (first << 3) + step, NEAR)) + (some << 3);
    ratio = min(ratio, load<f64>(workspace() + reached, THRESHOLDS) * steps / (f64(step) + 0.5 + MARGIN));
  }
  return ratio;
}

// ---- exactly, at one scale ----

export function scaleThresholds(scale: f64): void {
  const s = f64x2.splat(scale);
  for (let at = workspace(), end = at + 256; at < end; at += 16) {
    v128.store(at, f64x2.mul(v128.load(at, THRESHOLDS), s), SCALED);
  }
}

// What turns a magnitude into steps.
@inline export function stepsAt(scale: f64): f32 { return f32(steps / scale); }

// Where four values find what is reached, as offsets in its table.
@inline export function placesOf(x: v128, magnitude: v128, stepsOf: v128): v128 {
  const step = i32x4.trunc_sat_f32x4_u(f32x4.pmin(f32x4.splat(f32(STEPS)), f32x4.mul(magnitude, stepsOf)));
  return v128.or(step, v128.and(i32x4.shr_s(x, 31), i32x4.splat(128)));
}

@inline function reachedAt(place: usize): usize { return usize(load<u8>(workspace() + place, REACHED)); }

@inline function pair(table: usize, a: usize, b: usize): v128 {
  return v128.load64_lane(workspace() + b + table, v128.load64_zero(workspace() + a + table), 1);
}

// Levels of two values, from what two places and float64 magnitudes say.
@inline export function levelsOf(places: u64, magnitudes: v128): v128 {
  const a = reachedAt(usize(<u32>places)), b = reachedAt(usize(places >> 32));
  const beyond = f64x2.ge(magnitudes, pair(SCALED, a, b));
  return v128.bitselect(pair(LEVELS + 8, a, b), pair(LEVELS, a, b), beyond);
}

// ---- nearly, at four scales ----

// The level of a magnitude over four scales, on the side of a sign.
@inline export function levelsNear(y: v128, isDown: u32): v128 {
  const side = workspace() + RUNGS + (usize(isDown) << 9);
  let a = rise(y, side, 0), b = rise(y, side, 32);
  a = f32x4.add(a, rise(y, side, 64));
  b = f32x4.add(b, rise(y, side, 96));
  a = f32x4.add(a, rise(y, side, 128));
  b = f32x4.add(b, rise(y, side, 160));
  a = f32x4.add(a, rise(y, side, 192));
  b = f32x4.add(b, rise(y, side, 224));
  let level = f32x4.add(f32x4.add(a, b), f32x4.splat(atZero));
  for (let at = side + 256, end = side + (rungs << 5); at < end; at += 32) level = f32x4.add(level, rise(y, at, 0));
  return level;
}

// Whether all levels are whole numbers.
let whole: bool = false;

export function areWhole(): bool { return whole; }

@inline export function levelOfZero(): f32 { return atZero; }

// Of four scales the largest and the smallest, as inverses: they go up or down.
@inline function leastOf(inverses: v128): f32 { return min(f32x4.extract_lane(inverses, 0), f32x4.extract_lane(inverses, 3)); }
@inline function mostOf(inverses: v128): f32 { return max(f32x4.extract_lane(inverses, 0), f32x4.extract_lane(inverses, 3)); }

// How many thresholds are enough to compare with at four scales: 2, 4 or all.
@inline export function rungsFor(inverses: v128): i32 {
  const least = leastOf(inverses), most = mostOf(inverses);
  return most < twoWithin * least ? 2 : most < fourWithin * least ? 4 : 16;
}

// What turns a magnitude into steps, at the largest of four scales.
@inline export function nearStepsAt(inverses: v128): v128 { return f32x4.splat(f32(steps) * leastOf(inverses)); }

// Where four values find what is reached at the largest scale.
@inline export function nearPlacesOf(x: v128, magnitude: v128, stepsOf: v128, turned: v128): v128 {
  const step = v128.and(f32x4.add(f32x4.mul(magnitude, stepsOf), f32x4.splat(12582912)), i32x4.splat(0x3fffff));
  const side = v128.and(v128.xor(x, turned), i32x4.splat(0x80000000));
  return v128.or(i32x4.min_s(step, i32x4.splat(127)), i32x4.shr_u(side, 24));
}

// The level of a magnitude over four scales, a few thresholds from what is reached at most.
@inline export function levelsFrom(y: v128, place: usize, some: i32): v128 {
  const reached = usize(load<u8>(workspace() + place, NEAR)), rung = workspace() + RUNGS + (reached << 2);
  let level = f32x4.add(v128.load32_splat(workspace() + reached, FLOATS), rise(y, rung, 0));
  level = f32x4.add(level, rise(y, rung, 32));
  if (some > 2) level = f32x4.add(f32x4.add(level, rise(y, rung, 64)), rise(y, rung, 96));
  return level;
}

// Whether one of two thresholds is so near that roundings may have led to its other side.
@inline export function isUnsureFrom(y: v128, place: usize): v128 {
  const rung = workspace() + RUNGS + (usize(load<u8>(workspace() + place, NEAR)) << 2);
  return f32x4.lt(f32x4.pmin(offBy(y, rung, 0), offBy(y, rung, 32)), f32x4.splat(unsureWithin));
}

@inline function offBy(y: v128, rung: usize, at: usize): v128 { return f32x4.abs(f32x4.sub(y, v128.load(rung + at))); }

@inline function rise(y: v128, side: usize, at: usize): v128 {
  return v128.and(f32x4.gt(y, v128.load(side + at)), v128.load(side + at, 16));
}
