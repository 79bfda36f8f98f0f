/**
 * Scale and bias of a group, `s·c + b`, with less squared error than one look at
 * smallest and largest value gives: from the numbers that there are, and from
 * where exploring in float32 leads, codes and stored numbers are fitted to each
 * other in turn until nothing changes. A strong search, no proof.
 *
 * To the bit: sums in float64 from the first value to the last; of equal errors
 * the one that was found first stays.
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

/** The code of a value. */
function codeOf(x: number, { scale, bias }: AffineNumbers): number {
  const steps = Math.floor((x - bias) / scale + 0.5);
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
  numbers: AffineNumbers,
  codes: Uint8Array,
  at: number,
): void {
  for (let i = 0; i < values.length; i++) {
    codes[at + i] = codeOf(values[i], numbers);
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
  numbers: AffineNumbers,
): Moments {
  let error = 0, one = 0, c = 0, cc = 0, x = 0, cx = 0;
  for (let i = 0; i < values.length; i++) {
    const w = weights === undefined ? 1 : weights[i];
    const value = values[i], code = codeOf(value, numbers), wc = w * code;
    const off = value - (numbers.scale * code + numbers.bias);
    error += w * (off * off);
    one += w;
    c += wc;
    cc += wc * code;
    x += w * value;
    cx += wc * value;
  }
  return { error, one, c, cc, x, cx };
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
