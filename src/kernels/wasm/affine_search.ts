// Search for a scale and an offset for eight groups of 32 at once, each as
// src/schemes/ggml_affine_search.ts does it for one. The sums of a group have to be
// added one value after the other; so a vector holds value j of four groups, and
// there are two such quads, one being judged while the other is tried: what the
// one waits for its additions, the other works.

import { isFive } from "./code_bits";
import { magnitudeBits, pin, roundMagic, zero } from "./common";
import { transpose, weighTransposed } from "./groups";

// A quad: value j (weight, code) of its four groups side by side, then what is
// known of each group, a lane each.
const VALUES: usize = 0;
const WEIGHTS: usize = 512;
const LEVELS: usize = 1024; //      codes of the candidate as floats
const LOW: usize = 1536; //         smallest value
const HIGH: usize = 1552; //        largest value
const FLAT: usize = 1568; //        where all values are equal, and none positive
const SUM_W: usize = 1584; //       sum of the weights
const SUM_WX: usize = 1600; //      and of weight times value
const SCALE: usize = 1616; //       of the best candidate so far
const MIN: usize = 1632; //         likewise
const BEST: usize = 1648; //        its error
const INVERSE: usize = 1664; //     its codes are RNE((x - ORIGIN) * INVERSE), clamped
const ORIGIN: usize = 1680;
const TRIED: usize = 1696; //       INVERSE of the candidate at hand
const TRIED_SCALE: usize = 1712; // its least-squares line
const TRIED_MIN: usize = 1728;
const TRIED_VALID: usize = 1744; // where it may win
const SANE: usize = 1760; //        where rounding by magic has done what the reference does
const SUM_WXX: usize = 1776; //     sum of weight times square
const MODEST: usize = 1792; //      where hopeless() may be asked
const QUAD_BYTES: usize = 1808;

/** Two quads: groups 0 ... 3 and 4 ... 7. */
const QUADS: usize = memory.data(1808 * 2, 16);
@inline export function quadOf(half: usize): usize { return QUADS + half * QUAD_BYTES; }

// What comes out of the search, a lane for each group.
@inline export function scaleOf(q: usize): v128 { return v128.load(q, SCALE); }
@inline export function minOf(q: usize): v128 { return v128.load(q, MIN); }
@inline export function inverseOf(q: usize): v128 { return v128.load(q, INVERSE); }
@inline export function originOf(q: usize): v128 { return v128.load(q, ORIGIN); }
@inline export function lowOf(q: usize): v128 { return v128.load(q, LOW); }
@inline export function highOf(q: usize): v128 { return v128.load(q, HIGH); }
@inline export function weightSumOf(q: usize): v128 { return v128.load(q, SUM_W); }
@inline export function saneOf(q: usize): v128 { return v128.load(q, SANE); }

@inline function below(x: v128, limit: f32): v128 {
  return f32x4.lt(v128.and(x, magnitudeBits()), f32x4.splat(limit));
}

@inline export function finite(x: v128): v128 { return below(x, Infinity); }

// nearestInt adds 1.5 * 2^23, which is good for magnitudes below 2^22. Beyond, the
// reference has nonsense that is left to the reference.
@inline export function roundable(v: v128): v128 { return below(v, 4194304); }

// The largest code.
@inline function levels(): f32 { return isFive() ? 31 : 15; }

// 1.5 * 2^23 + the largest code, in a register: codes are clamped while the magic is on them.
@inline export function mostMagic(): v128 { return pin(isFive() ? 12582943 : 12582927); }

// ---- before the search ----

// Loads the values of a quad; returns the sum of squares of each group, which
// is infinite or NaN where a value is.
export function loadValues(q: usize, i: usize, j: usize, k: usize, l: usize): v128 {
  transpose(i, j, k, l, q + VALUES);
  let low = v128.load(q, VALUES), high = low, squares = zero();
  for (let at = q, end = q + 512; at < end; at += 16) {
    const x = v128.load(at, VALUES);
    low = f32x4.pmin(low, x);
    high = f32x4.pmax(high, x);
    squares = f32x4.add(squares, f32x4.mul(x, x));
  }
  const min = f32x4.pmin(low, zero()), flat = f32x4.le(high, min);
  v128.store(q, low, LOW);
  // Any range will do for equal values: they are all at its start.
  v128.store(q, v128.bitselect(f32x4.splat(1), high, flat), HIGH);
  v128.store(q, flat, FLAT);
  v128.store(q, min, MIN);
  return squares;
}

