// Search for the scale of 32 values on the grid of IQ4_NL and IQ4_XS, as
// src/schemes/ggml_iq4.ts does it, for four groups at once: the sums of a group have
// to be added one value after the other, so a vector holds value j of four groups.

import { lowHalves, magnitudeBits, workspace, zero } from "./common";
import { transpose, weighTransposed } from "./groups";

// 32 vectors each, value j of four groups side by side:
export const VALUES: usize = 0;
export const WEIGHTS: usize = 512;
const BOUNDARY: usize = 1024; // twice the position from where on the higher of two codes is nearer
const QX: usize = 1536; //       w q x of the lower code
const QX_FLIP: usize = 2048; //  the bits to flip for that of the higher one
const Q2: usize = 2560; //       w q q, likewise
const Q2_FLIP: usize = 3072;
// A lane for each group:
const LARGEST: usize = 3584; //  the value of the largest magnitude
const SCALE: usize = 3600; //    of the best candidate so far
const BEST: usize = 3616; //     its gain
const INVERSES: usize = 3632; // twice the inverse scale of each of 15 candidates
const FIRST_Q: usize = 3872; //  32 vectors: grid values of the first candidate

const LAST: usize = 14 * 16; //  the last of the INVERSES

const INFINITY_BITS: i32 = 0x7f800000;

// Boundaries between codes are multiples of 1/2: the midpoints of the grid. So
// floor(2x) + 256 tells the code; its upper bits select one of 32 cells of 16, no
// cell has more than one boundary, and CELLS holds 16 * (code at the start of the
// cell) + (what carries into the code when the steps inside the cell are added).
const CELLS: usize = memory.data<u8>([
  0, 7, 16, 16, 27, 32, 36, 48, 50, 64, 68, 80, 89, 96, 112, 121,
  130, 144, 154, 161, 176, 181, 192, 198, 208, 210, 224, 224, 230, 240, 240, 240,
], 16);
const GRID_VALUES: usize = memory.data<i8>([
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
], 16);
const SPLATS: usize = memory.data<u32>([
  0x4b400100, 0x4b400100, 0x4b400100, 0x4b400100, //  0 1.5 * 2^23 + 256 as a float
  0x000f000f, 0x000f000f, 0x000f000f, 0x000f000f, // 16 steps inside a cell
  0x01ff01ff, 0x01ff01ff, 0x01ff01ff, 0x01ff01ff, // 32 the last step
  0x10101010, 0x10101010, 0x10101010, 0x10101010, // 48 cells in a vector
  0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, // 64 low nibbles
  0x42fe0000, 0x42fe0000, 0x42fe0000, 0x42fe0000, // 80 127
  0xc3000000, 0xc3000000, 0xc3000000, 0xc3000000, // 96 -128
], 16);

/** The grid, a byte for each code. */
@inline export function gridValues(): v128 { return v128.load(GRID_VALUES); }

@inline function step(twice: v128): v128 {
  return v128.and(f32x4.add(f32x4.floor(twice), v128.load(SPLATS)), lowHalves());
}

// Codes of sixteen positions, given twice the position. Steps below the first
// one select no cell and give code 0.
@inline export function nearest(a: v128, b: v128, c: v128, d: v128): v128 {
  const most = v128.load(SPLATS, 32), within = v128.load(SPLATS, 16);
  const ab = i16x8.min_s(i16x8.narrow_i32x4_u(step(a), step(b)), most);
  const cd = i16x8.min_s(i16x8.narrow_i32x4_u(step(c), step(d)), most);
  const cell = i8x16.narrow_i16x8_u(i16x8.shr_u(ab, 4), i16x8.shr_u(cd, 4));
  const steps = i8x16.narrow_i16x8_u(v128.and(ab, within), v128.and(cd, within));
  const start = v128.or(
    i8x16.swizzle(v128.load(CELLS), cell),
    i8x16.swizzle(v128.load(CELLS, 16), i8x16.sub(cell, v128.load(SPLATS, 48))),
  );
  return v128.and(i16x8.shr_u(i8x16.add(start, steps), 4), v128.load(SPLATS, 64));
}

// Twice a position anywhere: clamped to where the magic of step() works. NaN
// goes to the highest code, as in the reference.
@inline function twiceClamped(x: v128, inverse: v128): v128 {
  const position = f32x4.mul(x, inverse);
  const clamped = f32x4.pmax(f32x4.pmin(v128.load(SPLATS, 80), position), v128.load(SPLATS, 96));
  return f32x4.add(clamped, clamped);
}

@inline function codes16(src: usize, inverse: v128): v128 {
  return nearest(
    twiceClamped(v128.load(src), inverse), twiceClamped(v128.load(src, 16), inverse),
    twiceClamped(v128.load(src, 32), inverse), twiceClamped(v128.load(src, 48), inverse),
  );
}

