/**
 * Where scale and bias of a group are to be looked for: many places to start at,
 * and from the best of them codes and numbers fitted to each other in turn until
 * nothing gets better. In small whole numbers, so that a vector holds eight values
 * and sums are exact in any order: what is found is a place to look at, not yet a
 * result.
 *
 * src/kernels/wasm/affine_explore.ts does the same to the bit.
 *
 * @module
 */
import type { ScaleSearch } from "../words/search.ts";
import type { AffineNumbers } from "./affine_fit.ts";
import type { Group } from "./ladder.ts";

const { floor, max, min } = Math;

/** How much is looked at. */
export interface AffineEffort {
  /** Where to start: factor and shift of each, as in {@linkcode Place}. */
  readonly starts: Int16Array;
  /** Starts take turns in so many lanes; the best of each is followed. */
  readonly lanes: number;
  /** How often codes and numbers are fitted to each other at most. */
  readonly rounds: number;
}

/** Most values that a group may have, for sums to stay below 2^31. */
export const MOST_VALUES = 128;

/** The largest code; codes and values less the middle add up to less. */
const TOP = 15, MIDDLE = 8;

/** What a value is in steps times this, a factor, a shift, and the largest weight. */
const STEP = 256, FACTOR = 8192, SHIFT = 512, WEIGHT = 1023;

/** What a search looks at. */
export function effortOf(search: ScaleSearch): AffineEffort {
  return search === "fast" ? HURRIED : STRONG;
}

/** Makes an effort of starts: each cuts parts of the range off below and above, all pairs of these. */
function effortBy(
  cuts: readonly number[],
  lanes: number,
  rounds: number,
): AffineEffort {
  const starts = cuts.flatMap((below) =>
    cuts.flatMap((above) => {
      const factor = 1 / (1 - below - above);
      return placed(factor, (MIDDLE - TOP * below) * factor - MIDDLE);
    })
  );
  return { starts: Int16Array.from(starts), lanes, rounds };
}

/** Factor and shift in whole numbers; half a code is added to the shift, to round to the nearest. */
function placed(factor: number, shift: number): [number, number] {
  return [
    min(max(floor(factor * FACTOR + 0.5), 1), 32767),
    min(max(floor((shift + 0.5) * SHIFT + 0.5), -16384), 16383),
  ];
}

/** What is cut off on either side; a part added to the range is negative. */
const CUTS = [-0.04, -0.01, 0.02, 0.05, 0.08, 0.11, 0.14, 0.17, 0.2];

/** What `"best"` looks at. */
const STRONG: AffineEffort = /* @__PURE__ */ effortBy(CUTS, 25, 12);

/** What `"fast"` looks at. */
const HURRIED: AffineEffort = /* @__PURE__ */ effortBy([0.04], 1, 3);

/** The values that count. */
interface Range {
  /** The smallest. */
  readonly low: number;
  /** What a step is: the largest is this much times {@linkcode TOP} above the smallest. */
  readonly width: number;
  /** The largest weight. */
  readonly most: number;
}

