// Sums of packed rows with a query.
//
// Codes stay where they are: the four nibbles of a 16-bit lane are four vectors
// under a mask, and the query is laid out to match, so that i32x4.dot_i16x8_s
// multiplies and adds. A query holds, for every 32 codes, four vectors of eight:
// codes 0, 4, 8 …, codes 1, 5, 9 …, and so on.
//
// What is added up is never negative (a code, or an entry of a table of bytes);
// the sum of levels is slope · sum + bias, where bias belongs to the query.

// A vector that is loaded once stays in a register; V8 builds a splat anew in each turn of a loop.
const MASKS: usize = memory.data<u32>([
  0x000f000f, 0x000f000f, 0x000f000f, 0x000f000f, //  0 the low nibble of a lane
  0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, // 16 the low nibbles of bytes
  0x00ff00ff, 0x00ff00ff, 0x00ff00ff, 0x00ff00ff, // 32 the low byte of a lane
  0x77800000, 0x77800000, 0x77800000, 0x77800000, // 48 2^112: a float16 in a float32's place, times this, is its value
], 16);

@inline export function nibbleMask(): v128 { return v128.load(MASKS); }
@inline export function bytesMask(): v128 { return v128.load(MASKS, 16); }
@inline export function byteMask(): v128 { return v128.load(MASKS, 32); }
@inline export function rebias(): v128 { return v128.load(MASKS, 48); }

// Four sums of one vector of codes, as they are.
@inline export function products(v: v128, m: v128, q0: v128, q1: v128, q2: v128, q3: v128): v128 {
  return i32x4.add(
    i32x4.add(i32x4.dot_i16x8_s(v128.and(v, m), q0), i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(v, 4), m), q1)),
    i32x4.add(i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(v, 8), m), q2), i32x4.dot_i16x8_s(i16x8.shr_u(v, 12), q3)),
  );
}

// The same by way of a table.
@inline function tableProducts(v: v128, m: v128, low: v128, t: v128, q0: v128, q1: v128, q2: v128, q3: v128): v128 {
  const even = i8x16.swizzle(t, v128.and(v, m)), odd = i8x16.swizzle(t, v128.and(i16x8.shr_u(v, 4), m));
  return i32x4.add(
    i32x4.add(i32x4.dot_i16x8_s(v128.and(even, low), q0), i32x4.dot_i16x8_s(v128.and(odd, low), q1)),
    i32x4.add(i32x4.dot_i16x8_s(i16x8.shr_u(even, 8), q2), i32x4.dot_i16x8_s(i16x8.shr_u(odd, 8), q3)),
  );
}