/** The codes of 32 values: 16 bytes, the first half in the low nibbles. */
export function storeCodes(src: usize, inverse: f32, dst: usize): void {
  const i = f32x4.splat(inverse);
  v128.store(dst, v128.or(codes16(src, i), i16x8.shl(codes16(src + 64, i), 4)));
}

// ---- loading four groups ----

// Loads the values of four groups; false where one of them is not finite.
export function loadValues(p: usize, q: usize, r: usize, s: usize): bool {
  const work = workspace(), k = magnitudeBits();
  transpose(p, q, r, s, work + VALUES);
  let largest = zero(), magnitude = zero();
  for (let at = work; at < work + 512; at += 16) {
    const x = v128.load(at, VALUES), m = v128.and(x, k);
    largest = v128.bitselect(x, largest, i32x4.gt_s(m, magnitude));
    magnitude = i32x4.max_s(magnitude, m);
  }
  v128.store(work, largest, LARGEST);
  return !v128.any_true(i32x4.ge_s(magnitude, i32x4.splat(INFINITY_BITS)));
}

/** The value of the largest magnitude of each group, the first of them. */
@inline export function largestOf(): v128 { return v128.load(workspace(), LARGEST); }

// Weights without importance: the squares.
export function weighBySquares(): void {
  const work = workspace();
  for (let at = work; at < work + 512; at += 16) {
    const x = v128.load(at, VALUES);
    v128.store(at, f32x4.mul(x, x), WEIGHTS);
  }
}

// Weights with importance: times the root of sigma2 + x^2.
export function weighByImportance(p: usize, q: usize, r: usize, s: usize, sigma2: v128): void {
  const work = workspace();
  transpose(p, q, r, s, work + WEIGHTS);
  weighTransposed(work + VALUES, work + WEIGHTS, sigma2);
}

// ---- the search ----

// Twice the inverse scales: (t - 127) / largest for t = -7 ... 7. Doubling is exact.
@inline function setInverses(work: usize): void {
  const largest = v128.load(work, LARGEST);
  for (let t = 0; t < 15; t++) {
    const inverse = f32x4.div(f32x4.splat(<f32>(t - 134)), largest);
    v128.store(work + ((<usize>t) << 4), f32x4.add(inverse, inverse), INVERSES);
  }
}

@inline function gridAt(at: usize, twiceInverse: v128): v128 {
  const codes = nearest(
    f32x4.mul(v128.load(at, VALUES), twiceInverse), f32x4.mul(v128.load(at, VALUES + 16), twiceInverse),
    f32x4.mul(v128.load(at, VALUES + 32), twiceInverse), f32x4.mul(v128.load(at, VALUES + 48), twiceInverse),
  );
  return i8x16.swizzle(gridValues(), codes);
}

@inline function lowFloats(words: v128): v128 { return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(words)); }
@inline function highFloats(words: v128): v128 { return f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(words)); }

// What value j adds to the sums, for either of the two codes that it can get.
@inline function storeTerms(at: usize, low: v128, high: v128): void {
  const x = v128.load(at, VALUES), w = v128.load(at, WEIGHTS);
  const wLow = f32x4.mul(w, low), wHigh = f32x4.mul(w, high);
  const qx = f32x4.mul(wLow, x), q2 = f32x4.mul(wLow, low);
  v128.store(at, f32x4.add(low, high), BOUNDARY);
  v128.store(at, qx, QX);
  v128.store(at, v128.xor(qx, f32x4.mul(wHigh, x)), QX_FLIP);
  v128.store(at, q2, Q2);
  v128.store(at, v128.xor(q2, f32x4.mul(wHigh, high)), Q2_FLIP);
}

// The inverse scales of the candidates are at most 134/120 apart, and two
// boundaries of the grid on the same side of zero never less than 115.5/93.5: a
// value crosses one boundary at most. The codes at both ends are all it can get,
// and twice the midpoint of their grid values is the boundary that decides.
function prepare(work: usize): void {
  const first = f32x4.div(f32x4.splat(1), f32x4.div(v128.load(work, LARGEST), f32x4.splat(127)));
  const firstTwice = f32x4.add(first, first);
  const start = v128.load(work, INVERSES), end = v128.load(work, INVERSES + LAST);
  for (let at = work; at < work + 512; at += 64) {
    const q = gridAt(at, firstTwice);
    const qa = i16x8.extend_low_i8x16_s(q), qb = i16x8.extend_high_i8x16_s(q);
    v128.store(at, lowFloats(qa), FIRST_Q);
    v128.store(at, highFloats(qa), FIRST_Q + 16);
    v128.store(at, lowFloats(qb), FIRST_Q + 32);
    v128.store(at, highFloats(qb), FIRST_Q + 48);
    const one = gridAt(at, start), other = gridAt(at, end);
    const low = i8x16.min_s(one, other), high = i8x16.max_s(one, other);
    const lowA = i16x8.extend_low_i8x16_s(low), highA = i16x8.extend_low_i8x16_s(high);
    const lowB = i16x8.extend_high_i8x16_s(low), highB = i16x8.extend_high_i8x16_s(high);
    storeTerms(at, lowFloats(lowA), lowFloats(highA));
    storeTerms(at + 16, highFloats(lowA), highFloats(highA));
    storeTerms(at + 32, lowFloats(lowB), lowFloats(highB));
    storeTerms(at + 48, highFloats(lowB), highFloats(highB));
  }
}