/** Undefined where they are all the same. */
function rangeOf({ values, weights }: Group): Range | undefined {
  let low = Infinity, high = -Infinity, most = 0;
  for (let i = 0; i < values.length; i++) {
    if (weights) {
      if (weights[i] === 0) continue;
      if (weights[i] > most) most = weights[i];
    }
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return high > low ? { low, width: (high - low) / TOP, most } : undefined;
}

/** A group in whole numbers. */
interface Steps {
  /** From −8 for the smallest to 7 for the largest, times {@linkcode STEP}. */
  readonly values: Int16Array;
  /** Over the largest weight, times {@linkcode WEIGHT}; absent where all count the same. */
  readonly weights?: Int16Array;
  /** Sum of the weights. */
  readonly one: number;
  /** Sum of the values by their weights. */
  readonly sum: number;
}

function stepsOf({ values, weights }: Group, range: Range): Steps {
  const { low, width, most } = range, count = values.length;
  const inverse = STEP / width, ofMost = WEIGHT / most;
  const steps = new Int16Array(count);
  const parts = weights && new Int16Array(count);
  let one = 0, sum = 0;
  for (let i = 0; i < count; i++) {
    // What does not count may lie beyond.
    const step = floor((values[i] - low) * inverse + 0.5);
    const x = (step > 0 ? min(step, TOP * STEP) : 0) - MIDDLE * STEP;
    const part = weights ? floor(weights[i] * ofMost + 0.5) : 1;
    steps[i] = x;
    if (parts) parts[i] = part;
    one += part;
    sum += part * x;
  }
  return { values: steps, weights: parts, one, sum };
}

/** Numbers that suit some codes best. */
interface Place {
  /** By how much they make the squared error less. */
  readonly gain: number;
  /** What values are multiplied by for codes. */
  readonly factor: number;
  /** What is added. */
  readonly shift: number;
}

const NOWHERE: Place = { gain: 0, factor: 0, shift: 0 };

/** The numbers that suit the codes best that a factor and a shift make. */
function placeAt(
  { values, weights, one, sum }: Steps,
  factor: number,
  shift: number,
): Place {
  let c = 0, cc = 0, cx = 0;
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    let code = (((x << 3) * factor + 16384 >> 15) + shift) >> 9;
    code = code < -8 ? -8 : code > 7 ? 7 : code;
    const part = weights === undefined ? code : weights[i] * code;
    c = (c + part) | 0;
    cc = (cc + part * code) | 0;
    cx = (cx + part * x) | 0;
  }
  const together = one * cx - c * sum, spread = one * cc - c * c;
  if (!(together > 0 && spread > 0)) return NOWHERE;
  const scale = together / spread, middle = (sum - scale * c) / one;
  const [nextFactor, nextShift] = placed(STEP / scale, -middle / scale);
  return { gain: together * scale, factor: nextFactor, shift: nextShift };
}

/** The best start of every lane. */
function bestStarts(steps: Steps, { starts, lanes }: AffineEffort): Place[] {
  const best: Place[] = Array(lanes).fill(NOWHERE);
  for (let k = 0; 2 * k < starts.length; k++) {
    const place = placeAt(steps, starts[2 * k], starts[2 * k + 1]);
    if (place.gain > best[k % lanes].gain) best[k % lanes] = place;
  }
  return best;
}

/**
 * Finds the place of a group's numbers.
 *
 * @param group The values and their weights; {@linkcode MOST_VALUES} at most.
 * @param effort How much is looked at.
 * @returns The place, with a gain of 0 where all values that count are the same.
 */
function bestPlace(group: Group, effort: AffineEffort): Place {
  const range = rangeOf(group);
  if (!range) return NOWHERE;
  const steps = stepsOf(group, range);
  let best = NOWHERE;
  for (const start of bestStarts(steps, effort)) {
    let place = start;
    for (let round = 0; round < effort.rounds; round++) {
      const next = placeAt(steps, place.factor, place.shift);
      if (!(next.gain > place.gain)) break;
      place = next;
    }
    if (place.gain > best.gain) best = place;
  }
  return best;
}

/**
 * The numbers of a place, as they are before they are stored.
 *
 * @param group The values and their weights.
 * @param factor What was found: the factor, 0 where there is none.
 * @param shift And the shift.
 */
function numbersAt(
  group: Group,
  factor: number,
  shift: number,
): AffineNumbers | undefined {
  const range = factor === 0 ? undefined : rangeOf(group);
  if (!range) return undefined;
  const { low, width } = range, scale = width * FACTOR / factor;
  const middle = shift / SHIFT - 0.5 + MIDDLE;
  return { scale, bias: low + MIDDLE * width - middle * scale };
}

/**
 * Finds the numbers of a group, as they are before they are stored.
 *
 * @param group The values and their weights; {@linkcode MOST_VALUES} at most.
 * @param search How much is looked at.
 * @returns Undefined where all values that count are the same.
 */
export function exploreAffine(
  group: Group,
  search: ScaleSearch,
): AffineNumbers | undefined {
  const { factor, shift } = bestPlace(group, effortOf(search));
  return numbersAt(group, factor, shift);
}