function sumWeights(q: usize): void {
  let sum = v128.load(q, WEIGHTS), sumX = f32x4.mul(sum, v128.load(q, VALUES));
  let sumXX = f32x4.mul(sumX, v128.load(q, VALUES));
  for (let at = q + 16, end = q + 512; at < end; at += 16) {
    const w = v128.load(at, WEIGHTS), x = v128.load(at, VALUES), wx = f32x4.mul(w, x);
    sum = f32x4.add(sum, w);
    sumX = f32x4.add(sumX, wx);
    sumXX = f32x4.add(sumXX, f32x4.mul(wx, x));
  }
  const modest = v128.and(f32x4.lt(sum, f32x4.splat(1e18)), v128.and(below(v128.load(q, LOW), 1e6), below(v128.load(q, HIGH), 1e6)));
  v128.store(q, sumXX, SUM_WXX);
  v128.store(q, modest, MODEST);
  v128.store(q, sum, SUM_W);
  v128.store(q, sumX, SUM_WX);
}

// Weights without importance: root mean square plus magnitude.
export function weighByMagnitude(q: usize, squares: v128): void {
  const average = f32x4.sqrt(f32x4.div(squares, f32x4.splat(32))), k = magnitudeBits();
  for (let at = q, end = q + 512; at < end; at += 16) {
    v128.store(at, f32x4.add(average, v128.and(v128.load(at, VALUES), k)), WEIGHTS);
  }
  sumWeights(q);
}

// Weights with importance: times the root of sigma2 + x^2.
export function weighByImportance(q: usize, i: usize, j: usize, k: usize, l: usize, sigma2: v128): void {
  transpose(i, j, k, l, q + WEIGHTS);
  weighTransposed(q + VALUES, q + WEIGHTS, sigma2);
  sumWeights(q);
}

// ---- the search ----

@inline function replace(q: usize, field: usize, by: v128, where: v128): void {
  v128.store(q + field, v128.bitselect(by, v128.load(q + field), where));
}

// Keeps the candidate of a quad in the lanes where its error is the least so far.
function keep(q: usize, error: v128): void {
  const wins = v128.and(v128.load(q, TRIED_VALID), f32x4.lt(error, v128.load(q, BEST)));
  replace(q, ORIGIN, v128.load(q, MIN), wins);
  replace(q, INVERSE, v128.load(q, TRIED), wins);
  replace(q, BEST, error, wins);
  replace(q, SCALE, v128.load(q, TRIED_SCALE), wins);
  replace(q, MIN, v128.load(q, TRIED_MIN), wins);
}

// Where the error of a line is larger than the best one for sure, so that it need
// not be computed: three times out of four in a group, two out of five in a quad.
// The sums tell the error too, as the square multiplied out, but not to the last bit:
//     error = s (s l2 + 2 m l - 2 xl) + m (m w - 2 wx) + wxx
// Let u = 2^-24, and t the sum of its three squares: then each of the six sums of
// 32 terms, and what is made of it, is off by at most 42 u of the sum of
// w (|s l| + |m| + |x|)^2, which is at most 3 t. The error as the reference rounds
// it can be less than the true one by 0.1 % and another 20 u t. In all that is less
// than 150 u t = 9e-6 t. The limits keep what underflows far below 0.1 %.
@inline function hopeless(q: usize, s: v128, m: v128, l: v128, l2: v128, xl: v128): v128 {
  const sl2 = f32x4.mul(s, l2), mw = f32x4.mul(m, v128.load(q, SUM_W));
  const wx = v128.load(q, SUM_WX), wxx = v128.load(q, SUM_WXX), best = v128.load(q, BEST);
  const ml = f32x4.sub(f32x4.mul(m, l), xl);
  const slope = f32x4.mul(s, f32x4.add(sl2, f32x4.add(ml, ml)));
  const shift = f32x4.mul(m, f32x4.sub(mw, f32x4.add(wx, wx)));
  const error = f32x4.add(f32x4.add(slope, shift), wxx);
  const t = f32x4.add(f32x4.add(f32x4.mul(s, sl2), f32x4.mul(m, mw)), wxx);
  const bound = f32x4.add(f32x4.mul(best, f32x4.splat(1.002)), f32x4.mul(t, f32x4.splat(1.2e-5)));
  const modest = v128.and(v128.load(q, MODEST), v128.and(below(s, 1e6), below(m, 1e6)));
  return v128.and(v128.and(f32x4.gt(error, bound), f32x4.gt(best, f32x4.splat(1e-20))), modest);
}

// The weighted least-squares line through the codes of a candidate.
function solve(q: usize, l: v128, l2: v128, xl: v128): void {
  const sumW = v128.load(q, SUM_W), sumX = v128.load(q, SUM_WX);
  const determinant = f32x4.sub(f32x4.mul(sumW, l2), f32x4.mul(l, l));
  const min = f32x4.div(f32x4.sub(f32x4.mul(l2, sumX), f32x4.mul(l, xl)), determinant);
  const scale = f32x4.div(f32x4.sub(f32x4.mul(sumW, xl), f32x4.mul(sumX, l)), determinant);
  const positive = f32x4.gt(min, zero());
  const m = v128.andnot(min, positive), s = v128.bitselect(f32x4.div(xl, l2), scale, positive);
  v128.store(q, m, TRIED_MIN);
  v128.store(q, s, TRIED_SCALE);
  v128.store(q, v128.andnot(f32x4.gt(determinant, zero()), hopeless(q, s, m, l, l2, xl)), TRIED_VALID);
}