// Four vectors to one whose lane k is the sum of the lanes of vector k.
@inline export function sumOfEach(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

// Four rows at a time: what is loaded of the query serves all of them.
export function scan_uniform(rows: i32, codes: usize, bytes: usize, query: usize, bias: i32, sums: usize): void {
  const m = nibbleMask(), b = i32x4.splat(bias), two = bytes << 1, three = two + bytes;
  for (let r = 0; r < rows; r += 4) {
    let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, q = query;
    for (const end = codes + bytes; codes < end; codes += 16, q += 64) {
      const q0 = v128.load(q), q1 = v128.load(q, 16), q2 = v128.load(q, 32), q3 = v128.load(q, 48);
      s0 = i32x4.add(s0, products(v128.load(codes), m, q0, q1, q2, q3));
      s1 = i32x4.add(s1, products(v128.load(codes + bytes), m, q0, q1, q2, q3));
      s2 = i32x4.add(s2, products(v128.load(codes + two), m, q0, q1, q2, q3));
      s3 = i32x4.add(s3, products(v128.load(codes + three), m, q0, q1, q2, q3));
    }
    codes += three;
    v128.store(sums, i32x4.add(i32x4.shl(sumOfEach(s0, s1, s2, s3), 1), b));
    sums += 16;
  }
}

export function scan_table(rows: i32, codes: usize, bytes: usize, query: usize, bias: i32, sums: usize, table: usize): void {
  const m = bytesMask(), low = byteMask(), t = v128.load(table), b = i32x4.splat(bias);
  for (let r = 0; r < rows; r += 4) {
    let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, q = query;
    const two = bytes << 1, three = two + bytes;
    for (const end = codes + bytes; codes < end; codes += 16, q += 64) {
      const q0 = v128.load(q), q1 = v128.load(q, 16), q2 = v128.load(q, 32), q3 = v128.load(q, 48);
      s0 = i32x4.add(s0, tableProducts(v128.load(codes), m, low, t, q0, q1, q2, q3));
      s1 = i32x4.add(s1, tableProducts(v128.load(codes + bytes), m, low, t, q0, q1, q2, q3));
      s2 = i32x4.add(s2, tableProducts(v128.load(codes + two), m, low, t, q0, q1, q2, q3));
      s3 = i32x4.add(s3, tableProducts(v128.load(codes + three), m, low, t, q0, q1, q2, q3));
    }
    codes += three;
    v128.store(sums, i32x4.add(sumOfEach(s0, s1, s2, s3), b));
    sums += 16;
  }
}

// Groups go in fours, one to a lane: exact sums, then float32, four groups after four.

@inline function uniformGroup(codes: usize, bytes: usize, q: usize, m: v128): v128 {
  let s = i32x4.splat(0);
  for (const end = codes + bytes; codes < end; codes += 16, q += 64) {
    s = i32x4.add(s, products(v128.load(codes), m, v128.load(q), v128.load(q, 16), v128.load(q, 32), v128.load(q, 48)));
  }
  return s;
}

@inline function tableGroup(codes: usize, bytes: usize, q: usize, m: v128, low: v128, t: v128): v128 {
  let s = i32x4.splat(0);
  for (const end = codes + bytes; codes < end; codes += 16, q += 64) {
    s = i32x4.add(s, tableProducts(v128.load(codes), m, low, t, v128.load(q), v128.load(q, 16), v128.load(q, 32), v128.load(q, 48)));
  }
  return s;
}

// Four float16 from 0 to 1 as float32; of `count` of them, the others 0.
@inline function fractionsAt(at: usize, count: usize): v128 {
  let bits: v128;
  if (count >= 4) bits = v128.load64_zero(at);
  else {
    bits = v128.load16_lane(at, i32x4.splat(0), 0);
    if (count > 1) bits = v128.load16_lane(at + 2, bits, 1);
    if (count > 2) bits = v128.load16_lane(at + 4, bits, 2);
  }
  return f32x4.mul(i32x4.shl(i32x4.extend_low_i16x8_u(bits), 13), rebias());
}

@inline export function sumOfLanes(v: v128): f32 {
  return (f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1)) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

// `biases` has a number for each group and zeros up to a multiple of four; `group` is the bytes of codes in one.
export function scan_uniform_groups(rows: i32, codes: usize, bytes: usize, query: usize, biases: usize, sums: usize, fractions: usize, group: usize): void {
  const m = nibbleMask(), zero = i32x4.splat(0), groups = bytes / group, step = group << 2;
  for (let r = 0; r < rows; r++) {
    let total = f32x4.splat(0), q = query, bias = biases;
    for (let left = groups; left > 0;) {
      const s0 = uniformGroup(codes, group, q, m);
      const s1 = left > 1 ? uniformGroup(codes + group, group, q + step, m) : zero;
      const s2 = left > 2 ? uniformGroup(codes + 2 * group, group, q + 2 * step, m) : zero;
      const s3 = left > 3 ? uniformGroup(codes + 3 * group, group, q + 3 * step, m) : zero;
      const sum = i32x4.add(i32x4.shl(sumOfEach(s0, s1, s2, s3), 1), v128.load(bias));
      total = f32x4.add(total, f32x4.mul(f32x4.convert_i32x4_s(sum), fractionsAt(fractions, left)));
      const taken = min(left, 4);
      left -= taken;
      codes += group * taken;
      fractions += taken << 1;
      q += step << 2;
      bias += 16;
    }
    store<f32>(sums, sumOfLanes(total));
    sums += 4;
  }
}

export function scan_table_groups(rows: i32, codes: usize, bytes: usize, query: usize, biases: usize, sums: usize, fractions: usize, group: usize, table: usize): void {
  const m = bytesMask(), low = byteMask(), t = v128.load(table), zero = i32x4.splat(0), groups = bytes / group, step = group << 2;
  for (let r = 0; r < rows; r++) {
    let total = f32x4.splat(0), q = query, bias = biases;
    for (let left = groups; left > 0;) {
      const s0 = tableGroup(codes, group, q, m, low, t);
      const s1 = left > 1 ? tableGroup(codes + group, group, q + step, m, low, t) : zero;
      const s2 = left > 2 ? tableGroup(codes + 2 * group, group, q + 2 * step, m, low, t) : zero;
      const s3 = left > 3 ? tableGroup(codes + 3 * group, group, q + 3 * step, m, low, t) : zero;
      const sum = i32x4.add(sumOfEach(s0, s1, s2, s3), v128.load(bias));
      total = f32x4.add(total, f32x4.mul(f32x4.convert_i32x4_s(sum), fractionsAt(fractions, left)));
      const taken = min(left, 4);
      left -= taken;
      codes += group * taken;
      fractions += taken << 1;
      q += step << 2;
      bias += 16;
    }
    store<f32>(sums, sumOfLanes(total));
    sums += 4;
  }
}
