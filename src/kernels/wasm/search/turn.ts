// The rotation of src/search/rotation.ts.

import * as Job from "./job";

const SIGNS: usize = memory.data<u32>([0, 0x80000000, 0, 0x80000000, 0, 0, 0x80000000, 0x80000000], 16);

// Turns `row`; returns where the result is.
export function turn(job: usize, row: usize, length: usize): usize {
  const rounds = load<i32>(job + Job.ROUNDS);
  let tables = usize(load<u32>(job + Job.TABLES)), from = row, to = Job.other(job);
  for (let round = 0; round < rounds; round++, tables += length << 3) {
    const factors = tables + (length << 2);
    for (let i: usize = 0; i < length << 2; i += 16) {
      let v: v128;
      // The first round leaves the order as it is.
      if (round === 0) v = v128.load(from + i);
      else {
        const t = tables + i;
        v = v128.load32_zero(from + (usize(load<u32>(t)) << 2));
        v = v128.load32_lane(from + (usize(load<u32>(t, 4)) << 2), v, 1);
        v = v128.load32_lane(from + (usize(load<u32>(t, 8)) << 2), v, 2);
        v = v128.load32_lane(from + (usize(load<u32>(t, 12)) << 2), v, 3);
      }
      v128.store(to + i, f32x4.mul(v, v128.load(factors + i)));
    }
    let at = to;
    for (let b = usize(load<u32>(job + Job.BLOCKS)); load<u32>(b) !== 0; b += 4) {
      const bytes = usize(load<u32>(b)) << 2;
      hadamard(at, bytes);
      at += bytes;
    }
    const swap = from;
    from = to;
    to = swap;
  }
  return from;
}

// Sums and differences at distances 1 and 2, within a vector.
@inline function within(v: v128, odd: v128, upper: v128): v128 {
  const w = f32x4.add(v128.shuffle<i32>(v, v, 0, 0, 2, 2), v128.xor(v128.shuffle<i32>(v, v, 1, 1, 3, 3), odd));
  return f32x4.add(v128.shuffle<i64>(w, w, 0, 0), v128.xor(v128.shuffle<i64>(w, w, 1, 1), upper));
}

// At distances 1, 2, 4 and 8 while sixteen values are at hand, then two distances at once while there are two.
// A block is no shorter than 32 values.
function hadamard(values: usize, bytes: usize): void {
  const end = values + bytes, odd = v128.load(SIGNS), upper = v128.load(SIGNS, 16);
  for (let p = values; p < end; p += 64) {
    const a = within(v128.load(p), odd, upper), b = within(v128.load(p, 16), odd, upper);
    const c = within(v128.load(p, 32), odd, upper), d = within(v128.load(p, 48), odd, upper);
    const ab = f32x4.add(a, b), ba = f32x4.sub(a, b), cd = f32x4.add(c, d), dc = f32x4.sub(c, d);
    v128.store(p, f32x4.add(ab, cd));
    v128.store(p, f32x4.add(ba, dc), 16);
    v128.store(p, f32x4.sub(ab, cd), 32);
    v128.store(p, f32x4.sub(ba, dc), 48);
  }
  let distance: usize = 64;
  for (; distance << 1 < bytes; distance <<= 2) {
    const two = distance << 1, three = two + distance;
    for (let start = values; start < end; start += distance << 2) {
      for (let p = start; p < start + distance; p += 16) {
        const a = v128.load(p), b = v128.load(p + distance), c = v128.load(p + two), d = v128.load(p + three);
        const ab = f32x4.add(a, b), ba = f32x4.sub(a, b), cd = f32x4.add(c, d), dc = f32x4.sub(c, d);
        v128.store(p, f32x4.add(ab, cd));
        v128.store(p + distance, f32x4.add(ba, dc));
        v128.store(p + two, f32x4.sub(ab, cd));
        v128.store(p + three, f32x4.sub(ba, dc));
      }
    }
  }
  for (; distance < bytes; distance <<= 1) {
    for (let start = values; start < end; start += distance << 1) {
      for (let p = start; p < start + distance; p += 16) {
        const a = v128.load(p), b = v128.load(p + distance);
        v128.store(p, f32x4.add(a, b));
        v128.store(p + distance, f32x4.sub(a, b));
      }
    }
  }
}
