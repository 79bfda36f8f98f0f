/**
 * Searches for one scale without offset: several scales near the obvious one
 * are tried, and the one with the least weighted squared error is kept. The sums
 * run from the first value to the last in float32, as ggml's do.
 *
 * @module
 */

import { nearestInt } from "../numeric/c_casts.ts";
import { clamp } from "../numeric/rounding.ts";

const { fround, abs, min } = Math;

/** Groups with no larger magnitude count as zero: `GROUP_MAX_EPS`. */
export const NEGLIGIBLE: number = fround(1e-15);

/** How far apart the tried scales are, in steps of the code. */
const TRY_STEP = fround(0.1);

/**
 * The value of the largest magnitude, the first of them where several are equal.
 *
 * @param values The values.
 * @param at Index of the first.
 * @param length How many.
 * @returns That value with its sign; 0 when all are zero.
 */
export function signedMax(
  values: Float32Array,
  at: number,
  length: number,
): number {
  let largest = 0;
  for (let j = at; j < at + length; j++) {
    if (abs(values[j]) > abs(largest)) largest = values[j];
  }
  return largest;
}

/** Σ w·x·l and Σ w·l·l of one candidate. */
interface Moments {
  readonly xl: number;
  readonly l2: number;
}

function signedMoments(
  x: Float32Array,
  weights: Float32Array,
  at: number,
  length: number,
  levels: number,
  inverse: number,
): Moments {
  let xl = 0;
  let l2 = 0;
  for (let j = at; j < at + length; j++) {
    const l = clamp(nearestInt(fround(inverse * x[j])), -levels, levels - 1);
    xl = fround(xl + fround(fround(weights[j] * x[j]) * l));
    l2 = fround(l2 + fround(fround(weights[j] * l) * l));
  }
  return { xl, l2 };
}

/**
 * Finds a signed scale for codes −levels … levels − 1 (`make_qx_quants`).
 *
 * @param x The values.
 * @param weights Their weights, at the same indices.
 * @param at Index of the first.
 * @param length How many.
 * @param levels Half the number of codes.
 * @param codes Receives code + levels for each value, from index 0 on; all 0 for a negligible group.
 * @returns The scale, 0 for a negligible group.
 */
export function searchSigned(
  x: Float32Array,
  weights: Float32Array,
  at: number,
  length: number,
  levels: number,
  codes: Uint8Array,
): number {
  const max = signedMax(x, at, length);
  if (abs(max) < NEGLIGIBLE) {
    codes.fill(0, 0, length);
    return 0;
  }
  let inverse = fround(-levels / max);
  const start = signedMoments(x, weights, at, length, levels, inverse);
  let scale = start.l2 !== 0 ? fround(start.xl / start.l2) : 0;
  let best = fround(scale * start.xl);
  for (let i = -9; i <= 9; i++) {
    if (i === 0) continue;
    const candidate = fround(-fround(levels + fround(TRY_STEP * i)) / max);
    const { xl, l2 } = signedMoments(x, weights, at, length, levels, candidate);
    if (l2 > 0 && fround(xl * xl) > fround(best * l2)) {
      inverse = candidate;
      scale = fround(xl / l2);
      best = fround(scale * xl);
    }
  }
  for (let j = 0; j < length; j++) {
    const l = clamp(
      nearestInt(fround(inverse * x[at + j])),
      -levels,
      levels - 1,
    );
    codes[j] = l + levels;
  }
  return scale;
}

function unsignedError(
  x: Float32Array,
  weights: Float32Array,
  inverse: number,
  levels: number,
): number {
  const scale = fround(1 / inverse);
  let error = 0;
  for (let j = 0; j < x.length; j++) {
    const l = min(levels, nearestInt(fround(inverse * x[j])));
    const difference = fround(x[j] - fround(scale * l));
    error = fround(
      error + fround(fround(weights[j] * difference) * difference),
    );
  }
  return error;
}

/**
 * Finds a scale for codes 0 … levels, then improves the codes one at a time
 * (`make_qp_quants`).
 *
 * @param x The values, none negative.
 * @param weights Their weights.
 * @param levels The largest code.
 * @param codes Receives the codes.
 * @returns The scale, 0 for negligible values.
 */
export function searchUnsigned(
  x: Float32Array,
  weights: Float32Array,
  levels: number,
  codes: Uint8Array,
): number {
  let max = 0;
  for (let j = 0; j < x.length; j++) if (x[j] > max) max = x[j];
  if (max < NEGLIGIBLE) {
    codes.fill(0);
    return 0;
  }
  let inverse = fround(levels / max);
  let best = unsignedError(x, weights, inverse, levels);
  for (let i = -4; i <= 4; i++) {
    if (i === 0) continue;
    const candidate = fround(fround(fround(TRY_STEP * i) + levels) / max);
    const error = unsignedError(x, weights, candidate, levels);
    if (error < best) {
      best = error;
      inverse = candidate;
    }
  }
  let xl = 0;
  let l2 = 0;
  for (let j = 0; j < x.length; j++) {
    codes[j] = min(levels, nearestInt(fround(inverse * x[j])));
    xl = fround(xl + fround(fround(weights[j] * x[j]) * codes[j]));
    l2 = fround(l2 + fround(fround(weights[j] * codes[j]) * codes[j]));
  }
  return improveUnsigned(x, weights, levels, codes, { xl, l2 });
}

/** Moves each code to the best one for the scale that the others want, at most five times. */
function improveUnsigned(
  x: Float32Array,
  weights: Float32Array,
  levels: number,
  codes: Uint8Array,
  start: Moments,
): number {
  let { xl, l2 } = start;
  for (let pass = 0; pass < 5; pass++) {
    let changed = false;
    for (let j = 0; j < x.length; j++) {
      const wx = fround(weights[j] * x[j]);
      let othersXl = fround(xl - fround(wx * codes[j]));
      let othersL2 = fround(
        l2 - fround(fround(weights[j] * codes[j]) * codes[j]),
      );
      if (!(othersXl > 0 && othersL2 > 0)) continue;
      const l = min(
        levels,
        nearestInt(fround(fround(x[j] * othersL2) / othersXl)),
      );
      if (l === codes[j]) continue;
      othersXl = fround(othersXl + fround(wx * l));
      othersL2 = fround(othersL2 + fround(fround(weights[j] * l) * l));
      const gained = fround(fround(othersXl * othersXl) * l2);
      if (gained > fround(fround(xl * xl) * othersL2)) {
        codes[j] = l;
        xl = othersXl;
        l2 = othersL2;
        changed = true;
      }
    }
    if (!changed) break;
  }
  return l2 > 0 ? fround(xl / l2) : 0;
}
