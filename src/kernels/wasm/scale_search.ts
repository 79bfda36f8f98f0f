// The best stored scale of every group of a tile: src/schemes/scale_search.ts, to the bit.

import { workspace } from "./common";
import {
  all, begin, bestScale, bestScore, corner, count, ENDS, forget, full, Job, job, measure, nearestListed, none, pAt, POINT_BYTES, qAt,
  scaleAt, setJob, sign, SLACK, storeCodes, sumP, sumQ, TAIL, take, turnTo, values, visit, visitStarts, weights,
} from "./scale_corner";
import {
  bestOf, costBeyond, energyOf, explore, heightAt, largestLane, open, partLost, pointAt, scoreAt, scoresAt, setGroup, setHeight, setLevels, setPoint, setUnit,
} from "./scale_explore";
import { TABLE } from "./scale_levels";
import { searchList } from "./scale_lists";
import { setTables } from "./scale_tables";

// ---- the hull ----

// Cells in the workspace, two points each, and where they have to end.
const CELLS: usize = 640;
const CELLS_END: usize = 6144;
// Set where they do not fit.
let crowded: bool = false;

export function startTile(): void { crowded = false; }
export function isCrowded(): bool { return crowded; }

@inline function copy(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  store<f64>(to, load<f64>(from, 16), 16);
}

function boundOf(b: usize, a: usize): f64 {
  const hb = scaleAt(b) / 2, ha = scaleAt(a) / 2;
  if (!(qAt(a) > qAt(b) && hb > ha)) return 0;
  const rise = (pAt(a) - pAt(b) - ha * qAt(a) + hb * qAt(b)) / (hb - ha), p = pAt(b) + hb * (rise - qAt(b));
  return p * p / rise;
}

// A cell is two neighbouring points, the one with the larger scale first.
function climb(end: usize): void {
  const first = workspace() + CELLS, most = workspace() + CELLS_END - 4 * POINT_BYTES;
  let cell = first;
  for (let point = workspace() + ENDS; point + POINT_BYTES < end; point += POINT_BYTES, cell += 2 * POINT_BYTES) {
    copy(cell, point);
    copy(cell + POINT_BYTES, point + POINT_BYTES);
  }
  while (cell > first) {
    cell -= 2 * POINT_BYTES;
    const b = cell, a = cell + POINT_BYTES;
    if (!(boundOf(b, a) > bestScore * SLACK)) continue;
    const scale = 2 * (pAt(a) - pAt(b)) / (qAt(a) - qAt(b));
    corner(scale);
    take();
    if (!(sumQ > qAt(b) && sumQ < qAt(a))) continue;
    if (cell > most) {
      crowded = true;
      return;
    }
    copy(a + 2 * POINT_BYTES, a);
    store<f64>(a, scale);
    store<f64>(a, sumP, 8);
    store<f64>(a, sumQ, 16);
    copy(a + POINT_BYTES, a);
    cell += 4 * POINT_BYTES;
  }
}

// ---- exploring ----

// Points to begin with on either side, and where finer ones go.
const BEGIN: usize = 16, FINER: usize = 32;

// Rounds of refining; how wide it leaves the range of a single value.
const ROUNDS: i32 = 6;
const NARROW: f32 = 0.7;

// The unit of scales while exploring.
let base: f64 = 0;
// Σ w·x², and what the best score is at least, in squares of that.
let energy: f32 = 0;
let least: f32 = 0;
// The part of it that roundings to float32 and of the stored scale do not reach.
let surely: f32 = 0;

function exploreSide(at: usize): void {
  setUnit(f32(sign / base));
  setPoint(at, f32(base / none));
  const own = f32(base / full);
  for (let i: usize = 1; i < BEGIN; i++) setPoint(at + i, load<f32>(job + (i << 2), Job.POINTS) * own);
  for (let i: usize = 0; i < BEGIN; i += 4) explore(at + i);
  least = max(least, bestOf(at, BEGIN));
}

// What is left of a stretch: the scales from `from` down to `to`, as their inverses; nothing where the first is 0.
let from: f32 = 0, to: f32 = 0;

