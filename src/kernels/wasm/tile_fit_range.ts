// Scales and zero points of groups by their ranges, by rules that differ in a few numbers
// and roundings; the rules of a kind of their own are in tile.ts.

import { magnitudeBits, pin, zero } from "./common";
import { computed } from "./tile_round";

// What scales come of, as src/schemes/range_fit.ts numbers it; from MAGNITUDE on the zero point is always the same.
const WIDENED: i32 = 1;
const MAGNITUDE: i32 = 2;
const SIGNED: i32 = 3;

// Four groups at a time: arrays have room for a whole number of vectors. 1 where a scale
// is beyond `most`, or is 0 under a range that is not. `zero` is the zero point that is
// always the same, or that of a scale of 0.
export function tile_fit_range(
  n: i32, mins: usize, maxs: usize, scales: usize, offsets: usize,
  kind: i32, ofRange: i32, ofScale: i32, ofSteps: i32,
  leastRange: f32, plus: f32, divisor: f32, least: f32, ofZero: f32, home: f32, zeroPoint: f32, most: f32,
): i32 {
  const z = zero(), k = magnitudeBits(), shortest = pin(leastRange), added = pin(plus), d = pin(divisor), low = pin(least);
  const other = pin(ofZero), h = pin(home), limit = pin(most), first = pin(-home), last = pin(15 - home), same = pin(zeroPoint);
  let held = i32x4.splat(-1);
  for (; n > 0; n -= 4) {
    let a = v128.load(mins), b = v128.load(maxs), x: v128;
    if (kind < MAGNITUDE) {
      if (kind == WIDENED) {
        a = f32x4.min(a, z);
        b = f32x4.max(b, z);
      }
      x = f32x4.add(f32x4.pmax(computed(f32x4.sub(b, a), ofRange), shortest), added);
    } else {
      const m = v128.and(a, k);
      x = kind == MAGNITUDE ? f32x4.max(m, v128.and(b, k))
        : kind == SIGNED ? v128.bitselect(m, f32x4.neg(b), f32x4.ge(m, b)) : f32x4.max(b, z);
    }
    x = f32x4.div(x, d);
    x = computed(v128.bitselect(low, x, f32x4.lt(v128.and(x, k), low)), ofScale);
    const empty = f32x4.eq(x, z);
    let offset = same;
    if (kind < MAGNITUDE) {
      const steps = computed(f32x4.sub(first, computed(f32x4.div(a, x), ofSteps)), ofSteps);
      const t = f32x4.add(f32x4.nearest(f32x4.pmin(f32x4.pmax(first, steps), last)), h);
      offset = v128.bitselect(same, t, empty);
      held = v128.andnot(held, v128.and(empty, f32x4.ne(a, z)));
    }
    const scale = v128.bitselect(other, x, empty);
    held = v128.and(held, f32x4.le(v128.and(scale, k), limit));
    v128.store(scales, scale);
    v128.store(offsets, offset);
    mins += 16;
    maxs += 16;
    scales += 16;
    offsets += 16;
  }
  return i32x4.all_true(held) ? 0 : 1;
}
