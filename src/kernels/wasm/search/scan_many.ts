// Sums of packed rows with four queries at a time: what is unpacked serves all
// of them. Codes and queries lie as scan.ts says.

import { byteMask, bytesMask, nibbleMask, rebias, sumOfEach } from "./scan";

@inline function storeLanes(v: v128, sums: usize, stride: usize): void {
  v128.store32_lane(sums, v, 0);
  v128.store32_lane(sums + stride, v, 1);
  v128.store32_lane(sums + 2 * stride, v, 2);
  v128.store32_lane(sums + 3 * stride, v, 3);
}

// Two rows at a time, so that what is loaded of a query serves both.
// Queries lie 4 · bytes apart, their sums `stride` apart; `biases` has four numbers.
export function scan_uniform_many(rows: i32, codes: usize, bytes: usize, query: usize, biases: usize, sums: usize, stride: usize): void {
  const m = nibbleMask(), size = bytes << 2, bias = v128.load(biases);
  const second = query + size, third = second + size, fourth = third + size;
  for (let r = 0; r < rows; r += 2) {
    let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (let at: usize = 0; at < size; at += 64) {
      const v = v128.load(codes), w = v128.load(codes + bytes);
      codes += 16;
      let c: v128, d: v128, q: v128;
      c = v128.and(v, m), d = v128.and(w, m);
      q = v128.load(query + at), a0 = i32x4.add(a0, i32x4.dot_i16x8_s(c, q)), b0 = i32x4.add(b0, i32x4.dot_i16x8_s(d, q));
      q = v128.load(second + at), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(c, q)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(d, q));
      q = v128.load(third + at), a2 = i32x4.add(a2, i32x4.dot_i16x8_s(c, q)), b2 = i32x4.add(b2, i32x4.dot_i16x8_s(d, q));
      q = v128.load(fourth + at), a3 = i32x4.add(a3, i32x4.dot_i16x8_s(c, q)), b3 = i32x4.add(b3, i32x4.dot_i16x8_s(d, q));
      c = v128.and(i16x8.shr_u(v, 4), m), d = v128.and(i16x8.shr_u(w, 4), m);
      q = v128.load(query + at, 16), a0 = i32x4.add(a0, i32x4.dot_i16x8_s(c, q)), b0 = i32x4.add(b0, i32x4.dot_i16x8_s(d, q));
      q = v128.load(second + at, 16), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(c, q)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(d, q));
      q = v128.load(third + at, 16), a2 = i32x4.add(a2, i32x4.dot_i16x8_s(c, q)), b2 = i32x4.add(b2, i32x4.dot_i16x8_s(d, q));
      q = v128.load(fourth + at, 16), a3 = i32x4.add(a3, i32x4.dot_i16x8_s(c, q)), b3 = i32x4.add(b3, i32x4.dot_i16x8_s(d, q));
      c = v128.and(i16x8.shr_u(v, 8), m), d = v128.and(i16x8.shr_u(w, 8), m);
      q = v128.load(query + at, 32), a0 = i32x4.add(a0, i32x4.dot_i16x8_s(c, q)), b0 = i32x4.add(b0, i32x4.dot_i16x8_s(d, q));
      q = v128.load(second + at, 32), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(c, q)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(d, q));
      q = v128.load(third + at, 32), a2 = i32x4.add(a2, i32x4.dot_i16x8_s(c, q)), b2 = i32x4.add(b2, i32x4.dot_i16x8_s(d, q));
      q = v128.load(fourth + at, 32), a3 = i32x4.add(a3, i32x4.dot_i16x8_s(c, q)), b3 = i32x4.add(b3, i32x4.dot_i16x8_s(d, q));
      c = i16x8.shr_u(v, 12), d = i16x8.shr_u(w, 12);
      q = v128.load(query + at, 48), a0 = i32x4.add(a0, i32x4.dot_i16x8_s(c, q)), b0 = i32x4.add(b0, i32x4.dot_i16x8_s(d, q));
      q = v128.load(second + at, 48), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(c, q)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(d, q));
      q = v128.load(third + at, 48), a2 = i32x4.add(a2, i32x4.dot_i16x8_s(c, q)), b2 = i32x4.add(b2, i32x4.dot_i16x8_s(d, q));
      q = v128.load(fourth + at, 48), a3 = i32x4.add(a3, i32x4.dot_i16x8_s(c, q)), b3 = i32x4.add(b3, i32x4.dot_i16x8_s(d, q));
    }
    codes += bytes;
    storeLanes(i32x4.add(i32x4.shl(sumOfEach(a0, a1, a2, a3), 1), bias), sums, stride);
    storeLanes(i32x4.add(i32x4.shl(sumOfEach(b0, b1, b2, b3), 1), bias), sums + 4, stride);
    sums += 8;
  }
}

