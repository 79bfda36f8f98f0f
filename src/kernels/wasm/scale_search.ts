// The best stored scale of every group of a tile: src/schemes/scale_search.ts, to the bit.

import { workspace } from "./common";
import {
  all, begin, bestListed, bestScale, bestScore, corner, count, DOWN, ENDS, findRanges, forget, full, Job, job, measure, none, pAt, POINT_BYTES, qAt,
  roomySides, scaleAt, setJob, settleListed, sign, SLACK, storeCodes, sumP, sumQ, TAIL, take, turnTo, UP, values, visit, visitStarts, weights,
} from "./scale_corner";
import {
  areSame, between, costsTooMuch, energyOf, exploreBetween, exploreEight, largestLane, mayCancel, open, openBetween, partLost, pointAt, scoreAt, scoresAt,
  setGroup, setLevels, setUnit,
} from "./scale_explore";
import { areForFours, foundFor, searchFour } from "./four_groups";
import { TABLE, UNIFORM } from "./scale_levels";
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

// Points to begin with on either side, and where finer ones go, some for each round.
const BEGIN: usize = 16, FINER: usize = 32, FINER_POINTS: usize = 10;

// Rounds of refining: in large groups more of them divide what float32 cannot close
// again and again. How wide they leave the range of a single value.
const ROUNDS: usize = 3;
const NARROW: f32 = 0.7;

// The unit of scales while exploring.
let base: f64 = 0;
// Σ w·x², and what the best score is at least, in squares of that.
let energy: f32 = 0;
let least: f32 = 0;
// The part of it that roundings to float32 and of the stored scale do not reach.
let surely: f32 = 0;

// The point from which on the other sign is looked at where it gives the same before: at
// 1.16 times the scale that puts its largest value on its last level, no value is beyond
// the last level of either sign, if these are no further apart than 7 and 8.
const APART: usize = 8;

// Whether large scales of either sign give the same codes, but for their signs.
function areAlike(): bool {
  const high = load<f64>(job, Job.HIGH), low = load<f64>(job, Job.LOW);
  return load<i32>(job, Job.KIND) === UNIFORM && min(high, low) * 8 >= max(high, low) * 7;
}

// Explores from a point on: the first or that from which on signs differ.
function exploreSide(at: usize, start: usize): void {
  setUnit(f32(sign / base));
  const own = f32x4.splat(f32(base / full));
  if (!start) {
    const first = f32x4.replace_lane(f32x4.mul(v128.load(job, Job.POINTS), own), 0, f32(base / none));
    least = max(least, largestLane(exploreEight(true, first, f32x4.mul(v128.load(job, Job.POINTS + 16), own), at)));
  }
  const u = f32x4.mul(v128.load(job, Job.POINTS + 32), own), v = f32x4.mul(v128.load(job, Job.POINTS + 48), own);
  least = max(least, largestLane(exploreEight(false, u, v, at + APART)));
}

// Searches every stretch of cells that may hold the best scale.
function searchSide(at: usize, start: usize): void {
  setUnit(f32(sign / base));
  // Where no value leaves the first level there may be codes, too.
  if (!start && scoreAt(at) >= least * surely) visit(none, workspace() + ENDS);
  const cells = i32(BEGIN - start) - 1;
  searchCells(at + start, cells, open(at + start, cells, least * surely), 0);
  // Below the last scale: what lies beyond the last level costs too much there, mostly.
  const from = pointAt(at + BEGIN - 1), to = f32(base / all), reach = f32(load<f64>(job, Job.REACH));
  if (costsTooMuch(reach / from, energy, least * surely)) return;
  if (to > from) searchBetween(from, to);
  else visit(all, workspace() + ENDS);
}

// Searches the open ones of some cells, those side by side together.
function searchCells(at: usize, n: i32, cells: i32, depth: usize): void {
  while (cells) {
    const first = ctz(cells), some = ctz(~(cells >> first)), from = at + usize(first);
    cells &= ~(((1 << some) - 1) << first);
    // All of them: then in two parts, which are not searched as one again and again.
    if (depth && some === n) {
      const half = usize(n + 1) >> 1;
      searchStretch(from, from + half, depth);
      searchStretch(from + half, from + usize(n), depth);
    } else searchStretch(from, from + usize(some), depth);
  }
}