// Searches every stretch of cells that may hold the best scale.
function searchSide(at: usize): void {
  setUnit(f32(sign / base));
  // Where no value leaves the first level there may be codes, too.
  if (scoreAt(at) >= least * surely) visit(none, workspace() + ENDS);
  const last = at + BEGIN - 1, end = f32(base / all);
  for (let cells = open(at, i32(BEGIN) - 1, least * surely); cells; ) {
    const first = ctz(cells), n = ctz(~(cells >> first));
    cells &= ~(((1 << n) - 1) << first);
    from = pointAt(at + usize(first));
    to = pointAt(at + usize(first + n));
    refine(heightAt(at + usize(first)), heightAt(at + usize(first + n)));
    if (from > 0) searchBetween();
  }
  // Below the last scale: what lies beyond the last level costs too much there, mostly.
  from = pointAt(last);
  to = end;
  const reach = f32(load<f64>(job, Job.REACH));
  if (energy - costBeyond(reach / from) < least * surely) return;
  if (end > from) searchBetween();
  else visit(all, workspace() + ENDS);
}

function refine(low: f32, high: f32): void {
  for (let round = 0; round < ROUNDS && (to - from) * f32(count) > NARROW * from; round++) {
    const step = (to - from) * <f32>0.2;
    setPoint(FINER, from);
    for (let i: usize = 1; i < 5; i++) setPoint(FINER + i, from + f32(i) * step);
    setPoint(FINER + 5, to);
    explore(FINER + 1);
    setHeight(FINER, low);
    setHeight(FINER + 5, high);
    least = max(least, bestOf(FINER + 1, 4));
    const cells = open(FINER, 5, least * surely);
    if (cells === 0) from = 0;
    if (cells === 0 || cells === 31) return;
    const first = FINER + usize(ctz(cells)), beyond = FINER + usize(32 - clz(cells));
    from = pointAt(first);
    to = pointAt(beyond);
    low = heightAt(first);
    high = heightAt(beyond);
  }
}

function searchBetween(): void {
  const point = workspace() + ENDS;
  visit(base / f64(from), point);
  visit(base / f64(to), point + POINT_BYTES);
  climb(point + 2 * POINT_BYTES);
}

// A score that others have reached: less is of no use.
let floor: f64 = 0;

export function setFloor(score: f64): void { floor = score; }

// Explores both signs and searches what is left; false where float32 does not do.
function searchByExploring(): bool {
  const sides: usize = load<u32>(job, Job.SIGNED) ? 2 : 1;
  least = 0;
  surely = 1;
  for (let side: usize = 0; side < sides; side++) {
    turnTo(side ? -1 : 1);
    if (!(none > 0)) return false;
    surely = min(surely, 1 - partLost());
    if (!(surely > 0)) return false;
    if (!side) base = full;
    exploreSide(BEGIN * side);
  }
  least = max(least, f32(floor / (base * base)));
  energy = energyOf();
  // Where most is lost whatever the scale, sums cancel.
  if (!(least > <f32>1e-20 && least < <f32>1e30 && least > <f32>0.5 * energy)) return false;
  for (let side: usize = 0; side < sides; side++) {
    turnTo(side ? -1 : 1);
    searchSide(BEGIN * side);
  }
  return true;
}

// ---- a few scales ----

const STARTS: usize = 9;

@inline function startAt(i: usize): f64 { return i < STARTS ? load<f64>(job + (i << 3), Job.STARTS) * full : all; }

// Lanes of scores beside points.
const STARTS_OF_SIDE: usize = 12;

// Scores the starting scales and that at which all levels are the last, in float32.
function scoreStarts(to: usize): v128 {
  setUnit(f32(sign / base));
  const own = f32(base / full);
  for (let i: usize = 0; i < STARTS; i++) store<f32>(to + (i << 2), own / f32(load<f64>(job + (i << 3), Job.STARTS)));
  // A little less, so that no value is next to its threshold.
  for (let i = STARTS; i < STARTS_OF_SIDE; i++) store<f32>(to + (i << 2), f32(base / all) * <f32>1.01);
  let most = f32x4.splat(0);
  for (let i: usize = 0; i < STARTS_OF_SIDE; i += 4) {
    const found = scoresAt(v128.load(to + (i << 2)));
    v128.store(to + (i << 2), found);
    most = f32x4.pmax(most, v128.andnot(found, f32x4.eq(found, f32x4.splat(Infinity))));
  }
  return most;
}

