// Codes of a tile, one to a byte, to and from units of two or eight of them.

import { bytesHigh, bytesLow, lowNibbles, wordsHigh, wordsLow } from "./common";

// ---- nibbles ----

// n codes (an even number), one to a byte, to two to a byte, exclusive-ored with `flip`.
export function tile_pack(n: i32, codes: usize, dst: usize, highFirst: i32, flip: i32): i32 {
  const end = codes + <usize>n, body = codes + <usize>(n & ~31);
  const even = i16x8.splat(0x000f), odd = i16x8.splat(0x00f0), f = i8x16.splat(<i8>(flip * 17));
  for (; codes < body; codes += 32) {
    const a = v128.load(codes), b = v128.load(codes, 16);
    const x = highFirst ? v128.or(i16x8.shr_u(a, 8), v128.and(i16x8.shl(a, 4), odd))
      : v128.or(v128.and(a, even), v128.and(i16x8.shr_u(a, 4), odd));
    const y = highFirst ? v128.or(i16x8.shr_u(b, 8), v128.and(i16x8.shl(b, 4), odd))
      : v128.or(v128.and(b, even), v128.and(i16x8.shr_u(b, 4), odd));
    v128.store(dst, v128.xor(i8x16.narrow_i16x8_u(x, y), f));
    dst += 16;
  }
  for (; codes < end; codes += 2) {
    const a = <i32>load<u8>(codes), b = <i32>load<u8>(codes, 1);
    store<u8>(dst, <u8>((highFirst ? b | (a << 4) : a | (b << 4)) ^ (flip * 17)));
    dst++;
  }
  return 0;
}

export function tile_unpack(n: i32, src: usize, codes: usize, highFirst: i32, flip: i32): i32 {
  const end = codes + <usize>n, body = codes + <usize>(n & ~31);
  const mask = lowNibbles(), f = i8x16.splat(<i8>(flip * 17));
  for (; codes < body; codes += 32) {
    const v = v128.xor(v128.load(src), f), low = v128.and(v, mask), high = v128.and(i16x8.shr_u(v, 4), mask);
    const a = highFirst ? high : low, b = highFirst ? low : high;
    v128.store(codes, bytesLow(a, b));
    v128.store(codes, bytesHigh(a, b), 16);
    src += 16;
  }
  for (; codes < end; codes += 2) {
    const byte = <i32>load<u8>(src) ^ (flip * 17);
    store<u8>(codes, <u8>(highFirst ? byte >> 4 : byte & 15));
    store<u8>(codes, <u8>(highFirst ? byte & 15 : byte >> 4), 1);
    src++;
  }
  return 0;
}

// ---- one to a byte ----

// n codes, each in the low half of a byte, exclusive-ored with `flip`.
export function tile_singles(n: i32, src: usize, dst: usize, flip: i32): i32 {
  const end = src + <usize>n, mask = lowNibbles(), f = i8x16.splat(<i8>flip);
  for (const body = src + <usize>(n & ~15); src < body; src += 16) {
    v128.store(dst, v128.xor(v128.and(v128.load(src), mask), f));
    dst += 16;
  }
  for (; src < end; src++) {
    store<u8>(dst, <u8>((<i32>load<u8>(src) & 15) ^ flip));
    dst++;
  }
  return 0;
}

// ---- records: runs of `half` bytes (a multiple of eight), whose low halves and then high halves follow each other ----

// n runs; those of a record without gaps, `perUnit` of them, records `stride` bytes apart.
export function tile_unpack_halves(
  n: i32, src: usize, stride: i32, codes: usize, perUnit: i32, half: i32, highFirst: i32, flip: i32,
): i32 {
  const mask = lowNibbles(), f = i8x16.splat(<i8>(flip * 17)), h = <usize>half;
  const low = highFirst ? h : 0, high = highFirst ? 0 : h;
  for (; n > 0; n -= perUnit) {
    let p = src;
    for (let k = perUnit; k > 0; k--) {
      for (const end = p + h; p < end; p += 8) {
        const v = v128.xor(v128.load64_zero(p), f);
        v128.store64_lane(codes + low, v128.and(v, mask), 0);
        v128.store64_lane(codes + high, v128.and(i16x8.shr_u(v, 4), mask), 0);
        codes += 8;
      }
      codes += h;
    }
    src += <usize>stride;
  }
  return 0;
}

export function tile_pack_halves(
  n: i32, dst: usize, stride: i32, codes: usize, perUnit: i32, half: i32, highFirst: i32, flip: i32,
): i32 {
  const f = i8x16.splat(<i8>(flip * 17)), h = <usize>half;
  const low = highFirst ? h : 0, high = highFirst ? 0 : h;
  for (; n > 0; n -= perUnit) {
    let p = dst;
    for (let k = perUnit; k > 0; k--) {
      for (const end = p + h; p < end; p += 8) {
        const v = v128.or(v128.load64_zero(codes + low), i16x8.shl(v128.load64_zero(codes + high), 4));
        v128.store64_lane(p, v128.xor(v, f), 0);
        codes += 8;
      }
      codes += h;
    }
    dst += <usize>stride;
  }
  return 0;
}

// ---- units one column wide: a byte or a word of codes from rows `n` apart ----

