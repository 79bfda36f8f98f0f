// Codes that lie as nibbles here and there, moved without being taken apart.
//
// Sixteen bytes hold the 32 codes of a line, in any order: a line is a stretch of a
// row, or of a column. An order says where nibbles come from, for each of the sixteen
// bytes: which byte has the low nibble in its own low half, or in its high half, and
// which has the high nibble in its low half, or in its high half; 255 where none has.
// There is none at address 0: all stay where they are.

import { bytesHigh, bytesLow, lowHalves, lowNibbles, workspace, zero } from "./common";

@inline function inOrder(v: v128, order: usize, mask: v128): v128 {
  const low = v128.and(v, mask), high = v128.and(i16x8.shr_u(v, 4), mask);
  const a = v128.or(i8x16.swizzle(low, v128.load(order)), i8x16.swizzle(high, v128.load(order, 16)));
  const b = v128.or(i8x16.swizzle(low, v128.load(order, 32)), i8x16.swizzle(high, v128.load(order, 48)));
  return v128.or(a, i16x8.shl(b, 4));
}

// ---- lines that stay lines ----

// `steps` times sixteen bytes of each of `lines` lines, each combined with `flip` in all its nibbles.
// Lines are `line` bytes apart, their sixteens `step` bytes.
export function nibbles_lines(
  lines: i32, steps: i32, src: usize, srcLine: i32, srcStep: i32, dst: usize, dstLine: i32, dstStep: i32, order: usize, flip: i32,
): i32 {
  const f = i8x16.splat(<i8>(flip * 17)), mask = lowNibbles();
  for (; lines > 0; lines--) {
    let p = src, q = dst;
    if (order) {
      for (let k = steps; k > 0; k--, p += <usize>srcStep, q += <usize>dstStep) {
        v128.store(q, v128.xor(inOrder(v128.load(p), order, mask), f));
      }
    } else {
      for (let k = steps; k > 0; k--, p += <usize>srcStep, q += <usize>dstStep) v128.store(q, v128.xor(v128.load(p), f));
    }
    src += <usize>srcLine;
    dst += <usize>dstLine;
  }
  return 0;
}

// ---- blocks of 32 rows and columns ----

// How codes lie: sixteen bytes are 32 columns of a row, 32 rows of a column, eight columns of each of four rows,
// or sixteen columns of two rows.
const ROWS: i32 = 0;
const COLUMNS: i32 = 1;
const WORDS: i32 = 2;
const PAIRS: i32 = 3;

// A block by rows, and one that is half turned.
@inline function block(): usize { return workspace(); }
@inline function beside(): usize { return workspace() + 512; }
const ROW: usize = 16;

@inline function low32(a: v128, b: v128): v128 { return v128.shuffle<i32>(a, b, 0, 4, 1, 5); }
@inline function high32(a: v128, b: v128): v128 { return v128.shuffle<i32>(a, b, 2, 6, 3, 7); }
@inline function low64(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 0, 2); }
@inline function high64(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 1, 3); }

// Word l of vector k, those being `from` bytes apart, becomes word k of vector l, those being `to` bytes apart; each combined with `f`.
@inline function turnWords(src: usize, from: usize, dst: usize, to: usize, f: v128): void {
  const w = v128.load(src), x = v128.load(src + from), y = v128.load(src + 2 * from), z = v128.load(src + 3 * from);
  const a = v128.xor(low32(w, x), f), b = v128.xor(low32(y, z), f), c = v128.xor(high32(w, x), f), d = v128.xor(high32(y, z), f);
  v128.store(dst, low64(a, b));
  v128.store(dst + to, high64(a, b));
  v128.store(dst + 2 * to, low64(c, d));
  v128.store(dst + 3 * to, high64(c, d));
}

// Words of four rows, eight of their columns `step` bytes apart, to rows, and back.
function wordsToRows(src: usize, step: usize, dst: usize, line: usize, f: v128): void {
  for (let k: usize = 0; k < 32; k += 4) turnWords(src + 4 * k, step, dst + k * line, line, f);
}
function rowsToWords(src: usize, line: usize, dst: usize, step: usize, f: v128): void {
  for (let k: usize = 0; k < 32; k += 4) turnWords(src + k * line, line, dst + 4 * k, step, f);
}