// The first candidate, whose sign is the other one.
function begin(work: usize): void {
  let qx = zero(), q2 = zero();
  for (let at = work; at < work + 512; at += 16) {
    const x = v128.load(at, VALUES), q = v128.load(at, FIRST_Q), wq = f32x4.mul(v128.load(at, WEIGHTS), q);
    qx = f32x4.add(qx, f32x4.mul(wq, x));
    q2 = f32x4.add(q2, f32x4.mul(wq, q));
  }
  const scale = v128.and(f32x4.div(qx, q2), f32x4.gt(q2, zero()));
  v128.store(work, scale, SCALE);
  v128.store(work, f32x4.mul(scale, qx), BEST);
}

// Keeps a candidate where it gains more than the best one.
@inline function judge(work: usize, qx: v128, q2: v128): void {
  const best = v128.load(work, BEST), scale = f32x4.div(qx, q2);
  const wins = v128.and(f32x4.gt(q2, zero()), f32x4.gt(f32x4.mul(qx, qx), f32x4.mul(best, q2)));
  v128.store(work, v128.bitselect(scale, v128.load(work, SCALE), wins), SCALE);
  v128.store(work, v128.bitselect(f32x4.mul(scale, qx), best, wins), BEST);
}

// Three candidates at a time: as many sums as hide the latency of adding, and
// no more registers than there are.
function tryThree(work: usize, inverses: usize): void {
  const i = v128.load(inverses, INVERSES), j = v128.load(inverses, INVERSES + 16), k = v128.load(inverses, INVERSES + 32);
  let qxI = zero(), qxJ = qxI, qxK = qxI, q2I = qxI, q2J = qxI, q2K = qxI;
  for (let at = work; at < work + 512; at += 16) {
    const x = v128.load(at, VALUES), boundary = v128.load(at, BOUNDARY);
    const overI = f32x4.ge(f32x4.mul(x, i), boundary);
    const overJ = f32x4.ge(f32x4.mul(x, j), boundary);
    const overK = f32x4.ge(f32x4.mul(x, k), boundary);
    const qx = v128.load(at, QX), qxFlip = v128.load(at, QX_FLIP);
    qxI = f32x4.add(qxI, v128.xor(qx, v128.and(qxFlip, overI)));
    qxJ = f32x4.add(qxJ, v128.xor(qx, v128.and(qxFlip, overJ)));
    qxK = f32x4.add(qxK, v128.xor(qx, v128.and(qxFlip, overK)));
    const q2 = v128.load(at, Q2), q2Flip = v128.load(at, Q2_FLIP);
    q2I = f32x4.add(q2I, v128.xor(q2, v128.and(q2Flip, overI)));
    q2J = f32x4.add(q2J, v128.xor(q2, v128.and(q2Flip, overJ)));
    q2K = f32x4.add(q2K, v128.xor(q2, v128.and(q2Flip, overK)));
  }
  judge(work, qxI, q2I);
  judge(work, qxJ, q2J);
  judge(work, qxK, q2K);
}

// The scales of four groups whose values and weights are loaded; 0 where the
// largest magnitude is below 1e-15.
export function search(): v128 {
  const work = workspace();
  setInverses(work);
  prepare(work);
  begin(work);
  for (let t: usize = 0; t < 15; t += 3) tryThree(work, work + (t << 4));
  const magnitude = v128.and(v128.load(work, LARGEST), magnitudeBits());
  return v128.and(v128.load(work, SCALE), f32x4.ge(magnitude, f32x4.splat(1e-15)));
}

/** Whether all scales are finite. */
@inline export function allFinite(scales: v128): bool {
  return i32x4.all_true(i32x4.lt_s(v128.and(scales, magnitudeBits()), i32x4.splat(INFINITY_BITS)));
}

/** 1 / scale, or 0 where that is 0. */
@inline export function inverseOrZero(scales: v128): v128 {
  return v128.andnot(f32x4.div(f32x4.splat(1), scales), f32x4.eq(scales, zero()));
}