// Four bits of `order` for each nibble of a unit: how far away the row of its code is.
@inline function rowOf(order: i32, nibble: i32, n: i32): usize { return <usize>(((order >> (4 * nibble)) & 15) * n); }

// Two of the four bytes of words, those of a and b one after the other.
@inline function lowerBytes(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
}
@inline function upperBytes(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
}
@inline function firstHalves(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 0, 2); }
@inline function secondHalves(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 1, 3); }

// Sixteen bytes to two rows.
@inline function splitRows(v: v128, low: usize, high: usize, f: v128, mask: v128): void {
  const w = v128.xor(v, f);
  v128.store(low, v128.and(w, mask));
  v128.store(high, v128.and(i16x8.shr_u(w, 4), mask));
}

// Sixteen bytes of codes in low and in high halves.
@inline function joinedRows(low: usize, high: usize, f: v128): v128 {
  return v128.xor(v128.or(v128.load(low), i16x8.shl(v128.load(high), 4)), f);
}

// Columns of words that are done together, a line of the cache in every row, first for the
// four rows of their lower halves and then for the others: lines of rows that are a power
// of two apart take turns in the same few places of the cache.
const TOGETHER: i32 = 64;

@inline function unpackHalves(
  i: i32, end: i32, src: usize, first: usize, second: usize, third: usize, fourth: usize, f: v128, mask: v128, upper: bool,
): void {
  for (; i < end; i += 16) {
    const at = src + (<usize>i << 2), a = v128.load(at), b = v128.load(at, 16), c = v128.load(at, 32), d = v128.load(at, 48);
    const x = upper ? upperBytes(a, b) : lowerBytes(a, b), y = upper ? upperBytes(c, d) : lowerBytes(c, d);
    splitRows(firstHalves(x, y), first + i, second + i, f, mask);
    splitRows(secondHalves(x, y), third + i, fourth + i, f, mask);
  }
}

export function tile_unpack_columns(n: i32, src: usize, codes: usize, bytes: i32, order: i32, flip: i32): i32 {
  const mask = lowNibbles(), f = i8x16.splat(<i8>(flip * 17)), body = n & ~15;
  const first = codes + rowOf(order, 0, n), second = codes + rowOf(order, 1, n);
  const third = codes + rowOf(order, 2, n), fourth = codes + rowOf(order, 3, n);
  const fifth = codes + rowOf(order, 4, n), sixth = codes + rowOf(order, 5, n);
  const seventh = codes + rowOf(order, 6, n), eighth = codes + rowOf(order, 7, n);
  let i = 0;
  if (bytes == 1) {
    for (; i < body; i += 16) splitRows(v128.load(src + i), first + i, second + i, f, mask);
  }
  while (i < body) {
    const end = min(i + TOGETHER, body);
    unpackHalves(i, end, src, first, second, third, fourth, f, mask, false);
    unpackHalves(i, end, src, fifth, sixth, seventh, eighth, f, mask, true);
    i = end;
  }
  for (; i < n; i++) {
    for (let b = 0; b < bytes; b++) {
      const byte = <i32>load<u8>(src + i * bytes + b) ^ (flip * 17);
      store<u8>(codes + rowOf(order, 2 * b, n) + i, <u8>(byte & 15));
      store<u8>(codes + rowOf(order, 2 * b + 1, n) + i, <u8>(byte >> 4));
    }
  }
  return 0;
}

export function tile_pack_columns(n: i32, dst: usize, codes: usize, bytes: i32, order: i32, flip: i32): i32 {
  const f = i8x16.splat(<i8>(flip * 17)), body = n & ~15;
  const r0 = codes + rowOf(order, 0, n), r1 = codes + rowOf(order, 1, n), r2 = codes + rowOf(order, 2, n), r3 = codes + rowOf(order, 3, n);
  const r4 = codes + rowOf(order, 4, n), r5 = codes + rowOf(order, 5, n), r6 = codes + rowOf(order, 6, n), r7 = codes + rowOf(order, 7, n);
  let i = 0;
  for (; i < body; i += 16) {
    const p = joinedRows(r0 + i, r1 + i, f);
    if (bytes == 1) {
      v128.store(dst + i, p);
      continue;
    }
    const q = joinedRows(r2 + i, r3 + i, f), r = joinedRows(r4 + i, r5 + i, f), s = joinedRows(r6 + i, r7 + i, f);
    const a = bytesLow(p, q), b = bytesLow(r, s), c = bytesHigh(p, q), d = bytesHigh(r, s), to = dst + (<usize>i << 2);
    v128.store(to, wordsLow(a, b));
    v128.store(to, wordsHigh(a, b), 16);
    v128.store(to, wordsLow(c, d), 32);
    v128.store(to, wordsHigh(c, d), 48);
  }
  for (; i < n; i++) {
    for (let b = 0; b < bytes; b++) {
      const low = <i32>load<u8>(codes + rowOf(order, 2 * b, n) + i), high = <i32>load<u8>(codes + rowOf(order, 2 * b + 1, n) + i);
      store<u8>(dst + i * bytes + b, <u8>((low | (high << 4)) ^ (flip * 17)));
    }
  }
  return 0;
}
