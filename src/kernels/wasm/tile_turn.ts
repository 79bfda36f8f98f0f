// Units of a part turned from columns to rows: what lies at place c of row r, rows
// being `from` bytes apart, goes to place r of row c, those being `to` bytes apart.

import { bytesLow, wordsHigh, wordsLow } from "./common";

@inline function lowWords(a: v128, b: v128): v128 { return v128.shuffle<i32>(a, b, 0, 4, 1, 5); }
@inline function highWords(a: v128, b: v128): v128 { return v128.shuffle<i32>(a, b, 2, 6, 3, 7); }
@inline function lowHalf(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 0, 2); }
@inline function highHalf(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 1, 3); }

// Units of four bytes, four rows and four columns at a time.
export function tile_turn_words(rows: i32, columns: i32, src: usize, from: i32, dst: usize, to: i32): i32 {
  const s = <usize>from, d = <usize>to;
  for (; rows >= 4; rows -= 4) {
    let p = src, q = dst;
    for (let c = columns & ~3; c > 0; c -= 4) {
      const w = v128.load(p), x = v128.load(p + s), y = v128.load(p + 2 * s), z = v128.load(p + 3 * s);
      const a = lowWords(w, x), b = lowWords(y, z), e = highWords(w, x), f = highWords(y, z);
      v128.store(q, lowHalf(a, b));
      v128.store(q + d, highHalf(a, b));
      v128.store(q + 2 * d, lowHalf(e, f));
      v128.store(q + 3 * d, highHalf(e, f));
      p += 16;
      q += 4 * d;
    }
    if (columns & 2) {
      const w = v128.load64_zero(p), x = v128.load64_zero(p + s), y = v128.load64_zero(p + 2 * s), z = v128.load64_zero(p + 3 * s);
      const a = lowWords(w, x), b = lowWords(y, z);
      v128.store(q, lowHalf(a, b));
      v128.store(q + d, highHalf(a, b));
      p += 8;
      q += 2 * d;
    }
    if (columns & 1) {
      for (let k: usize = 0; k < 4; k++) store<u32>(q + 4 * k, load<u32>(p + k * s));
      p += 4;
      q += d;
    }
    src += 4 * s;
    dst += 16;
  }
  for (; rows > 0; rows--) {
    let p = src, q = dst;
    for (let c = columns; c > 0; c--) {
      store<u32>(q, load<u32>(p));
      p += 4;
      q += d;
    }
    src += s;
    dst += 4;
  }
  return 0;
}

// Two rows of eight bytes, interleaved.
@inline function pairOf(p: usize, s: usize): v128 { return bytesLow(v128.load64_zero(p), v128.load64_zero(p + s)); }

@inline function storePair(q: usize, d: usize, v: v128): void {
  v128.store64_lane(q, v, 0);
  v128.store64_lane(q + d, v, 1);
}

// Units of a byte, eight rows and eight columns at a time.
export function tile_turn_bytes(rows: i32, columns: i32, src: usize, from: i32, dst: usize, to: i32): i32 {
  const s = <usize>from, d = <usize>to;
  for (; rows >= 8; rows -= 8) {
    let p = src, q = dst;
    for (let c = columns & ~7; c > 0; c -= 8) {
      const w = pairOf(p, s), x = pairOf(p + 2 * s, s), y = pairOf(p + 4 * s, s), z = pairOf(p + 6 * s, s);
      const a = wordsLow(w, x), b = wordsLow(y, z), e = wordsHigh(w, x), f = wordsHigh(y, z);
      storePair(q, d, lowWords(a, b));
      storePair(q + 2 * d, d, highWords(a, b));
      storePair(q + 4 * d, d, lowWords(e, f));
      storePair(q + 6 * d, d, highWords(e, f));
      p += 8;
      q += 8 * d;
    }
    for (let c = columns & 7; c > 0; c--) {
      for (let k: usize = 0; k < 8; k++) store<u8>(q + k, load<u8>(p + k * s));
      p++;
      q += d;
    }
    src += 8 * s;
    dst += 8;
  }
  for (; rows > 0; rows--) {
    let p = src, q = dst;
    for (let c = columns; c > 0; c--) {
      store<u8>(q, load<u8>(p));
      p++;
      q += d;
    }
    src += s;
    dst++;
  }
  return 0;
}
