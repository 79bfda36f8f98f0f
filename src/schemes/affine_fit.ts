/**
 * Scale and bias of a group, `s·c + b`, with less squared error than one look at
 * smallest and largest value gives: from several starts, codes and numbers are
 * fitted to each other in turn until nothing changes. A strong search, no proof.
 *
 * To the bit: sums in float64 from the first value to the last; of equal errors
 * the one that was found first stays, starts being tried in a fixed order.
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
  /** The nearest bias that can be stored; finite. */
  bias(exact: number): number;
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
  return { scale, bias: store.bias((x - scale * c) / one) };
}

/**
 * Where the ends of the range are put at first: this part of it is cut off on
 * either side, or added.
 */
const CUTS: readonly number[] = Array.from(
  { length: 9 },
  (_, k) => k * 0.03 - 0.04,
);

/** How many of the starts are followed to where they lead. */
const FOLLOWED = 12;

/** How often codes and numbers are fitted to each other; more change next to nothing. */
const ROUNDS = 12;

/** How much is looked at. */
export interface AffineEffort {
  /** Where starts lie: each of these is cut off below and above. */
  readonly cuts: readonly number[];
  /** How many of the starts are followed. */
  readonly followed: number;
}

/** What `"best"` does. */
const FULL: AffineEffort = { cuts: CUTS, followed: FOLLOWED };

/** One start is as good as many to a hurried search. */
export const HURRIED: AffineEffort = { cuts: [0.04], followed: 1 };

/**
 * Finds scale and bias.
 *
 * @param group The values and their weights.
 * @param store How numbers are stored.
 * @param first Numbers to start from beside the usual ones: the fit is no worse.
 * @param effort How much is looked at.
 * @returns The best fit that was found; undefined where every scale was 0.
 */
export function fitAffineGroup(
  group: Group,
  store: AffineStore,
  first: AffineNumbers,
  effort: AffineEffort = FULL,
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
  follow({ scale: store.scale(first.scale), bias: store.bias(first.bias) });
  for (const { moments } of bestStarts(group, effort)) {
    follow(fitted(moments, store));
  }
  return best;
}

/** The codes of a start, and how much of the squared error numbers fitted to them take away. */
interface Start {
  readonly gain: number;
  readonly moments: Moments;
}

function bestStarts(group: Group, { cuts, followed }: AffineEffort): Start[] {
  const { min, max } = rangeOf(group), width = max - min;
  const starts: Start[] = [];
  for (const low of cuts) {
    for (const high of cuts) {
      const bias = min + width * low;
      const scale = (max - width * high - bias) / TOP;
      if (!(scale > 0)) continue;
      const moments = momentsAt(group, { scale, bias });
      starts.push({ gain: gainOf(moments), moments });
    }
  }
  return starts.sort((a, b) => b.gain - a.gain).slice(0, followed);
}

function gainOf({ one, c, cc, x, cx }: Moments): number {
  const together = one * cx - c * x, spread = one * cc - c * c;
  return spread > 0 ? together * together / spread : 0;
}

/** The range of the values that count. */
function rangeOf({ values, weights }: Group): { min: number; max: number } {
  let min = Infinity, max = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (weights && weights[i] === 0) continue;
    min = Math.min(min, values[i]);
    max = Math.max(max, values[i]);
  }
  return min <= max ? { min, max } : { min: 0, max: 0 };
}
