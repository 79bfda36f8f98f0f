// Codes of a tile: on an even grid, by thresholds, of E2M1. Groups are those of tile.ts.

import { magnitudeBits, zero } from "./common";
import { encodeE2M1, isKnown } from "./tile_e2m1";
import { encodeByCells, encodeByHalving } from "./tile_ranks";
import { encodeSteps } from "./tile_steps";

// Ways to a code: those of encodeSteps, then these.
const BY_HALVING: i32 = 8;
const BY_CELLS: i32 = 9;
const E2M1: i32 = 10;

// The ways of groups that are whole vectors. `numbers` and `others` are a scale and an
// offset for each, or a factor for each and a table, or a rule.
function encodeWhole(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, numbers: usize, others: usize, way: i32, product: i32, dtype: i32,
): void {
  if (way < BY_HALVING) encodeSteps(rows, columns, first, group, stride, src, codes, numbers, others, way, dtype);
  else if (way == BY_HALVING) encodeByHalving(rows, columns, first, group, stride, src, codes, numbers, others);
  else if (way == BY_CELLS) encodeByCells(rows, columns, first, group, stride, src, codes, numbers, others);
  else encodeE2M1(rows, columns, first, group, stride, src, codes, numbers, <i32>others, product, dtype);
}

const SOME: usize = memory.data(80, 16);

// Groups that are not, one after the other: what is left of each is done as one vector
// more, of a copy, since at the end of the memory there may be no others.
function encode(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, numbers: usize, others: usize, way: i32, product: i32, dtype: i32,
): i32 {
  if (((first | group | columns) & 15) == 0) {
    encodeWhole(rows, columns, first, group, stride, src, codes, numbers, others, way, product, dtype);
    return 0;
  }
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), whole = n & ~15, left = <usize>(n & 15), other = way < BY_HALVING ? others + at : others;
      encodeWhole(1, whole, whole, whole, 0, src, codes, numbers + at, other, way, product, dtype);
      src += <usize>whole << 2;
      codes += <usize>whole;
      if (left) {
        memory.copy(SOME, src, left << 2);
        encodeWhole(1, 16, 16, 16, 0, SOME, SOME + 64, numbers + at, other, way, product, dtype);
        memory.copy(codes, SOME + 64, left);
      }
      src += left << 2;
      codes += left;
      at += 4;
    }
    numbers += <usize>stride;
    if (way < BY_HALVING) others += <usize>stride;
  }
  return 0;
}

// How some roundings of src/schemes/tile_codes.ts are numbered.
const DIVIDE: i32 = 0;
const RECIPROCAL: i32 = 3;
const MULTIPLY: i32 = 6;

// Whether scales and offsets are finite, scales not 0 where values are divided by them,
// and offsets whole where they are added to codes.
export function areOrdinary(n: i32, scales: usize, offsets: usize, way: i32): bool {
  const z = zero(), k = magnitudeBits(), whole = way == DIVIDE || way == MULTIPLY;
  let ordinary = i32x4.splat(-1);
  while (n > 0) {
    const all = n >= 4, s = all ? v128.load(scales) : v128.load32_splat(scales), o = all ? v128.load(offsets) : v128.load32_splat(offsets);
    ordinary = v128.and(ordinary, v128.and(f32x4.eq(f32x4.sub(s, s), z), f32x4.eq(f32x4.sub(o, o), z)));
    if (way != RECIPROCAL) ordinary = v128.andnot(ordinary, f32x4.eq(s, z));
    if (whole) ordinary = v128.and(ordinary, v128.and(f32x4.lt(v128.and(o, k), f32x4.splat(4096)), f32x4.eq(f32x4.nearest(o), o)));
    const step = all ? 4 : 1;
    n -= step;
    scales += <usize>step << 2;
    offsets += <usize>step << 2;
  }
  return i32x4.all_true(ordinary);
}

// 1 where a scale or offset is none that this can do, or products are to be rounded to
// a type: the scalar way has to.
export function tile_encode_steps(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, scales: usize, offsets: usize, way: i32, dtype: i32,
): i32 {
  if (dtype && way >= MULTIPLY) return 1;
  const perRow = columns <= first ? 1 : 1 + (columns - first + group - 1) / group;
  if (!areOrdinary(stride ? rows * perRow : perRow, scales, offsets, way)) return 1;
  return encode(rows, columns, first, group, stride, src, codes, scales, offsets, way, 0, dtype);
}

// x * factor against the thresholds, by cells or by halving.
export function tile_encode_ranks(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, factors: usize, table: usize, byCells: i32,
): i32 {
  return encode(rows, columns, first, group, stride, src, codes, factors, table, byCells ? BY_CELLS : BY_HALVING, 0, 0);
}

// 1 where there is no kernel.
export function tile_encode_e2m1(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, factors: usize, rule: i32, product: i32, dtype: i32,
): i32 {
  if (!isKnown(rule, product, dtype)) return 1;
  return encode(rows, columns, first, group, stride, src, codes, factors, <usize>rule, E2M1, product, dtype);
}