// The same as visitStarts() for both signs, scored to the bit where that may be the
// best; false where float32 does not do.
function startByExploring(): bool {
  const sides: usize = load<u32>(job, Job.SIGNED) ? 2 : 1, room = workspace() + ENDS;
  let most = f32x4.splat(0);
  surely = 1;
  for (let side: usize = 0; side < sides; side++) {
    turnTo(side ? -1 : 1);
    if (!(none > 0)) return false;
    surely = min(surely, 1 - partLost());
    if (!(surely > 0)) return false;
    if (!side) base = full;
    most = f32x4.pmax(most, scoreStarts(room + side * 4 * STARTS_OF_SIDE));
  }
  least = largestLane(most);
  if (!(least > <f32>1e-20 && least < <f32>1e30 && least > <f32>0.5 * energyOf())) return false;
  for (let side: usize = 0; side < sides; side++) {
    turnTo(side ? -1 : 1);
    for (let i: usize = 0; i <= STARTS; i++) {
      if (load<f32>(room + ((i + side * STARTS_OF_SIDE) << 2)) < least * surely) continue;
      const scale = startAt(i);
      if (i < STARTS && !(scale > all && scale < none)) continue;
      corner(scale);
      take();
    }
  }
  return true;
}

// ---- groups ----

function searchOneSign(side: f64): void {
  turnTo(side);
  if (!(none > 0)) return;
  if (load<u32>(job, Job.LISTED)) return searchList();
  const end = visitStarts();
  if (load<u32>(job, Job.OPTIMAL)) climb(end);
}

export function searchGroup(): void {
  forget();
  measure();
  setGroup(values, weights, workspace() + TAIL, i32(count));
  if (!load<u32>(job, Job.LISTED)) {
    if (load<u32>(job, Job.OPTIMAL) ? searchByExploring() : load<i32>(job, Job.KIND) !== TABLE && startByExploring()) return;
    forget();
  }
  searchOneSign(1);
  if (load<u32>(job, Job.SIGNED)) searchOneSign(-1);
}

// Whether weights are 0 alone: the columns count all the same then.
export function weighNothing(from: usize, n: i32): bool {
  for (const end = from + (<usize>n << 2); from < end; from += 4) {
    if (load<f32>(from) != 0) return false;
  }
  return true;
}

function fieldOf(scale: f64): f32 {
  if (!load<u32>(job, Job.LISTED)) return f32(scale);
  return load<f32>(job + (usize(load<u32>(job, Job.COUNT)) << 3) + (usize(nearestListed(scale)) << 2), Job.SCALES);
}

export function prepare(): void {
  const kind = load<i32>(job, Job.KIND);
  setLevels(kind, f32(-load<f64>(job, Job.LOW)), f32(load<f64>(job, Job.HIGH)));
  if (kind === TABLE) setTables(job + Job.THRESHOLDS, job + Job.PLANES, load<u32>(job, Job.DOWN), load<f64>(job, Job.LAST));
}

// A magnitude whose scale every type holds: beyond it, the scheme may have to refuse a value.
const SURELY_HELD: f64 = 32768;

// Scales and codes of every group; see tile.ts for where they lie. Returns 1 where a group is left as it
// was, since no scale is better than none, or where the scheme may refuse it; 2
// where groups have to be searched otherwise.
export function search_scales(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, importance: usize, codes: usize, scales: usize, how: usize, weighed: i32,
): i32 {
  let result = 0;
  setJob(how);
  crowded = false;
  prepare();
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest);
      begin(src, weighed && !weighNothing(importance, n) ? importance : 0, n);
      searchGroup();
      if (crowded) return 2;
      if (bestScale != 0) {
        store<f32>(scales + at, fieldOf(abs(bestScale)) * (bestScale < 0 ? -1 : 1));
        storeCodes(bestScale, codes);
      } else result = 1;
      // The scale that puts the largest value on the last level.
      if (full > SURELY_HELD) result = 1;
      at += 4;
      src += <usize>n << 2;
      importance += <usize>n << 2;
      codes += n;
    }
    scales += <usize>stride;
  }
  return result;
}
