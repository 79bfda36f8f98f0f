/**
 * What IQ4_NL and IQ4_XS share: the search for the scale of 32 values on the
 * non-linear grid, and their codes.
 *
 * @module
 */

import { IQ4_VALUES, nearestIq4 } from "../numeric/codebooks.ts";
import { NEGLIGIBLE, signedMax } from "./ggml_scale_search.ts";

const { abs, fround } = Math;

/** Values that share a scale. */
export const IQ4_GROUP = 32;

/** Scales are tried from 7 grid steps below the obvious one to 7 above. */
const TRIES = 7;

/** Σ w·q·x and Σ w·q·q of one candidate, q being grid values. */
interface Moments {
  readonly qx: number;
  readonly q2: number;
}

function moments(
  x: Float32Array,
  at: number,
  weights: Float32Array,
  inverse: number,
): Moments {
  let qx = 0;
  let q2 = 0;
  for (let j = 0; j < IQ4_GROUP; j++) {
    const q = IQ4_VALUES[nearestIq4(fround(inverse * x[at + j]))];
    const wq = fround(weights[j] * q);
    qx = fround(qx + fround(wq * x[at + j]));
    q2 = fround(q2 + fround(wq * q));
  }
  return { qx, q2 };
}

/** Weights without importance: the squares. */
export function squares(
  x: Float32Array,
  at: number,
  weights: Float32Array,
): void {
  for (let j = 0; j < IQ4_GROUP; j++) weights[j] = x[at + j] * x[at + j];
}

/**
 * Finds the signed scale of 32 values.
 *
 * @param x The values.
 * @param at Index of the first.
 * @param weights Their weights, from index 0 on.
 * @returns The scale; 0 for a negligible group.
 */
export function searchIq4Scale(
  x: Float32Array,
  at: number,
  weights: Float32Array,
): number {
  const max = signedMax(x, at, IQ4_GROUP);
  if (abs(max) < NEGLIGIBLE) return 0;
  const first = fround(-max / IQ4_VALUES[0]);
  const start = moments(x, at, weights, fround(1 / first));
  let scale = start.q2 > 0 ? fround(start.qx / start.q2) : 0;
  let best = fround(scale * start.qx);
  for (let i = -TRIES; i <= TRIES; i++) {
    const { qx, q2 } = moments(
      x,
      at,
      weights,
      fround((i + IQ4_VALUES[0]) / max),
    );
    if (q2 > 0 && fround(qx * qx) > fround(best * q2)) {
      scale = fround(qx / q2);
      best = fround(scale * qx);
    }
  }
  return scale;
}

/** The codes of 32 values for a scale, at the same indices. */
export function encodeIq4(
  x: Float32Array,
  at: number,
  scale: number,
  codes: Uint8Array,
): void {
  const inverse = scale === 0 ? 0 : fround(1 / scale);
  for (let j = at; j < at + IQ4_GROUP; j++) {
    codes[j] = nearestIq4(fround(inverse * x[j]));
  }
}

/** 32 values of codes, at the same indices. */
export function decodeIq4(
  codes: Uint8Array,
  at: number,
  scale: number,
  out: Float32Array,
): void {
  for (let j = at; j < at + IQ4_GROUP; j++) {
    out[j] = scale * IQ4_VALUES[codes[j]];
  }
}
