/**
 * Search for a scale and an offset of at most zero: for several step widths the
 * codes are rounded, the weighted least-squares line through them is solved, and
 * the line with the least error wins. The sums run from the first value to the
 * last in float32, as ggml's do (`make_qkx2_quants`, `make_qkx3_quants`).
 *
 * @module
 */

import { nearestInt } from "../numeric/c_casts.ts";
import { clamp } from "../numeric/rounding.ts";

const { fround } = Math;

/** Which step widths are tried: (first + step · i + levels) / range for i = 0 … steps. */
export interface AffineSearch {
  /** The largest code. */
  readonly levels: number;
  /** The first try, in codes more than `levels`. */
  readonly first: number;
  /** From one try to the next, in codes. */
  readonly step: number;
  /** How many tries after the first. */
  readonly steps: number;
}

/** value ≈ code · scale − offset. */
export interface AffineFit {
  /** The scale. */
  readonly scale: number;
  /** What to subtract; never negative. */
  readonly offset: number;
}

/** Σ w·l, Σ w·l·l and Σ w·l·x of one candidate. */
interface Sums {
  readonly l: number;
  readonly l2: number;
  readonly xl: number;
}

const LONGEST = 32;
const candidate = new Uint8Array(LONGEST);
const x = new Float32Array(LONGEST);
const w = new Float32Array(LONGEST);

/** Rounds into `candidate`. */
function round(n: number, inverse: number, min: number, levels: number): void {
  for (let j = 0; j < n; j++) {
    candidate[j] = clamp(
      nearestInt(fround(inverse * fround(x[j] - min))),
      0,
      levels,
    );
  }
}

function sums(n: number): Sums {
  let l = 0;
  let l2 = 0;
  let xl = 0;
  for (let j = 0; j < n; j++) {
    const wl = fround(w[j] * candidate[j]);
    l = fround(l + wl);
    l2 = fround(l2 + fround(wl * candidate[j]));
    xl = fround(xl + fround(wl * x[j]));
  }
  return { l, l2, xl };
}

function squaredError(n: number, scale: number, min: number): number {
  let error = 0;
  for (let j = 0; j < n; j++) {
    const difference = fround(
      fround(fround(scale * candidate[j]) + min) - x[j],
    );
    error = fround(error + fround(w[j] * fround(difference * difference)));
  }
  return error;
}

/** The weighted least-squares line through the candidate's codes, or undefined where there is none. */
function solve(
  { l, l2, xl }: Sums,
  sumW: number,
  sumX: number,
): { readonly scale: number; readonly min: number } | undefined {
  const determinant = fround(fround(sumW * l2) - fround(l * l));
  if (!(determinant > 0)) return undefined;
  const min = fround(fround(fround(l2 * sumX) - fround(l * xl)) / determinant);
  if (min > 0) return { scale: fround(xl / l2), min: 0 };
  return {
    scale: fround(fround(fround(sumW * xl) - fround(sumX * l)) / determinant),
    min,
  };
}

/**
 * Finds scale, offset and codes for up to 32 values.
 *
 * @param search Which step widths to try.
 * @param values The values.
 * @param at Index of the first.
 * @param n How many.
 * @param weights Their weights.
 * @param weightsAt Index of the first weight.
 * @param codes Receives the codes.
 * @param codesAt Index of the first code.
 * @returns Scale and offset; scale 0 and codes 0 where the values are all equal.
 */
export function searchAffine(
  search: AffineSearch,
  values: Float32Array,
  at: number,
  n: number,
  weights: Float32Array,
  weightsAt: number,
  codes: Uint8Array,
  codesAt: number,
): AffineFit {
  x.set(values.subarray(at, at + n));
  w.set(weights.subarray(weightsAt, weightsAt + n));
  let min = x[0];
  let max = x[0];
  let sumW = w[0];
  let sumX = fround(w[0] * x[0]);
  for (let j = 1; j < n; j++) {
    if (x[j] < min) min = x[j];
    if (x[j] > max) max = x[j];
    sumW = fround(sumW + w[j]);
    sumX = fround(sumX + fround(w[j] * x[j]));
  }
  if (min > 0) min = 0;
  if (max <= min) {
    codes.fill(0, codesAt, codesAt + n);
    return { scale: 0, offset: -min };
  }
  const { levels } = search;
  const inverse = fround(levels / fround(max - min));
  let scale = fround(1 / inverse);
  round(n, inverse, min, levels);
  codes.set(candidate.subarray(0, n), codesAt);
  let best = squaredError(n, scale, min);
  for (let i = 0; i <= search.steps; i++) {
    const steps = fround(
      fround(search.first + fround(search.step * i)) + levels,
    );
    // The minimum is the winner's so far, not the group's: so the reference does.
    round(n, fround(steps / fround(max - min)), min, levels);
    const line = solve(sums(n), sumW, sumX);
    if (line === undefined) continue;
    const error = squaredError(n, line.scale, line.min);
    if (!(error < best)) continue;
    codes.set(candidate.subarray(0, n), codesAt);
    best = error;
    scale = line.scale;
    min = line.min;
  }
  return { scale, offset: -min };
}
