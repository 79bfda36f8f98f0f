/**
 * Scale and bias of a group, `s·c + b`, with less squared error than one look at
 * smallest and largest value gives: from the numbers that there are, and from
 * where exploring in float32 leads, codes and stored numbers are fitted to each
 * other in turn until nothing changes. A strong search, no proof.
 *
 * To the bit: sums in float64, every other value in a sum of its own, and then both,
 * so that vectors of two add up to the same; of equal errors the one that was found
 * first stays. src/kernels/wasm/affine_fit.ts does the same.
 *
 * @module
 */
import type { Group } from "./ladder.ts";

/** Scale and bias as they are stored. */
export interface AffineNumbers {
  /** What codes are multiplied by. */
  readonly scale: number;
  /** What is added. */
  readonly bias: number;
}

/** The same, and the weighted squared error that they leave with the nearest codes. */
export interface AffineFit extends AffineNumbers {
  /** The error. */
  readonly error: number;
}

/** How scale and bias are stored. */
export interface AffineStore {
  /** The nearest scale that can be stored; finite. */
  scale(exact: number): number;
  /** The nearest bias that can be stored with a scale; finite. */
  bias(exact: number, scale: number): number;
}

/** The largest code. */
const TOP = 15;

/** The code of a value, by the inverse of the scale. */
function codeOf(x: number, inverse: number, bias: number): number {
  const steps = Math.floor((x - bias) * inverse + 0.5);
  return steps < 0 ? 0 : steps > TOP ? TOP : steps;
}

/**
 * The codes of a group.
 *
 * @param values The values.
 * @param numbers Scale and bias; the scale is not 0.
 * @param codes Receives the codes, from index `at` on.
 * @param at Index of the first.
 */
export function affineCodes(
  values: Float32Array,
  { scale, bias }: AffineNumbers,
  codes: Uint8Array,
  at: number,
): void {
  const inverse = 1 / scale;
  for (let i = 0; i < values.length; i++) {
    codes[at + i] = codeOf(values[i], inverse, bias);
  }
}

/** What the codes at some numbers come to: sums over the group, of weights times these. */
export interface Moments {
  /** Squared errors. */
  readonly error: number;
  /** 1. */
  readonly one: number;
  /** Codes. */
  readonly c: number;
  /** Squared codes. */
  readonly cc: number;
  /** Values. */
  readonly x: number;
  /** Codes times values. */
  readonly cx: number;
}

/** Rounds a group to the nearest codes. */
export function momentsAt(
  { values, weights }: Group,
  { scale, bias }: AffineNumbers,
): Moments {
  const inverse = 1 / scale;
  // The two sums of each kind take turns.
  let error = 0, one = 0, c = 0, cc = 0, x = 0, cx = 0;
  let error1 = 0, one1 = 0, c1 = 0, cc1 = 0, x1 = 0, cx1 = 0;
  for (let i = 0; i < values.length; i++) {
    const w = weights === undefined ? 1 : weights[i];
    const value = values[i], code = codeOf(value, inverse, bias), wc = w * code;
    const off = value - (scale * code + bias);
    const nextError = error + w * (off * off), nextOne = one + w;
    const nextC = c + wc, nextCc = cc + wc * code;
    const nextX = x + w * value, nextCx = cx + wc * value;
    [error, one, c, cc, x, cx] = [error1, one1, c1, cc1, x1, cx1];
    error1 = nextError;
    one1 = nextOne;
    c1 = nextC;
    cc1 = nextCc;
    x1 = nextX;
    cx1 = nextCx;
  }
  return {
    error: error + error1,
    one: one + one1,
    c: c + c1,
    cc: cc + cc1,
    x: x + x1,
    cx: cx + cx1,
  };
}

/** The numbers that suit the codes best; undefined where these are all the same. */
function fitted(
  { one, c, cc, x, cx }: Moments,
  store: AffineStore,
): AffineNumbers | undefined {
  const spread = one * cc - c * c;
  if (!(spread > 0)) return undefined;
  const scale = store.scale((one * cx - c * x) / spread);
  return { scale, bias: store.bias((x - scale * c) / one, scale) };
}

/** How often codes and numbers are fitted to each other; more change next to nothing. */
const ROUNDS = 12;

/**
 * Finds scale and bias.
 *
 * @param group The values and their weights.
 * @param store How numbers are stored.
 * @param starts Numbers to start from: the fit is no worse than any of them, stored.
 * @returns The best fit that was found; undefined where every scale was 0.
 */
export function fitAffineGroup(
  group: Group,
  store: AffineStore,
  starts: readonly (AffineNumbers | undefined)[],
): AffineFit | undefined {
  let best: AffineFit | undefined;
  const follow = (start: AffineNumbers | undefined): void => {
    let numbers = start, last = Infinity;
    for (let round = 0; round < ROUNDS && numbers?.scale; round++) {
      const found: Moments = momentsAt(group, numbers);
      if (!best || found.error < best.error) {
        best = { ...numbers, error: found.error };
      }
      if (!(found.error < last)) return;
      last = found.error;
      numbers = fitted(found, store);
    }
  };
  for (const start of starts) {
    if (!start) continue;
    const scale = store.scale(start.scale);
    follow({ scale, bias: store.bias(start.bias, scale) });
  }
  return best;
}
