// Scale and bias of every group of a tile: src/schemes/affine_fit.ts, to the bit.

import { exploreGroup, exploredBias, exploredScale, setEffort } from "./affine_explore";
import { c, cc, cx, error, measureGroup, momentsAt, one, storeCodes, sum } from "./affine_moments";
import { weighNothing } from "./scale_search";
import { nearestOf } from "./stored";

// How scale and bias are stored: the nearest numbers of a type; or, before they
// become multiples of others, float32 scales that are not negative and biases that
// are not positive; or a bias as its zero point, −b / s, which may have to be whole.
export const BIASES: u32 = 0;
export const MULTIPLES: u32 = 1;
export const ZEROS: u32 = 2;
export const WHOLE_ZEROS: u32 = 3;

let rule: u32 = BIASES, dtype: u32 = 0, largest: f64 = 0;

export function setStore(how: u32, type: u32, most: f64): void {
  rule = how;
  dtype = type;
  largest = most;
}

@inline function nearestNumber(x: f64): f64 {
  return x < 0 ? -nearestOf(dtype, largest, -x) : nearestOf(dtype, largest, x);
}

@inline function storedScale(x: f64): f64 { return rule === MULTIPLES ? max(0, f64(f32(x))) : nearestNumber(x); }

@inline function storedBias(x: f64, scale: f64): f64 {
  if (rule === BIASES) return nearestNumber(x);
  if (rule === MULTIPLES) return min(0, f64(f32(x)));
  if (scale == 0) return 0;
  const zero = -x / scale;
  return -nearestNumber(rule === WHOLE_ZEROS ? nearest(zero) : zero) * scale;
}

@inline function isScale(x: f64): bool { return x == x && x != 0; }

const ROUNDS: i32 = 12;

// The best numbers so far; the scale is 0 where there are none.
export let bestScale: f64 = 0, bestBias: f64 = 0, bestError: f64 = 0;

export function forgetFit(): void {
  bestScale = bestBias = bestError = 0;
}

// Fits codes and numbers of the group at hand to each other in turn.
export function follow(exactScale: f64, exactBias: f64): void {
  let scale = storedScale(exactScale), bias = storedBias(exactBias, scale), before: f64 = Infinity;
  for (let round = 0; round < ROUNDS && isScale(scale); round++) {
    momentsAt(scale, bias);
    if (bestScale == 0 || error < bestError) {
      bestScale = scale;
      bestBias = bias;
      bestError = error;
    }
    if (!(error < before)) return;
    before = error;
    const spread = one * cc - c * c;
    if (!(spread > 0)) return;
    scale = storedScale((one * cx - c * sum) / spread);
    bias = storedBias((sum - scale * c) / one, scale);
  }
}

// From the numbers that there are, and from where exploring leads.
export function fitGroup(scale: f64, bias: f64, x: usize, w: usize, n: i32): void {
  measureGroup(x, w, n);
  forgetFit();
  follow(scale, bias);
  if (exploreGroup(x, w, n)) follow(exploredScale, exploredBias);
}

// Scales, biases and codes of every group; see tile.ts for the first operands.
// Returns 1 where a group is left as it was, since there is no scale but 0.
export function fit_affine(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, importance: usize, codes: usize, scales: usize, biases: usize, _list: usize, starts: usize,
  weighed: i32, startCount: i32, lanes: i32, rounds: i32, type: u32, most: f64,
): i32 {
  let result = 0;
  setEffort(starts, startCount, lanes, rounds);
  setStore(BIASES, type, most);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), scale = f64(load<f32>(scales + at)), bias = f64(load<f32>(biases + at));
      fitGroup(scale, bias, src, weighed ? importance : 0, n);
      if (bestScale == 0 && weighed && weighNothing(importance, n)) fitGroup(scale, bias, src, 0, n);
      if (bestScale != 0) {
        store<f32>(scales + at, f32(bestScale));
        store<f32>(biases + at, f32(bestBias));
        storeCodes(bestScale, bestBias, codes);
      } else result = 1;
      at += 4;
      src += <usize>n << 2;
      importance += <usize>n << 2;
      codes += n;
    }
    scales += <usize>stride;
    biases += <usize>stride;
  }
  return result;
}