export function scan_table_many(rows: i32, codes: usize, bytes: usize, query: usize, biases: usize, sums: usize, stride: usize, table: usize): void {
  const m = bytesMask(), low = byteMask(), t = v128.load(table), size = bytes << 2, bias = v128.load(biases);
  const second = query + size, third = second + size, fourth = third + size;
  for (let r = 0; r < rows; r += 2) {
    let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (let at: usize = 0; at < size; at += 64) {
      const v = v128.load(codes), w = v128.load(codes + bytes);
      codes += 16;
      const e0 = i8x16.swizzle(t, v128.and(v, m)), o0 = i8x16.swizzle(t, v128.and(i16x8.shr_u(v, 4), m));
      const e1 = i8x16.swizzle(t, v128.and(w, m)), o1 = i8x16.swizzle(t, v128.and(i16x8.shr_u(w, 4), m));
      let c: v128, d: v128, q: v128;
      c = v128.and(e0, low), d = v128.and(e1, low);
      q = v128.load(query + at), a0 = i32x4.add(a0, i32x4.dot_i16x8_s(c, q)), b0 = i32x4.add(b0, i32x4.dot_i16x8_s(d, q));
      q = v128.load(second + at), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(c, q)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(d, q));
      q = v128.load(third + at), a2 = i32x4.add(a2, i32x4.dot_i16x8_s(c, q)), b2 = i32x4.add(b2, i32x4.dot_i16x8_s(d, q));
      q = v128.load(fourth + at), a3 = i32x4.add(a3, i32x4.dot_i16x8_s(c, q)), b3 = i32x4.add(b3, i32x4.dot_i16x8_s(d, q));
      c = v128.and(o0, low), d = v128.and(o1, low);
      q = v128.load(query + at, 16), a0 = i32x4.add(a0, i32x4.dot_i16x8_s(c, q)), b0 = i32x4.add(b0, i32x4.dot_i16x8_s(d, q));
      q = v128.load(second + at, 16), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(c, q)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(d, q));
      q = v128.load(third + at, 16), a2 = i32x4.add(a2, i32x4.dot_i16x8_s(c, q)), b2 = i32x4.add(b2, i32x4.dot_i16x8_s(d, q));
      q = v128.load(fourth + at, 16), a3 = i32x4.add(a3, i32x4.dot_i16x8_s(c, q)), b3 = i32x4.add(b3, i32x4.dot_i16x8_s(d, q));
      c = i16x8.shr_u(e0, 8), d = i16x8.shr_u(e1, 8);
      q = v128.load(query + at, 32), a0 = i32x4.add(a0, i32x4.dot_i16x8_s(c, q)), b0 = i32x4.add(b0, i32x4.dot_i16x8_s(d, q));
      q = v128.load(second + at, 32), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(c, q)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(d, q));
      q = v128.load(third + at, 32), a2 = i32x4.add(a2, i32x4.dot_i16x8_s(c, q)), b2 = i32x4.add(b2, i32x4.dot_i16x8_s(d, q));
      q = v128.load(fourth + at, 32), a3 = i32x4.add(a3, i32x4.dot_i16x8_s(c, q)), b3 = i32x4.add(b3, i32x4.dot_i16x8_s(d, q));
      c = i16x8.shr_u(o0, 8), d = i16x8.shr_u(o1, 8);
      q = v128.load(query + at, 48), a0 = i32x4.add(a0, i32x4.dot_i16x8_s(c, q)), b0 = i32x4.add(b0, i32x4.dot_i16x8_s(d, q));
      q = v128.load(second + at, 48), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(c, q)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(d, q));
      q = v128.load(third + at, 48), a2 = i32x4.add(a2, i32x4.dot_i16x8_s(c, q)), b2 = i32x4.add(b2, i32x4.dot_i16x8_s(d, q));
      q = v128.load(fourth + at, 48), a3 = i32x4.add(a3, i32x4.dot_i16x8_s(c, q)), b3 = i32x4.add(b3, i32x4.dot_i16x8_s(d, q));
    }
    codes += bytes;
    storeLanes(i32x4.add(sumOfEach(a0, a1, a2, a3), bias), sums, stride);
    storeLanes(i32x4.add(sumOfEach(b0, b1, b2, b3), bias), sums + 4, stride);
    sums += 8;
  }
}

