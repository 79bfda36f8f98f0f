// Codes that lie as nibbles here and there, moved without being taken apart.
//
// Sixteen bytes hold the 32 codes of a line, in any order: a line is a stretch of a
// row, or of a column. An order says where nibbles come from, for each of the sixteen
// bytes: which byte has the low nibble in its own low half, or in its high half, and
// which has the high nibble in its low half, or in its high half; 255 where none has.
// At address 0 it is none: all stay where they are.

import { lowHalves, lowNibbles, workspace, zero } from "./common";

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

// How codes lie: sixteen bytes are 32 columns of a row, 32 rows of a column, or eight columns of each of four rows.
const ROWS: i32 = 0;
const COLUMNS: i32 = 1;
const WORDS: i32 = 2;

// A block line by line, and room for one while it is turned.
@inline function block(): usize { return workspace(); }
@inline function beside(): usize { return workspace() + 512; }

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

// Sixteen bytes of each of 32 lines, `from` bytes apart there and `to` bytes here.
@inline function moveLines(src: usize, from: usize, dst: usize, to: usize, order: usize, f: v128): void {
  const mask = lowNibbles();
  for (let k = 32; k > 0; k--, src += from, dst += to) {
    const v = v128.load(src);
    v128.store(dst, v128.xor(order ? inOrder(v, order, mask) : v, f));
  }
}

function loadLines(src: usize, line: usize, order: usize, f: v128): void { moveLines(src, line, block(), 16, order, f); }
function storeLines(dst: usize, line: usize, order: usize, f: v128): void { moveLines(block(), 16, dst, line, order, f); }

function loadWords(src: usize, step: usize, f: v128): void {
  for (let k: usize = 0; k < 8; k++) turnWords(src + 16 * k, step, block() + 64 * k, 16, f);
}

function storeWords(dst: usize, step: usize, f: v128): void {
  for (let k: usize = 0; k < 8; k++) turnWords(block() + 64 * k, 16, dst + 16 * k, step, f);
}

@inline function lowBytes(a: v128, b: v128, m: v128): v128 { return v128.bitselect(a, i16x8.shl(b, 8), m); }
@inline function highBytes(a: v128, b: v128, m: v128): v128 { return v128.bitselect(i16x8.shr_u(a, 8), b, m); }
@inline function lowPairs(a: v128, b: v128, m: v128): v128 { return v128.bitselect(a, i32x4.shl(b, 16), m); }
@inline function highPairs(a: v128, b: v128, m: v128): v128 { return v128.bitselect(i32x4.shr_u(a, 16), b, m); }
@inline function storePair(to: usize, a: v128, b: v128, m: v128): void {
  v128.store(to, v128.bitselect(a, i16x8.shl(b, 4), m));
  v128.store(to, v128.bitselect(i16x8.shr_u(a, 4), b, m), 64);
}

// Rows become columns: first within words, of which eight of neighbouring lines hold eight columns and rows, then the words.
function turn(): void {
  const pairs = lowHalves(), bytes = i16x8.splat(0x00ff), nibbles = lowNibbles();
  let p = block(), q = beside();
  for (const end = p + 512; p < end; p += 128, q += 16) {
    const a = v128.load(p), b = v128.load(p, 16), c = v128.load(p, 32), d = v128.load(p, 48);
    const e = v128.load(p, 64), f = v128.load(p, 80), g = v128.load(p, 96), h = v128.load(p, 112);
    const a1 = lowPairs(a, e, pairs), e1 = highPairs(a, e, pairs), b1 = lowPairs(b, f, pairs), f1 = highPairs(b, f, pairs);
    const c1 = lowPairs(c, g, pairs), g1 = highPairs(c, g, pairs), d1 = lowPairs(d, h, pairs), h1 = highPairs(d, h, pairs);
    storePair(q, lowBytes(a1, c1, bytes), lowBytes(b1, d1, bytes), nibbles);
    storePair(q + 128, highBytes(a1, c1, bytes), highBytes(b1, d1, bytes), nibbles);
    storePair(q + 256, lowBytes(e1, g1, bytes), lowBytes(f1, h1, bytes), nibbles);
    storePair(q + 384, highBytes(e1, g1, bytes), highBytes(f1, h1, bytes), nibbles);
  }
  for (let k: usize = 0; k < 8; k++) turnWords(beside() + 64 * k, 16, block() + 16 * k, 128, zero());
}

// Where the block at a row and a column of blocks starts.
@inline function blockAt(at: usize, row: i32, column: i32, way: i32, line: i32, step: i32): usize {
  if (way == ROWS) return at + <usize>(32 * row * line + column * step);
  if (way == COLUMNS) return at + <usize>(32 * column * line + row * step);
  return at + <usize>(128 * row + 4 * column * step);
}

// How many blocks in either direction are done together, so that all of what is fetched along with a part of it is used.
const TOGETHER: i32 = 4;

// `rows` and `columns` blocks. Lines are `line` bytes apart, their sixteens `step` bytes; of words, eight columns are `step` bytes apart.
export function nibbles_blocks(
  rows: i32, columns: i32,
  src: usize, srcWay: i32, srcLine: i32, srcStep: i32, srcOrder: usize,
  dst: usize, dstWay: i32, dstLine: i32, dstStep: i32, dstOrder: usize, flip: i32,
): i32 {
  const none = zero(), f = i8x16.splat(<i8>(flip * 17)), turned = (srcWay == COLUMNS) != (dstWay == COLUMNS);
  for (let top = 0; top < rows; top += TOGETHER) {
    for (let left = 0; left < columns; left += TOGETHER) {
      for (let r = top; r < min(rows, top + TOGETHER); r++) {
        for (let c = left; c < min(columns, left + TOGETHER); c++) {
          const from = blockAt(src, r, c, srcWay, srcLine, srcStep), to = blockAt(dst, r, c, dstWay, dstLine, dstStep);
          if (srcWay == WORDS) loadWords(from, <usize>srcStep, none);
          else loadLines(from, <usize>srcLine, srcOrder, none);
          if (turned) turn();
          if (dstWay == WORDS) storeWords(to, <usize>dstStep, f);
          else storeLines(to, <usize>dstLine, dstOrder, f);
        }
      }
    }
  }
  return 0;
}
