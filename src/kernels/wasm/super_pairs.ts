// Two numbers of every super-block and two multiples of each of its groups:
// src/schemes/super_block_pairs.ts, to the bit.

import { exploreGroup, exploredBias, exploredScale, setEffort } from "./affine_explore";
import { bestBias, bestError, bestScale, follow, forgetFit, MULTIPLES, setStore } from "./affine_fit";
import { c, cc, cx, error, measureGroup, momentsAt, momentsAtNone, one, setGroup, storeCodes, sum } from "./affine_moments";
import { workspace } from "./common";
import { weighNothing } from "./scale_search";
import { halfOf } from "./stored";

const MOST_GROUPS: usize = 8;
const SIX_BITS: f64 = 63;
const ROUNDS: i32 = 3;

// What a group has by itself, behind what exploring has in the workspace.
const OWN: usize = 1024;
namespace Own {
  export const SCALE: usize = 0; //  f64
  export const OFFSET: usize = 8; // f64
  export const ERROR: usize = 16; // f64
  export const ONE: usize = 24; //   f64 sum of the weights
  export const SUM: usize = 32; //   f64 and of the values by them
  export const BYTES: usize = 40;
}

// What is found of a group: the best so far, and what is at hand.
const FOUND: usize = OWN + MOST_GROUPS * Own.BYTES;
namespace Found {
  export const STEP: usize = 0; //   f64
  export const OFFSET: usize = 8; // f64
  export const C: usize = 16; //     f64 moments
  export const CC: usize = 24; //    f64
  export const CX: usize = 32; //    f64
  export const BYTES: usize = 40;
}

// The block at hand.
let values: usize = 0, weights: usize = 0, size: i32 = 0, groups: usize = 0;
let isFast: bool = false;

@inline function own(g: usize): usize { return workspace() + OWN + g * Own.BYTES; }

@inline function turnTo(g: usize): void {
  const at = own(g), by = g * (usize(size) << 2);
  setGroup(values + by, weights ? weights + by : 0, size, load<f64>(at, Own.ONE), load<f64>(at, Own.SUM));
}

function findOwn(g: usize): void {
  const by = g * (usize(size) << 2), x = values + by, w = weights ? weights + by : 0, at = own(g);
  measureGroup(x, w, size);
  forgetFit();
  if (exploreGroup(x, w, size)) follow(exploredScale, exploredBias);
  store<f64>(at, bestScale, Own.SCALE);
  store<f64>(at, -bestBias, Own.OFFSET);
  store<f64>(at, bestError, Own.ERROR);
  store<f64>(at, one, Own.ONE);
  store<f64>(at, sum, Own.SUM);
}

// Half up, as Math.round.
@inline function sixBits(x: f64): f64 {
  const down = floor(x), near = x - down >= 0.5 ? down + 1 : down;
  return near < 0 ? 0 : near > SIX_BITS ? SIX_BITS : near;
}

// ---- multiples of two units ----

// The units and what is found of each group.
let unit: f64 = 0, offsetUnit: f64 = 0, found: usize = 0, total: f64 = 0;
// The least error of the group at hand.
let least: f64 = 0, isFirst: bool = false;

function take(to: usize, step: f64, offset: f64): void {
  const bias = -offsetUnit * offset;
  if (step == 0) momentsAtNone(bias);
  else momentsAt(unit * step, bias);
  if (!isFirst && !(error < least)) return;
  isFirst = false;
  least = error;
  store<f64>(to, step, Found.STEP);
  store<f64>(to, offset, Found.OFFSET);
  store<f64>(to, c, Found.C);
  store<f64>(to, cc, Found.CC);
  store<f64>(to, cx, Found.CX);
}

function findMultiples(g: usize): void {
  const at = own(g), to = found + g * Found.BYTES, near = sixBits(load<f64>(at, Own.SCALE) / unit);
  const bound: f64 = offsetUnit == 0 ? 0 : sixBits(load<f64>(at, Own.OFFSET) / offsetUnit);
  turnTo(g);
  isFirst = true;
  for (let step = max(near - 1, 0); step <= min(near + 1, SIX_BITS); step++) {
    take(to, step, bound);
    if (offsetUnit == 0 || one == 0) continue;
    const other = sixBits((unit * step * c - sum) / one / offsetUnit);
    if (other != bound) take(to, step, other);
  }
}

// Leaves the error in `total`; false where it is no less than `most` for sure.
function findAll(most: f64): bool {
  let rest: f64 = 0;
  for (let g: usize = 0; g < groups; g++) rest += load<f64>(own(g), Own.ERROR);
  total = 0;
  for (let g: usize = 0; g < groups; g++) {
    findMultiples(g);
    total += least;
    rest -= load<f64>(own(g), Own.ERROR);
    if (!(total + rest < most)) return false;
  }
  return true;
}

// ---- units ----

