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

@inline export function maxMagnitude(src: usize, n: i32, floor: i32): i32 {
  const k = magnitudeBits();
  let a = zero(), b = a, c = a, d = a;
  const end = src + ((<usize>n) << 2), body = src + ((<usize>(n & ~31)) << 2);
  while (src < body) {
    a = i32x4.max_s(a, v128.and(k, v128.load(src)));
    b = i32x4.max_s(b, v128.and(k, v128.load(src, 16)));
    c = i32x4.max_s(c, v128.and(k, v128.load(src, 32)));
    d = i32x4.max_s(d, v128.and(k, v128.load(src, 48)));
    a = i32x4.max_s(a, v128.and(k, v128.load(src, 64)));
    b = i32x4.max_s(b, v128.and(k, v128.load(src, 80)));
    c = i32x4.max_s(c, v128.and(k, v128.load(src, 96)));
    d = i32x4.max_s(d, v128.and(k, v128.load(src, 112)));
    src += 128;
  }
  let bits = max(floor, maxLaneI32(i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d))));
  while (src < end) {
    bits = max(bits, load<i32>(src) & 0x7fffffff);
    src += 4;
  }
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