// Two rows in the halves of bytes, `pair` bytes from those of the next, to rows, and back.
function pairsToRows(src: usize, pair: usize, dst: usize, line: usize, f: v128): void {
  const mask = lowNibbles();
  for (let k = 16; k > 0; k--, src += pair, dst += 2 * line) {
    const v = v128.load(src), w = v128.load(src, 16);
    v128.store(dst, v128.xor(joined(v128.and(v, mask), v128.and(w, mask)), f));
    v128.store(dst + line, v128.xor(joined(v128.and(i16x8.shr_u(v, 4), mask), v128.and(i16x8.shr_u(w, 4), mask)), f));
  }
}
function rowsToPairs(src: usize, line: usize, dst: usize, pair: usize, f: v128): void {
  const mask = lowNibbles();
  for (let k = 16; k > 0; k--, src += 2 * line, dst += pair) {
    const v = v128.load(src), w = v128.load(src + line);
    const a = v128.and(v, mask), b = v128.and(i16x8.shr_u(v, 4), mask), c = v128.and(w, mask), d = v128.and(i16x8.shr_u(w, 4), mask);
    v128.store(dst, v128.xor(v128.or(bytesLow(a, b), i16x8.shl(bytesLow(c, d), 4)), f));
    v128.store(dst, v128.xor(v128.or(bytesHigh(a, b), i16x8.shl(bytesHigh(c, d), 4)), f), 16);
  }
}

// Codes, one to a byte, to two to a byte.
@inline function joined(a: v128, b: v128): v128 {
  const even = i16x8.splat(0x00ff);
  return i8x16.narrow_i16x8_u(v128.and(v128.or(a, i16x8.shr_u(a, 4)), even), v128.and(v128.or(b, i16x8.shr_u(b, 4)), even));
}

// Rows in another order of their nibbles.
function orderRows(src: usize, from: usize, dst: usize, to: usize, order: usize, f: v128): void {
  const mask = lowNibbles();
  for (let k = 32; k > 0; k--, src += from, dst += to) v128.store(dst, v128.xor(inOrder(v128.load(src), order, mask), f));
}

@inline function lowBytes(a: v128, b: v128, m: v128): v128 { return v128.bitselect(a, i16x8.shl(b, 8), m); }
@inline function highBytes(a: v128, b: v128, m: v128): v128 { return v128.bitselect(i16x8.shr_u(a, 8), b, m); }
@inline function lowPairs(a: v128, b: v128, m: v128): v128 { return v128.bitselect(a, i32x4.shl(b, 16), m); }
@inline function highPairs(a: v128, b: v128, m: v128): v128 { return v128.bitselect(i32x4.shr_u(a, 16), b, m); }
@inline function storePair(to: usize, a: v128, b: v128, m: v128): void {
  v128.store(to, v128.bitselect(a, i16x8.shl(b, 4), m));
  v128.store(to, v128.bitselect(i16x8.shr_u(a, 4), b, m), 64);
}

// Four bits of `places` for each of eight: which it is in the order of the tensor.
@inline function placed(places: i32, k: i32, line: usize): usize { return <usize>((places >> (4 * k)) & 15) * line; }

// Lines become the lines across them: first within words, of which eight of neighbouring
// lines hold eight by eight codes, then the words. Of eight lines that go into words, and of
// eight that come out of them, `into` and `outOf` tell the places.
function turn(src: usize, from: usize, into: i32, dst: usize, to: usize, outOf: i32, flip: v128): void {
  const pairs = lowHalves(), bytes = i16x8.splat(0x00ff), nibbles = lowNibbles();
  let q = beside();
  for (const end = q + 64; q < end; q += 16, src += 8 * from) {
    const a = v128.load(src + placed(into, 0, from)), b = v128.load(src + placed(into, 1, from));
    const c = v128.load(src + placed(into, 2, from)), d = v128.load(src + placed(into, 3, from));
    const e = v128.load(src + placed(into, 4, from)), f = v128.load(src + placed(into, 5, from));
    const g = v128.load(src + placed(into, 6, from)), h = v128.load(src + placed(into, 7, from));
    const a1 = lowPairs(a, e, pairs), e1 = highPairs(a, e, pairs), b1 = lowPairs(b, f, pairs), f1 = highPairs(b, f, pairs);
    const c1 = lowPairs(c, g, pairs), g1 = highPairs(c, g, pairs), d1 = lowPairs(d, h, pairs), h1 = highPairs(d, h, pairs);
    storePair(q, lowBytes(a1, c1, bytes), lowBytes(b1, d1, bytes), nibbles);
    storePair(q + 128, highBytes(a1, c1, bytes), highBytes(b1, d1, bytes), nibbles);
    storePair(q + 256, lowBytes(e1, g1, bytes), lowBytes(f1, h1, bytes), nibbles);
    storePair(q + 384, highBytes(e1, g1, bytes), highBytes(f1, h1, bytes), nibbles);
  }
  for (let k = 0; k < 8; k++) turnWords(beside() + 64 * <usize>k, 16, dst + placed(outOf, k, to), 8 * to, flip);
}

