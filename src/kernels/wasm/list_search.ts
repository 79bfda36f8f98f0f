// The best scale of a list for every group of a tile, to the bits of search_scales:
// for lists whose scales lie so close that most of them are left out together. As
// where scales are of a type, a few of any size are explored, and of the list only
// those between which the best one may lie.

import {
  bestScore, corner, findRanges, forget, full, Job, job, listed, nearestListed, none, setJob, sumP, sumQ, take, takeListed, turnTo,
} from "./scale_corner";
import { copyPoint, costsTooMuch, energyOf, exploreAt, heightAt, open, partLost, pointAt, scoreAt, setPoint, setUnit } from "./scale_explore";
import { LEAST_START, MOST_START } from "./scale_lists";
import { beginGroup, isCrowded, prepare, searchGroup, startTile, storeBest } from "./scale_search";

// Points to begin with, where finer ones go, and where four scales of the list are explored.
const BEGIN: usize = 16, FINER: usize = 16, NEXT: usize = 32;

// So many of the list are explored one by one.
const FEW: i32 = 12;

// The unit of scales; what the best score is at least, and all of it, in squares of
// that; the part that roundings to float32 do not reach.
let base: f64 = 0, least: f32 = 0, energy: f32 = 0, surely: f32 = 0;
// The numbers in the list that may be taken.
let lowest: i32 = 0, highest: i32 = 0;

@inline function near(scale: f64): i32 { return max(lowest, min(highest, nearestListed(scale))); }

function setRange(): void {
  if (load<u32>(job, Job.OPTIMAL)) {
    lowest = 0;
    highest = nearestListed(none);
    if (highest > 0 && !(listed(highest) < none)) highest--;
  } else {
    lowest = nearestListed(LEAST_START * full);
    highest = nearestListed(MOST_START * full);
  }
}

function tryListed(i: i32): void {
  corner(listed(i));
  takeListed(i);
  least = max(least, f32(bestScore / (base * base)));
}

// Explores points, and tries what lies next to the best one.
function explorePoints(): void {
  setUnit(f32(1 / base));
  setPoint(0, f32(base / none));
  for (let i: usize = 1; i < BEGIN; i++) setPoint(i, load<f32>(job + (i << 2), Job.POINTS));
  for (let i: usize = 0; i < BEGIN; i += 4) exploreAt(i);
  let best: usize = 0;
  for (let i: usize = 1; i < BEGIN; i++) {
    if (scoreAt(i) > scoreAt(best)) best = i;
  }
  tryListed(near(base / f64(pointAt(best))));
  if (sumP > 0 && sumQ > 0) tryListed(near(sumP / sumQ));
}

// Tries those that may be the best from one number of the list down to another.
function tryFrom(top: i32, end: i32): void {
  for (let i = min(top, highest); i >= max(end, lowest); i -= 4) {
    for (let k = 0; k < 4; k++) setPoint(NEXT + usize(k), f32(base / listed(max(i - k, 0))));
    exploreAt(NEXT);
    for (let k = 0; k < 4 && i - k >= max(end, lowest); k++) {
      const u = pointAt(NEXT + usize(k));
      if (heightAt(NEXT + usize(k)) / (u * u) >= least * surely) tryListed(i - k);
    }
  }
}

// The number in the list that is nearest to a point.
@inline function beyond(point: usize): i32 { return nearestListed(base / f64(pointAt(point))); }

// Searches the list between two points.
function searchBetween(from: usize, to: usize): void {
  const top = min(beyond(from) + 1, highest), end = max(beyond(to) - 1, lowest), n = top - end - 1;
  if (n < FEW) return tryFrom(top, end);
  const inner = n < 24 ? 4 : n < 48 ? 8 : 12, last = FINER + usize(inner) + 1;
  copyPoint(FINER, from);
  copyPoint(last, to);
  let best = FINER + 1;
  for (let k = 1; k <= inner; k++) setPoint(FINER + usize(k), f32(base / listed(top - k * n / (inner + 1))));
  for (let at = FINER + 1; at < last; at += 4) exploreAt(at);
  for (let at = FINER + 2; at < last; at++) {
    if (scoreAt(at) > scoreAt(best)) best = at;
  }
  tryListed(near(base / f64(pointAt(best))));
  for (let cells = open(FINER, inner + 1, least * surely); cells; ) {
    const first = ctz(cells), count = ctz(~(cells >> first));
    cells &= ~(((1 << count) - 1) << first);
    tryFrom(beyond(FINER + usize(first)) + 1, beyond(FINER + usize(first + count)) - 1);
  }
}

// Below the last point: what lies beyond the last level costs too much there, mostly.
function tryBelow(top: i32): void {
  const reach = f32(load<f64>(job, Job.REACH));
  for (let i = min(top, highest); i >= lowest; i -= 4) {
    if (costsTooMuch(reach * f32(listed(i) / base), energy, least * surely)) return;
    tryFrom(i, i - 3);
  }
}

// False where float32 does not do.
function searchList(): bool {
  turnTo(1);
  surely = 1 - partLost();
  if (!(none > 0 && surely > 0)) return false;
  base = full;
  least = 0;
  setRange();
  explorePoints();
  energy = energyOf();
  if (!(least > <f32>1e-20 && least < <f32>1e30 && least > <f32>0.5 * energy)) return false;
  // Where no value leaves the first level there may be codes, too.
  if (load<u32>(job, Job.OPTIMAL) && scoreAt(0) >= least * surely) {
    corner(none);
    take();
  }
  for (let cells = open(0, i32(BEGIN) - 1, least * surely); cells; ) {
    const first = ctz(cells), n = ctz(~(cells >> first));
    cells &= ~(((1 << n) - 1) << first);
    searchBetween(usize(first), usize(first + n));
  }
  tryBelow(beyond(BEGIN - 1) + 1);
  return true;
}

// The operands and what is returned are those of search_scales.
export function search_listed(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, importance: usize, codes: usize, scales: usize, how: usize, weighed: i32,
): i32 {
  let result = 0;
  setJob(how);
  startTile();
  prepare();
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest);
      beginGroup(src, importance, n, weighed);
      forget();
      findRanges();
      if (!searchList()) searchGroup();
      if (isCrowded()) return 2;
      result |= storeBest(scales + at, codes);
      at += 4;
      src += <usize>n << 2;
      importance += <usize>n << 2;
      codes += n;
    }
    scales += <usize>stride;
  }
  return result;
}
