// Scale and zero point of every group of a tile, both floats: src/schemes/hqq_search.ts, to the bit.

import { setEffort } from "./affine_explore";
import { bestBias, bestScale, fitGroup, setStore, WHOLE_ZEROS, ZEROS } from "./affine_fit";
import { count, values, weights } from "./affine_moments";
import { workspace } from "./common";
import { weighNothing } from "./scale_search";
import { numberIn } from "./stored";

// What codes stand for, f64[16] of the numbers that were there and of those that were
// found, behind what exploring has in the workspace.
const BEFORE: usize = 1024, AFTER: usize = 1152;

// Levels of numbers; false where one is not finite.
function setLevels(type: u32, scale: f64, zero: f64, at: usize): bool {
  let finite = true;
  for (let code: usize = 0; code < 16; code++) {
    const level = numberIn(type, f64(f32(numberIn(type, f64(f32(f64(code) - zero)))) * f32(scale)));
    store<f64>(workspace() + at + (code << 3), level);
    finite = finite && level - level == 0;
  }
  return finite;
}

@inline function pair(at: usize): v128 { return f64x2.promote_low_f32x4(v128.load64_zero(at)); }

// How far values are from the nearest level.
@inline function offOf(x: v128, levels: usize): v128 {
  let least = f64x2.splat(Infinity);
  for (let at = levels; at < levels + 128; at += 8) least = f64x2.pmin(least, f64x2.abs(f64x2.sub(x, v128.load64_splat(at))));
  return least;
}

// The weighted squared error with the nearest levels: every other value in a sum of its own.
function errorWith(at: usize): f64 {
  const levels = workspace() + at, end = values + (usize(count & ~1) << 2);
  let sums = f64x2.splat(0);
  for (let x4 = values; x4 < end; x4 += 8) {
    const off = offOf(pair(x4), levels), w = weights ? pair(weights + (x4 - values)) : f64x2.splat(1);
    sums = f64x2.add(sums, f64x2.mul(w, f64x2.mul(off, off)));
  }
  if (count & 1) {
    const off = offOf(f64x2.splat(f64(load<f32>(end))), levels);
    const w: f64 = weights ? f64(load<f32>(weights + (end - values))) : 1;
    sums = f64x2.add(sums, f64x2.replace_lane(f64x2.splat(0), 0, w * f64x2.extract_lane(f64x2.mul(off, off), 0)));
  }
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
}

// The nearest codes, of two the smaller one.
function storeNearest(at: usize, codes: usize): void {
  const levels = workspace() + at;
  for (let i = 0; i < count; i += 2) {
    const from = values + (usize(i) << 2), isLast = i + 1 === count;
    const x = isLast ? f64x2.splat(f64(load<f32>(from))) : pair(from);
    let least = f64x2.splat(Infinity), best = f64x2.splat(0), code = best;
    for (let level = levels; level < levels + 128; level += 8) {
      const off = f64x2.abs(f64x2.sub(x, v128.load64_splat(level)));
      best = v128.bitselect(code, best, f64x2.lt(off, least));
      least = f64x2.pmin(least, off);
      code = f64x2.add(code, f64x2.splat(1));
    }
    store<u8>(codes + usize(i), u8(f64x2.extract_lane(best, 0)));
    if (!isLast) store<u8>(codes + usize(i), u8(f64x2.extract_lane(best, 1)), 1);
  }
}

// Takes the numbers that were found where the decoder sees less error with them.
function judge(type: u32, scale: usize, zero: usize, codes: usize): void {
  const own = f64(load<f32>(scale)), ownZero = f64(load<f32>(zero)), foundZero = -bestBias / bestScale;
  const isBefore = setLevels(type, numberIn(type, own), numberIn(type, ownZero), BEFORE);
  const isAfter = setLevels(type, bestScale, foundZero, AFTER);
  const before = isBefore ? errorWith(BEFORE) : Infinity, after = isAfter ? errorWith(AFTER) : Infinity;
  if (after < before) {
    store<f32>(scale, f32(bestScale));
    store<f32>(zero, f32(foundZero));
    storeNearest(AFTER, codes);
  } else if (isBefore) storeNearest(BEFORE, codes);
}

function searchGroup(type: u32, scale: usize, zero: usize, x: usize, w: usize, n: i32): void {
  const own = numberIn(type, f64(load<f32>(scale)));
  fitGroup(own, -numberIn(type, f64(load<f32>(zero))) * own, x, w, n);
}

// Scales, zero points and codes of every group; see tile.ts for the first operands.
// Returns 1 where a group is left as it was, since there is no scale but 0.
export function fit_zeros(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, importance: usize, codes: usize, scales: usize, zeros: usize, _list: usize, starts: usize,
  weighed: i32, startCount: i32, lanes: i32, rounds: i32, type: u32, most: f64, whole: i32,
): i32 {
  let result = 0;
  setEffort(starts, startCount, lanes, rounds);
  setStore(whole ? WHOLE_ZEROS : ZEROS, type, most);
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), scale = scales + at, zero = zeros + at;
      searchGroup(type, scale, zero, src, weighed ? importance : 0, n);
      if (bestScale == 0 && weighed && weighNothing(importance, n)) searchGroup(type, scale, zero, src, 0, n);
      if (bestScale != 0) judge(type, scale, zero, codes);
      else result = 1;
      at += 4;
      src += <usize>n << 2;
      importance += <usize>n << 2;
      codes += n;
    }
    scales += <usize>stride;
    zeros += <usize>stride;
  }
  return result;
}