// Searches between two points: finer ones at first, as long as codes may change a lot.
function searchStretch(first: usize, last: usize, depth: usize): void {
  const from = pointAt(first), to = pointAt(last), at = FINER + depth * FINER_POINTS;
  if (areSame(first, last, least * surely)) return visit(2 * base / (f64(from) + f64(to)), workspace() + ENDS);
  if (depth === ROUNDS || (to - from) * f32(count) <= NARROW * from) return searchBetween(from, to);
  const some = between();
  least = max(least, largestLane(exploreBetween(first, last, some, at)));
  searchCells(at, some + 1, openBetween(at, some, least * surely), depth + 1);
}

function searchBetween(from: f32, to: f32): void {
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
  const sides: usize = load<u32>(job, Job.SIGNED) ? 2 : 1, apart = areAlike() ? APART : 0;
  least = 0;
  surely = 1;
  for (let side: usize = 0; side < sides; side++) {
    turnTo(side ? -1 : 1);
    if (!(none > 0)) return false;
    surely = min(surely, 1 - partLost());
    if (!(surely > 0)) return false;
    if (!side) base = full;
    exploreSide(BEGIN * side, apart * side);
  }
  least = max(least, f32(floor / (base * base)));
  energy = energyOf();
  // Where most is lost whatever the scale, sums cancel.
  if (!(least > <f32>1e-20 && least < <f32>1e30 && least > <f32>0.5 * energy)) return false;
  for (let side: usize = 0; side < sides; side++) {
    turnTo(side ? -1 : 1);
    searchSide(BEGIN * side, apart * side);
  }
  return true;
}

// ---- a few scales ----

const FEW: usize = 4;

// Their scores on a side, in float32.
function scoreFew(): v128 {
  setUnit(f32(sign / base));
  const low = f32x4.demote_f64x2_zero(v128.load(job, Job.STARTS)), high = f32x4.demote_f64x2_zero(v128.load(job, Job.STARTS + 16));
  return scoresAt(f32x4.div(f32x4.splat(f32(base / full)), v128.shuffle<i64>(low, high, 0, 2)));
}

function takeStart(i: usize): void {
  corner(load<f64>(job + (i << 3), Job.STARTS) * full);
  take();
}

// The best of a few scales on one side or both, scored to the bit where that may be
// the best; false where float32 does not do.
function startByExploring(sides: u32): bool {
  const room = workspace() + ENDS;
  let most = f32x4.splat(0);
  base = 0;
  surely = 1;
  for (let side: u32 = UP; side <= DOWN; side++) {
    if (!(sides & side)) continue;
    turnTo(side === UP ? 1 : -1);
    surely = min(surely, 1 - partLost());
    if (!(surely > 0)) return false;
    if (base === 0) base = full;
    const found = scoreFew();
    v128.store(room + (usize(side) << 4), found);
    most = f32x4.pmax(most, v128.andnot(found, f32x4.eq(found, f32x4.splat(Infinity))));
  }
  least = largestLane(most);
  // Where most is lost whatever the scale, sums cancel.
  if (!(least > <f32>1e-20 && least < <f32>1e30) || (mayCancel() && !(least > <f32>0.5 * energyOf()))) return false;
  for (let side: u32 = UP; side <= DOWN; side++) {
    if (!(sides & side)) continue;
    turnTo(side === UP ? 1 : -1);
    for (let i: usize = 0; i < FEW; i++) {
      if (load<f32>(room + (usize(side) << 4) + (i << 2)) >= least * surely) takeStart(i);
    }
  }
  return true;
}

function startExactly(sides: u32, ends: bool): void {
  for (let side: u32 = UP; side <= DOWN; side++) {
    if (!(sides & side)) continue;
    turnTo(side === UP ? 1 : -1);
    if (ends) {
      visit(none, workspace() + ENDS);
      visit(all, workspace() + ENDS);
    } else {
      for (let i: usize = 0; i < FEW; i++) takeStart(i);
    }
  }
}