@inline function pass(a: usize, b: usize, inverse: v128, min: v128, clamped: bool, judged: bool): void {
  const scale = v128.load(a, TRIED_SCALE), offset = v128.load(a, TRIED_MIN);
  const magic = roundMagic(), most = mostMagic();
  let l = zero(), l2 = l, xl = l, error = l;
  for (let p = a, q = b, end = b + 512; q < end; q += 16) {
    const x = v128.load(q, VALUES);
    let level = f32x4.add(f32x4.mul(f32x4.sub(x, min), inverse), magic);
    if (clamped) level = f32x4.pmin(f32x4.pmax(level, magic), most);
    level = f32x4.sub(level, magic);
    v128.store(q, level, LEVELS);
    const wl = f32x4.mul(v128.load(q, WEIGHTS), level);
    l = f32x4.add(l, wl);
    l2 = f32x4.add(l2, f32x4.mul(wl, level));
    xl = f32x4.add(xl, f32x4.mul(wl, x));
    if (judged) {
      const difference = f32x4.sub(f32x4.add(f32x4.mul(scale, v128.load(p, LEVELS)), offset), v128.load(p, VALUES));
      error = f32x4.add(error, f32x4.mul(v128.load(p, WEIGHTS), f32x4.mul(difference, difference)));
      p += 16;
    }
  }
  if (judged) keep(a, error);
  solve(b, l, l2, xl);
}

@inline function within(v: v128): v128 {
  return v128.and(f32x4.ge(v, f32x4.splat(-0.5)), f32x4.lt(v, f32x4.splat(levels() + 0.5)));
}

// Judges the candidate of quad a, if it may win, and makes the one of quad b. Rounding is
// monotonous, so the largest and the smallest value tell whether all can be
// rounded, and whether clamping would change any: most often it would not.
function alternate(a: usize, b: usize, steps: f32): void {
  const min = v128.load(b, MIN), inverse = f32x4.div(f32x4.splat(steps), f32x4.sub(v128.load(b, HIGH), min));
  const low = f32x4.mul(f32x4.sub(v128.load(b, LOW), min), inverse);
  const high = f32x4.mul(f32x4.sub(v128.load(b, HIGH), min), inverse);
  v128.store(b, inverse, TRIED);
  v128.store(b, v128.and(v128.load(b, SANE), v128.and(roundable(low), roundable(high))), SANE);
  const plain = i32x4.all_true(v128.and(within(low), within(high)));
  if (!v128.any_true(v128.load(a, TRIED_VALID))) pass(a, b, inverse, min, true, false);
  else if (plain) pass(a, b, inverse, min, false, true);
  else pass(a, b, inverse, min, true, true);
}

@inline function begin(q: usize): void {
  v128.store(q, i32x4.splat(-1), SANE);
  v128.store(q, f32x4.splat(Infinity), BEST);
  v128.store(q, zero(), TRIED_VALID);
}

// The first candidate is the whole range in as many steps as there are, as it is.
@inline function takeRange(q: usize): void {
  v128.store(q, f32x4.div(f32x4.splat(1), v128.load(q, TRIED)), TRIED_SCALE);
  v128.store(q, v128.load(q, MIN), TRIED_MIN);
  v128.store(q, i32x4.splat(-1), TRIED_VALID);
}

// An error beyond all floats, as of huge values, is left to the reference.
@inline function finish(q: usize): void {
  v128.store(q, v128.and(v128.load(q, SANE), finite(v128.load(q, BEST))), SANE);
  v128.store(q, v128.andnot(v128.load(q, SCALE), v128.load(q, FLAT)), SCALE);
}

// Tries (first + step * i + levels) / range for i = 0 ... steps on quads that are
// loaded and weighed.
export function search(first: f32, step: f32, steps: i32): void {
  const a = quadOf(0), b = quadOf(1);
  begin(a);
  begin(b);
  alternate(b, a, levels());
  takeRange(a);
  alternate(a, b, levels());
  takeRange(b);
  for (let i = 0; i <= steps; i++) {
    const width = first + step * <f32>i + levels();
    alternate(b, a, width);
    alternate(a, b, width);
  }
  if (v128.any_true(v128.load(b, TRIED_VALID))) alternate(b, a, levels()); // only to judge b
  finish(a);
  finish(b);
}
