// The ends of groups: smallest and largest values, largest magnitudes. Groups are those of tile.ts.

import { magnitudeBits, maxLaneI32, maxOfEach, maxOfEachI32, minOfEach, workspace, zero } from "./common";

@inline function lanesMin(v: v128): f32 {
  const w = f32x4.pmin(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmin(w, v128.shuffle<i32>(w, w, 1, 0, 3, 2)), 0);
}
@inline function lanesMax(v: v128): f32 {
  const w = f32x4.pmax(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(w, v128.shuffle<i32>(w, w, 1, 0, 3, 2)), 0);
}

// Zero with the sign that the scalar way gives it: it takes -0 to be less than 0.
@noinline function signedZero(src: usize, end: usize, sought: u32): f32 {
  for (; src < end; src += 4) {
    if (load<u32>(src) == sought) return reinterpret<f32>(sought);
  }
  return reinterpret<f32>(sought ^ 0x80000000);
}

// Smallest and largest value of one group.
function rangeOf(src: usize, n: i32, min: usize, max: usize): void {
  const end = src + (<usize>n << 2), body = src + (<usize>(n & ~3) << 2);
  let low = load<f32>(src), high = low, p = src;
  if (body > src) {
    let a = v128.load(src), b = a;
    for (p += 16; p < body; p += 16) {
      const x = v128.load(p);
      a = f32x4.pmin(a, x);
      b = f32x4.pmax(b, x);
    }
    low = lanesMin(a);
    high = lanesMax(b);
  }
  for (; p < end; p += 4) {
    const x = load<f32>(p);
    if (x < low) low = x;
    if (x > high) high = x;
  }
  store<f32>(min, low == 0 ? signedZero(src, end, 0x80000000) : low);
  store<f32>(max, high == 0 ? signedZero(src, end, 0) : high);
}

// Both ends of a group of whole pairs of vectors, by four lanes each, to two vectors: in
// one loop and by two each, so that no step waits for the one before.
@inline function lanesOf(src: usize, bytes: usize, to: usize): void {
  const x = v128.load(src), y = v128.load(src, 16), end = src + bytes;
  let a = x, b = x, c = y, d = y;
  for (src += 32; src < end; src += 32) {
    const z = v128.load(src), w = v128.load(src, 16);
    a = f32x4.pmin(a, z);
    b = f32x4.pmax(b, z);
    c = f32x4.pmin(c, w);
    d = f32x4.pmax(d, w);
  }
  v128.store(to, f32x4.pmin(a, c));
  v128.store(to, f32x4.pmax(b, d), 16);
}

// Groups next to each other, four at a time; how many were done.
function rangesOfFours(groups: i32, group: i32, src: usize, mins: usize, maxs: usize): i32 {
  const z = zero(), bytes = <usize>group << 2, at = workspace();
  let done = 0;
  for (; done + 4 <= groups; done += 4) {
    for (let k: usize = 0; k < 4; k++) lanesOf(src + k * bytes, bytes, at + 32 * k);
    const low = minOfEach(v128.load(at), v128.load(at, 32), v128.load(at, 64), v128.load(at, 96));
    const high = maxOfEach(v128.load(at, 16), v128.load(at, 48), v128.load(at, 80), v128.load(at, 112));
    v128.store(mins, low);
    v128.store(maxs, high);
    if (v128.any_true(v128.or(f32x4.eq(low, z), f32x4.eq(high, z)))) {
      for (let k: usize = 0; k < 4; k++) rangeOf(src + k * bytes, group, mins + 4 * k, maxs + 4 * k);
    }
    src += 4 * bytes;
    mins += 16;
    maxs += 16;
  }
  return done;
}

// Whether all groups are of one length, a multiple of `step`, next to each other.
@inline function areAlike(columns: i32, first: i32, group: i32, step: i32): bool {
  return first == group && columns % group == 0 && group % step == 0;
}

// Smallest and largest value of every group; values are finite.
export function tile_ranges(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, mins: usize, maxs: usize,
): i32 {
  if (areAlike(columns, first, group, 8)) {
    const groups = rows * (columns / group), done = rangesOfFours(groups, group, src, mins, maxs), at = <usize>done << 2;
    src += at * <usize>group;
    mins += at;
    maxs += at;
    rows = groups - done;
    columns = group;
    stride = 4;
  }
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest);
      rangeOf(src, n, mins + at, maxs + at);
      at += 4;
      src += <usize>n << 2;
    }
    mins += <usize>stride;
    maxs += <usize>stride;
  }
  return 0;
}

// ---- magnitudes ----

// Bits of the largest magnitude by four lanes, of whole vectors.
@inline function magnitudesOf(src: usize, bytes: usize, k: v128): v128 {
  let m = v128.and(k, v128.load(src));
  for (const end = src + bytes; (src += 16) < end;) m = i32x4.max_s(m, v128.and(k, v128.load(src)));
  return m;
}

// Largest magnitude of every group; values are finite.
export function tile_magnitudes(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32, src: usize, maxs: usize,
): i32 {
  const k = magnitudeBits();
  if (areAlike(columns, first, group, 4)) {
    const bytes = <usize>group << 2;
    let groups = rows * (columns / group);
    for (; groups >= 4; groups -= 4) {
      const a = magnitudesOf(src, bytes, k), b = magnitudesOf(src + bytes, bytes, k);
      const c = magnitudesOf(src + 2 * bytes, bytes, k), d = magnitudesOf(src + 3 * bytes, bytes, k);
      v128.store(maxs, maxOfEachI32(a, b, c, d));
      src += 4 * bytes;
      maxs += 16;
    }
    rows = groups;
    columns = group;
    stride = 4;
  }
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), end = src + (<usize>n << 2), body = src + (<usize>(n & ~3) << 2);
      let m = zero();
      for (; src < body; src += 16) m = i32x4.max_s(m, v128.and(k, v128.load(src)));
      let bits = maxLaneI32(m);
      for (; src < end; src += 4) bits = max(bits, load<i32>(src) & 0x7fffffff);
      store<i32>(maxs + at, bits);
      at += 4;
    }
    maxs += <usize>stride;
  }
  return 0;
}