// Where the block at a row and a column of blocks starts.
@inline function blockAt(at: usize, row: i32, column: i32, way: i32, line: i32, step: i32): usize {
  if (way == COLUMNS) return at + <usize>(32 * column * line + row * step);
  if (way == WORDS) return at + <usize>(128 * row + 4 * column * step);
  return at + <usize>((way == PAIRS ? 16 : 32) * row * line + column * step);
}

// Eight in the order of the tensor.
const SAME: i32 = 0x76543210;

@inline function moveBlock(
  src: usize, srcWay: i32, srcLine: usize, srcStep: usize, srcOrder: usize,
  dst: usize, dstWay: i32, dstLine: usize, dstStep: usize, dstOrder: usize, places: i32, f: v128,
): void {
  const none = zero(), turned = (srcWay == COLUMNS) != (dstWay == COLUMNS);
  // Whether what is loaded, or turned, is what is to be stored.
  const isLast = dstWay != WORDS && dstWay != PAIRS && !dstOrder, isOnly = isLast && !turned;
  if (srcWay == WORDS || srcWay == PAIRS || srcOrder) {
    const to = isOnly ? dst : block(), line = isOnly ? dstLine : ROW, flip = isOnly ? f : none;
    if (srcWay == WORDS) wordsToRows(src, srcStep, to, line, flip);
    else if (srcWay == PAIRS) pairsToRows(src, srcLine, to, line, flip);
    else orderRows(src, srcLine, to, line, srcOrder, flip);
    if (isOnly) return;
    src = block();
    srcLine = ROW;
  }
  if (turned) {
    const into = dstWay == COLUMNS ? places : SAME, outOf = srcWay == COLUMNS ? places : SAME;
    turn(src, srcLine, into, isLast ? dst : block(), isLast ? dstLine : ROW, outOf, isLast ? f : none);
    if (isLast) return;
    src = block();
    srcLine = ROW;
  }
  if (dstWay == WORDS) rowsToWords(src, srcLine, dst, dstStep, f);
  else if (dstWay == PAIRS) rowsToPairs(src, srcLine, dst, dstLine, f);
  else orderRows(src, srcLine, dst, dstLine, dstOrder, f);
}

// How many blocks are done together below each other, and side by side: tall stretches of few
// columns make long runs of words and of columns, and no more runs than are fetched ahead.
const DOWN: i32 = 16;
const ACROSS: i32 = 2;

// `rows` and `columns` blocks. Lines are `line` bytes apart, their blocks `step` bytes; of words, eight columns
// are `step` bytes apart. Orders are of rows alone; `places` tells the rows of eight nibbles of a column.
export function nibbles_blocks(
  rows: i32, columns: i32,
  src: usize, srcWay: i32, srcLine: i32, srcStep: i32, srcOrder: usize,
  dst: usize, dstWay: i32, dstLine: i32, dstStep: i32, dstOrder: usize, places: i32, flip: i32,
): i32 {
  const f = i8x16.splat(<i8>(flip * 17));
  // Blocks whose ends are in the same lines of the cache follow each other.
  const byColumns = srcWay == COLUMNS || dstWay == COLUMNS;
  for (let top = 0; top < rows; top += DOWN) {
    for (let left = 0; left < columns; left += ACROSS) {
      const down = min(rows - top, DOWN), across = min(columns - left, ACROSS);
      for (let k = 0; k < down * across; k++) {
        const r = top + (byColumns ? k % down : k / across), c = left + (byColumns ? k / down : k % across);
        moveBlock(
          blockAt(src, r, c, srcWay, srcLine, srcStep), srcWay, <usize>srcLine, <usize>srcStep, srcOrder,
          blockAt(dst, r, c, dstWay, dstLine, dstStep), dstWay, <usize>dstLine, <usize>dstStep, dstOrder, places, f,
        );
      }
    }
  }
  return 0;
}