// fastStoredScale() of src/schemes/scale_search.ts.
function start(): void {
  const sides = roomySides();
  if (startByExploring(sides)) return;
  forget();
  startExactly(sides, false);
  if (bestScore === 0) startExactly(sides, true);
}

// ---- groups ----

function searchOneSign(side: f64): void {
  turnTo(side);
  if (!(none > 0)) return;
  if (load<u32>(job, Job.LISTED)) return searchList();
  climb(visitStarts());
}

// Takes up a group, which is searched once or more.
export function beginGroup(src: usize, importance: usize, n: i32, weighed: i32): void {
  begin(src, weighed && !weighNothing(importance, n) ? importance : 0, n);
  measure();
  setGroup(values, weights, workspace() + TAIL, n);
}

export function searchGroup(): void {
  forget();
  findRanges();
  if (!load<u32>(job, Job.LISTED)) {
    if (!load<u32>(job, Job.OPTIMAL)) return start();
    if (searchByExploring()) return;
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

function field(): f32 {
  if (!load<u32>(job, Job.LISTED)) return f32(abs(bestScale));
  return load<f32>(job + (usize(load<u32>(job, Job.COUNT)) << 3) + (usize(bestListed) << 2), Job.SCALES);
}

export function prepare(): void {
  const kind = load<i32>(job, Job.KIND);
  setLevels(kind, f32(-load<f64>(job, Job.LOW)), f32(load<f64>(job, Job.HIGH)));
  if (kind === TABLE) setTables(job + Job.THRESHOLDS, job + Job.PLANES, load<u32>(job, Job.DOWN), load<f64>(job, Job.LAST));
}

// A magnitude whose scale every type holds: beyond it, the scheme may have to refuse a value.
const SURELY_HELD: f64 = 32768;

// Stores the best scale of a group and its codes. Returns 1 where there is none, or the
// scheme may refuse it.
export function storeBest(scale: usize, codes: usize): i32 {
  if (bestScale == 0) return 1;
  storeFound(scale, codes);
  // The scale that puts the largest value on the last level.
  return full > SURELY_HELD ? 1 : 0;
}

function storeFound(scale: usize, codes: usize): void {
  store<f32>(scale, field() * (bestScale < 0 ? -1 : 1));
  storeCodes(bestScale, codes);
}

function searchOne(src: usize, importance: usize, n: i32, weighed: i32, scale: usize, codes: usize): i32 {
  beginGroup(src, importance, n, weighed);
  searchGroup();
  return storeBest(scale, codes);
}

// Four groups together; those that are not found so one by one.
function searchFourGroups(src: usize, n: i32, scales: usize, codes: usize): i32 {
  const found = searchFour(src, n);
  for (let i: usize = 0; i < 4; i++) {
    if (!((found >> i32(i)) & 1)) continue;
    begin(src + (i * usize(n) << 2), 0, n);
    settleListed(foundFor(i));
    storeFound(scales + (i << 2), codes + i * usize(n));
  }
  let result = 0;
  for (let i: usize = 0; i < 4; i++) {
    if ((found >> i32(i)) & 1) continue;
    result |= searchOne(src + (i * usize(n) << 2), 0, n, 0, scales + (i << 2), codes + i * usize(n));
  }
  return result;
}

// Scales and codes of every group; see tile.ts for where they lie. Returns 1 where a group is left as it
// was, since no scale is better than none, or where the scheme may refuse it; 2
// where groups have to be searched otherwise.
export function search_scales(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, importance: usize, codes: usize, scales: usize, how: usize, weighed: i32,
): i32 {
  let result = 0;
  setJob(how);
  startTile();
  prepare();
  const fours = areForFours(group, weighed);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first, some = 1; rest > 0; rest -= size * some, size = group) {
      const n = min(size, rest);
      some = fours && size === group && rest >= 4 * group ? 4 : 1;
      result |= some > 1 ? searchFourGroups(src, n, scales + at, codes) : searchOne(src, importance, n, weighed, scales + at, codes);
      if (crowded) return 2;
      const bytes = usize(some * n) << 2;
      at += usize(some) << 2;
      src += bytes;
      importance += bytes;
      codes += usize(some * n);
    }
    scales += <usize>stride;
  }
  return result;
}
