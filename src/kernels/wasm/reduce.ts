// Largest magnitude and range of a run of floats. Both carry their result in a
// small state that outlives a tile, so that a tensor can pass through in tiles.

import { magnitudeBits, maxLaneI32, zero } from "./common";

const INFINITY_BITS: i32 = 0x7f800000;

// state: i32 magnitude bits. Integer max on the bits orders magnitudes, puts
// infinities and NaN above everything, and is faster than f32x4.max in V8.
export function magnitude(n: i32, src: usize, state: usize): i32 {
  const bits = maxMagnitude(src, n, load<i32>(state));
  store<i32>(state, bits);
  return bits >= INFINITY_BITS ? 1 : 0;
}

@inline function larger(m: v128, src: usize, k: v128): v128 {
  return i32x4.max_s(m, v128.and(k, v128.load(src)));
}

const PAGE: usize = 4096;

@inline export function maxMagnitude(src: usize, n: i32, floor: i32): i32 {
  const k = magnitudeBits(), end = src + ((<usize>n) << 2);
  let a = zero(), b = a, c = a, d = a;
  // Hardware prefetching stops at the end of a page, so four pages are read at
  // once: 1.5x where the data comes from memory.
  for (let body = src + ((<usize>(n & ~4095)) << 2); src < body; src += 3 * PAGE) {
    for (const page = src + PAGE; src < page; src += 64) {
      a = larger(larger(a, src, k), src + 16, k);
      b = larger(larger(b, src + PAGE, k), src + PAGE + 16, k);
      c = larger(larger(c, src + 2 * PAGE, k), src + 2 * PAGE + 16, k);
      d = larger(larger(d, src + 3 * PAGE, k), src + 3 * PAGE + 16, k);
      a = larger(larger(a, src + 32, k), src + 48, k);
      b = larger(larger(b, src + PAGE + 32, k), src + PAGE + 48, k);
      c = larger(larger(c, src + 2 * PAGE + 32, k), src + 2 * PAGE + 48, k);
      d = larger(larger(d, src + 3 * PAGE + 32, k), src + 3 * PAGE + 48, k);
    }
  }
  for (const body = end - 64; src <= body; src += 64) {
    a = larger(a, src, k);
    b = larger(b, src + 16, k);
    c = larger(c, src + 32, k);
    d = larger(d, src + 48, k);
  }
  let bits = max(floor, maxLaneI32(i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d))));
  for (; src < end; src += 4) bits = max(bits, load<i32>(src) & 0x7fffffff);
  return bits;
}

// state: f32 min, f32 max, i32 magnitude bits (NaN slips through comparisons,
// but not through the integer maximum).
export function range(n: i32, src: usize, state: usize): i32 {
  const k = magnitudeBits();
  const end = src + ((<usize>n) << 2), body = src + ((<usize>(n & ~7)) << 2);
  let low = f32x4.splat(load<f32>(state)), high = f32x4.splat(load<f32>(state, 4));
  let low2 = low, high2 = high, bits = i32x4.splat(load<i32>(state, 8));
  while (src < body) {
    const x = v128.load(src), y = v128.load(src, 16);
    low = f32x4.pmin(low, x);
    low2 = f32x4.pmin(low2, y);
    high = f32x4.pmax(high, x);
    high2 = f32x4.pmax(high2, y);
    bits = i32x4.max_s(bits, i32x4.max_s(v128.and(k, x), v128.and(k, y)));
    src += 32;
  }
  low = f32x4.pmin(low, low2);
  high = f32x4.pmax(high, high2);
  low = f32x4.pmin(low, v128.shuffle<i32>(low, low, 2, 3, 0, 1));
  high = f32x4.pmax(high, v128.shuffle<i32>(high, high, 2, 3, 0, 1));
  let lowest = f32x4.extract_lane(f32x4.pmin(low, v128.shuffle<i32>(low, low, 1, 0, 3, 2)), 0);
  let highest = f32x4.extract_lane(f32x4.pmax(high, v128.shuffle<i32>(high, high, 1, 0, 3, 2)), 0);
  let top = maxLaneI32(bits);
  while (src < end) {
    const x = load<f32>(src);
    if (x < lowest) lowest = x;
    if (x > highest) highest = x;
    top = max(top, load<i32>(src) & 0x7fffffff);
    src += 4;
  }
  store<f32>(state, lowest);
  store<f32>(state, highest, 4);
  store<i32>(state, top, 8);
  return top >= INFINITY_BITS ? 1 : 0;
}