// Levels of bytes, signed, in the even bytes of lanes, or in the odd ones.
@inline function evenLevels(v: v128): v128 { return i16x8.shr_s(i16x8.shl(v, 8), 8); }
@inline function oddLevels(v: v128): v128 { return i16x8.shr_s(v, 8); }

// One row with groups, of any grid: `values` are signed, and sums need no bias. A lane
// for each query; group g is added to total g mod 4 of `totals`, which has room for
// four vectors, so that sums are added up in the order in which one query alone has them.
export function scan_groups_many(rows: i32, codes: usize, bytes: usize, query: usize, sums: usize, stride: usize, fractions: usize, group: usize, values: usize, totals: usize): void {
  const m = bytesMask(), t = v128.load(values), size = bytes << 2, zero = i32x4.splat(0);
  const second = size, third = second + size, fourth = third + size;
  for (let r = 0; r < rows; r++, sums += 4) {
    for (let i: usize = 0; i < 64; i += 16) v128.store(totals + i, zero);
    let total: usize = 0, q = query;
    for (const row = codes + bytes; codes < row; fractions += 2) {
      let s0 = zero, s1 = zero, s2 = zero, s3 = zero;
      for (const end = codes + group; codes < end; codes += 16, q += 64) {
        const v = v128.load(codes);
        const even = i8x16.swizzle(t, v128.and(v, m)), odd = i8x16.swizzle(t, v128.and(i16x8.shr_u(v, 4), m));
        let c: v128;
        c = evenLevels(even);
        s0 = i32x4.add(s0, i32x4.dot_i16x8_s(c, v128.load(q))), s1 = i32x4.add(s1, i32x4.dot_i16x8_s(c, v128.load(q + second)));
        s2 = i32x4.add(s2, i32x4.dot_i16x8_s(c, v128.load(q + third))), s3 = i32x4.add(s3, i32x4.dot_i16x8_s(c, v128.load(q + fourth)));
        c = evenLevels(odd);
        s0 = i32x4.add(s0, i32x4.dot_i16x8_s(c, v128.load(q, 16))), s1 = i32x4.add(s1, i32x4.dot_i16x8_s(c, v128.load(q + second, 16)));
        s2 = i32x4.add(s2, i32x4.dot_i16x8_s(c, v128.load(q + third, 16))), s3 = i32x4.add(s3, i32x4.dot_i16x8_s(c, v128.load(q + fourth, 16)));
        c = oddLevels(even);
        s0 = i32x4.add(s0, i32x4.dot_i16x8_s(c, v128.load(q, 32))), s1 = i32x4.add(s1, i32x4.dot_i16x8_s(c, v128.load(q + second, 32)));
        s2 = i32x4.add(s2, i32x4.dot_i16x8_s(c, v128.load(q + third, 32))), s3 = i32x4.add(s3, i32x4.dot_i16x8_s(c, v128.load(q + fourth, 32)));
        c = oddLevels(odd);
        s0 = i32x4.add(s0, i32x4.dot_i16x8_s(c, v128.load(q, 48))), s1 = i32x4.add(s1, i32x4.dot_i16x8_s(c, v128.load(q + second, 48)));
        s2 = i32x4.add(s2, i32x4.dot_i16x8_s(c, v128.load(q + third, 48))), s3 = i32x4.add(s3, i32x4.dot_i16x8_s(c, v128.load(q + fourth, 48)));
      }
      const sum = f32x4.convert_i32x4_s(sumOfEach(s0, s1, s2, s3)), at = totals + total;
      const fraction = f32x4.mul(i32x4.shl(i32x4.splat(load<u16>(fractions)), 13), rebias());
      v128.store(at, f32x4.add(v128.load(at), f32x4.mul(sum, fraction)));
      total = (total + 16) & 48;
    }
    const first = f32x4.add(v128.load(totals), v128.load(totals, 16)), last = f32x4.add(v128.load(totals, 32), v128.load(totals, 48));
    storeLanes(f32x4.add(first, last), sums, stride);
  }
}