// The best so far; the error is infinite where there is none.
let best: usize = 0, bestUnit: f64 = 0, bestOffsetUnit: f64 = 0, leastTotal: f64 = 0;

// Sets the units that suit codes and multiples best.
function fitUnits(): void {
  let aa: f64 = 0, ab: f64 = 0, bb: f64 = 0, ax: f64 = 0, bx: f64 = 0;
  for (let g: usize = 0; g < groups; g++) {
    const at = best + g * Found.BYTES, step = load<f64>(at, Found.STEP), offset = load<f64>(at, Found.OFFSET);
    aa += step * step * load<f64>(at, Found.CC);
    ab -= step * offset * load<f64>(at, Found.C);
    bb += offset * offset * load<f64>(own(g), Own.ONE);
    ax += step * load<f64>(at, Found.CX);
    bx -= offset * load<f64>(own(g), Own.SUM);
  }
  const determinant = aa * bb - ab * ab;
  if (determinant > 0) {
    unit = halfOf((ax * bb - bx * ab) / determinant);
    offsetUnit = halfOf((aa * bx - ab * ax) / determinant);
  } else if (aa > 0) unit = halfOf((ax - offsetUnit * ab) / aa);
}

@inline function isFinite64(x: f64): bool { return x - x == 0; }

function tryUnits(first: f64, firstOffset: f64): void {
  unit = first;
  offsetUnit = firstOffset;
  for (let round = 0; round <= ROUNDS; round++) {
    if (unit == 0 || !isFinite64(unit) || !isFinite64(offsetUnit)) return;
    if (!findAll(isFast ? Infinity : leastTotal) || !(total < leastTotal)) return;
    const before = best;
    best = found;
    found = before;
    bestUnit = unit;
    bestOffsetUnit = offsetUnit;
    leastTotal = total;
    fitUnits();
  }
}

@inline function most(field: usize): f64 {
  let largest: f64 = 0;
  for (let g: usize = 0; g < groups; g++) largest = max(largest, load<f64>(own(g) + field));
  return largest;
}

// Searches the block; false where there are no units.
function searchBlock(tries: usize, tryCount: usize): bool {
  for (let g: usize = 0; g < groups; g++) findOwn(g);
  const scale = most(Own.SCALE) / SIX_BITS, offset = most(Own.OFFSET) / SIX_BITS;
  found = workspace() + FOUND;
  best = found + MOST_GROUPS * Found.BYTES;
  leastTotal = Infinity;
  const end = tries + (tryCount << 3);
  for (let full = tries; full < end; full += 8) {
    for (let offsetFull = tries; offsetFull < end; offsetFull += 8) {
      tryUnits(halfOf(scale / load<f64>(full)), halfOf(offset / load<f64>(offsetFull)));
    }
  }
  return leastTotal < Infinity;
}

function storeBlock(steps: usize, codes: usize): void {
  for (let g: usize = 0; g < groups; g++) {
    const at = best + g * Found.BYTES, step = load<f64>(at, Found.STEP), offset = load<f64>(at, Found.OFFSET);
    store<f32>(steps + (g << 2), f32(step));
    store<f32>(steps + ((groups + g) << 2), f32(offset));
    turnTo(g);
    storeCodes(step == 0 ? bestUnit : bestUnit * step, -bestOffsetUnit * offset, codes + g * usize(size));
  }
}

// Numbers, multiples and codes of every block of `group` values, whole ones alone; see tile.ts for the
// first operands. `tries`, f64 each, are what the largest multiples are taken to
// be. Returns 1 where a block is left as it was, since there are no units.
export function search_pairs(
  rows: i32, columns: i32, _first: i32, group: i32, _stride: i32,
  src: usize, importance: usize, codes: usize, scales: usize, offsets: usize, steps: usize, tries: usize, starts: usize,
  weighed: i32, ofGroup: i32, tryCount: i32, startCount: i32, lanes: i32, rounds: i32, fast: i32,
): i32 {
  let result = 0;
  setEffort(starts, startCount, lanes, rounds);
  setStore(MULTIPLES, 0, 0);
  size = ofGroup;
  groups = usize(group / ofGroup);
  isFast = fast != 0;
  for (let blocks = rows * (columns / group); blocks > 0; blocks--) {
    values = src;
    weights = weighed ? importance : 0;
    let done = searchBlock(tries, tryCount);
    if (!done && weighed && weighNothing(importance, group)) {
      weights = 0;
      done = searchBlock(tries, tryCount);
    }
    if (done) {
      store<f32>(scales, f32(bestUnit));
      store<f32>(offsets, f32(bestOffsetUnit));
      storeBlock(steps, codes);
    } else result = 1;
    src += <usize>group << 2;
    importance += <usize>group << 2;
    codes += group;
    scales += 4;
    offsets += 4;
    steps += groups << 3;
  }
  return result;
}
