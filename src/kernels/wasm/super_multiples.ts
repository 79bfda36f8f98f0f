// The number of every super-block and a multiple of it for each of its groups:
// src/schemes/super_block.ts, to the bit.

import { workspace } from "./common";
import { exploredMultiple, exploredUnit, exploreMultiples, setMultiples, setWholeLevels } from "./multiples_explore";
import { begin, corner, Job, setJob, setSign, storeCodes, sumP, sumQ } from "./scale_corner";
import { prepare, weighNothing } from "./scale_search";
import { halfOf } from "./stored";

const ROUNDS: i32 = 3;

// In the workspace, behind what exploring has there: multiples at hand and the best ones, f64[8] each.
const FOUND: usize = 4096, BEST: usize = 4160;

// The block at hand.
let values: usize = 0, weights: usize = 0, size: usize = 0, groups: usize = 0;
let least: f64 = 0, most: f64 = 0;

@inline function multipleAt(g: usize, which: usize): f64 { return load<f64>(workspace() + (g << 3) + which); }
@inline function setMultiple(g: usize, which: usize, to: f64): void { store<f64>(workspace() + (g << 3) + which, to); }

@inline function turnTo(g: usize): void {
  const by = g * (size << 2);
  begin(values + by, weights ? weights + by : 0, size);
}

// What the multiples next to the best ones come to with a unit, and the unit that would suit the codes best.
let score: f64 = 0, fitted: f64 = 0;

function findMultiples(unit: f64): void {
  let up: f64 = 0, down: f64 = 0;
  score = 0;
  for (let g: usize = 0; g < groups; g++) {
    const near = multipleAt(g, BEST);
    let best: f64 = 0, bestScore: f64 = 0, p: f64 = 0, q: f64 = 0;
    turnTo(g);
    for (let multiple = max(least, near - 1); multiple <= min(most, near + 1); multiple++) {
      if (multiple == 0) continue;
      const t = unit * multiple, scale = abs(t);
      setSign(t < 0 ? -1 : 1);
      corner(scale);
      const scored = scale * (2 * sumP - scale * sumQ);
      if (!(scored > bestScore)) continue;
      best = multiple;
      bestScore = scored;
      p = t < 0 ? -sumP : sumP;
      q = sumQ;
    }
    score += bestScore;
    up += best * p;
    down += best * best * q;
    setMultiple(g, FOUND, best);
  }
  fitted = up / down;
}

// The number of the block; 0 where none is better than none.
function searchBlock(): f64 {
  exploreMultiples(values, weights);
  let unit = exploredUnit, best: f64 = 0, bestScore: f64 = 0;
  for (let g: usize = 0; g < groups; g++) setMultiple(g, BEST, exploredMultiple(g));
  for (let round = 0; round < ROUNDS && unit != 0 && unit - unit == 0; round++) {
    findMultiples(unit);
    if (!(score > bestScore)) break;
    best = unit;
    bestScore = score;
    for (let g: usize = 0; g < groups; g++) setMultiple(g, BEST, multipleAt(g, FOUND));
    unit = halfOf(fitted);
  }
  return best;
}

function storeBlock(unit: f64, steps: usize, codes: usize): void {
  for (let g: usize = 0; g < groups; g++) {
    const multiple = multipleAt(g, BEST);
    store<f32>(steps + (g << 2), f32(multiple));
    turnTo(g);
    // Any code will do where the scale is 0.
    storeCodes(multiple == 0 ? unit : unit * multiple, codes + g * size);
  }
}

// Numbers, multiples and codes of every block of `group` values, whole ones alone; see tile.ts for the
// first operands. Behind the record lies the list of what is looked at. Returns 1 where a block
// is left as it was, since there is no number for it.
export function search_multiples(
  rows: i32, columns: i32, _first: i32, group: i32, _stride: i32,
  src: usize, importance: usize, codes: usize, scales: usize, how: usize, steps: usize,
  weighed: i32, ofGroup: i32, low: i32, high: i32,
  startCount: i32, lanes: i32, rounds: i32, fullCount: i32, unitRounds: i32,
): i32 {
  let result = 0;
  size = usize(ofGroup);
  groups = usize(group) / size;
  least = f64(low);
  most = f64(high);
  setJob(how);
  prepare();
  setWholeLevels(how);
  setMultiples(how + Job.SCALES, size, groups, low, high, startCount, lanes, rounds, fullCount, unitRounds);
  for (let blocks = rows * (columns / group); blocks > 0; blocks--) {
    values = src;
    weights = weighed ? importance : 0;
    let unit = searchBlock();
    if (unit == 0 && weighed && weighNothing(importance, group)) {
      weights = 0;
      unit = searchBlock();
    }
    if (unit != 0) {
      store<f32>(scales, f32(unit));
      storeBlock(unit, steps, codes);
    } else result = 1;
    src += <usize>group << 2;
    importance += <usize>group << 2;
    codes += group;
    scales += 4;
    steps += groups << 2;
  }
  return result;
}
