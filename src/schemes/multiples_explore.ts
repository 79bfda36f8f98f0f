/**
 * Where the number of a block and the multiples of its groups are to be looked for:
 * in small whole numbers, so that a vector holds eight values and sums are exact in
 * any order. What is found is a place to look at, not yet a result.
 *
 * src/kernels/wasm/multiples_explore.ts does the same to the bit.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { clamp } from "../numeric/rounding.ts";
import type { ScaleSearch } from "../words/search.ts";
import type { Group, Ladders } from "./ladder.ts";

const { abs, floor, max, min, sign } = Math;

/** The nearest float16. */
export const toF16: (x: number) => number = roundTo("F16");

/** What the largest magnitude is in steps, and the largest weight. */
const STEPS = 16384, WEIGHT = 1023;

/** Values in steps over a scale are taken in this part of a level. */
const PART = 64;

/** A factor that values are multiplied by, over this, and the largest. */
const FACTOR = 32768, MOST_FACTOR = 32767;

/** Levels by value in half levels, from −{@linkcode HALVES} on: no value is further off. */
export type LevelTable = Int8Array;

/** Where 0 is in a table. */
const HALVES = 512;

/**
 * Makes a table of whole levels, thresholds between which are whole halves.
 *
 * @param ladders The grid.
 */
export function levelTable({ up, down }: Ladders): LevelTable {
  return Int8Array.from({ length: 2 * HALVES }, (_, i) => {
    const x = (i - HALVES) / 2, { levels, thresholds } = x < 0 ? down : up;
    // A value at a negative threshold goes up.
    const passed = x < 0
      ? thresholds.filter((t) => -x > t)
      : thresholds.filter((t) => x >= t);
    return levels[passed.length];
  });
}

/** A group in whole numbers. */
interface Steps {
  /** Values over the largest that counts, times {@linkcode STEPS}. */
  readonly values: Int16Array;
  /** The same times weights over the largest one. */
  readonly products: Int16Array;
  /** Weights over the largest one, times {@linkcode WEIGHT}; absent where all count the same. */
  readonly weights?: Int16Array;
  /** The factor of a scale of 1. */
  readonly factor: number;
  /** What P and Q have to be multiplied by. */
  readonly units: readonly [p: number, q: number];
}

/** Undefined where nothing counts. */
function stepsOf({ values, weights }: Group): Steps | undefined {
  let top = 0, most = 0;
  for (let i = 0; i < values.length; i++) {
    if (weights) {
      if (weights[i] === 0) continue;
      most = max(most, weights[i]);
    }
    top = max(top, abs(values[i]));
  }
  if (top === 0) return undefined;
  const steps = STEPS / top, factor = PART * FACTOR / STEPS * top;
  const inSteps = (x: number) =>
    max(-STEPS, min(STEPS, floor(x * steps + 0.5)));
  const whole = Int16Array.from(values, inSteps);
  if (!weights) {
    return { values: whole, products: whole, factor, units: [1 / steps, 1] };
  }
  const ofMost = WEIGHT / most;
  return {
    values: whole,
    products: Int16Array.from(
      values,
      (x, i) => floor(inSteps(x) * (weights[i] / most) + 0.5),
    ),
    weights: Int16Array.from(weights, (w) => floor(w * ofMost + 0.5)),
    factor,
    units: [most / steps, 1 / ofMost],
  };
}

/** Sums of a group at a scale: of levels times values and of their squares, by the weights. */
interface Sums {
  readonly p: number;
  readonly q: number;
}

/** The factor of a scale. */
function factorOf({ factor }: Steps, scale: number): number {
  return sign(scale) * min(MOST_FACTOR, floor(factor / abs(scale) + 0.5));
}

/** What the codes that a factor makes come to. */
function sumsAt(
  { values, products, weights, units }: Steps,
  table: LevelTable,
  factor: number,
): Sums {
  let p = 0, q = 0;
  for (let i = 0; i < values.length; i++) {
    const level = table[((values[i] * factor + 16384) >> 20) + HALVES];
    p = (p + products[i] * level) | 0;
    const square = level * level;
    q = (q + (weights === undefined ? square : weights[i] * square)) | 0;
  }
  return { p: p * units[0], q: q * units[1] };
}

/** A group and what suits it best by itself. */
interface Own {
  /** The group; absent where nothing in it counts. */
  readonly steps?: Steps;
  /** Its scale, which may be negative. */
  readonly scale: number;
  /** By how much it makes the squared error less; with multiples it is hardly ever more. */
  readonly score: number;
}

/** How much is looked at. */
export interface MultiplesEffort {
  /** Factors at which the search of a group starts, of either sign in turn. */
  readonly starts: Int16Array;
  /** Starts take turns in so many lanes; the best of each is followed. */
  readonly lanes: number;
  /** How often codes and scale are fitted to each other at most. */
  readonly rounds: number;
  /** What the largest multiples are taken to be: parts of the smallest and of the largest there are. */
  readonly fullness: readonly number[];
  /** How often units are fitted to codes and multiples at most. */
  readonly unitRounds: number;
}

/** Factors that put the largest magnitude of a group on some levels, or beyond the last one. */
function startsAt(levels: readonly number[]): Int16Array {
  const factors = levels.map((level) => level * PART * FACTOR / STEPS);
  return Int16Array.from(factors.flatMap((factor) => [factor, -factor]));
}

/** Levels between which the best scale of a group puts its largest magnitude, mostly. */
const START_LEVELS = [84, 92, 100, 107, 114, 121, 128, 136, 145, 155, 167, 180];

/** What the largest multiple is taken to be, over the one there is: likely ones first, which spare others most of their work. */
const FULLNESS = [
  ...[1, 0.98, 1.02, 0.96, 1.04, 0.94, 1.06, 0.92, 1.08, 0.9, 1.1],
  ...[0.88, 0.86, 0.84, 0.82, 0.8, 0.78],
];

/** What `"best"` looks at. */
const STRONG: MultiplesEffort = {
  starts: startsAt(START_LEVELS),
  lanes: 4,
  rounds: 4,
  fullness: FULLNESS.flatMap((full) => [-full, full]),
  unitRounds: 4,
};

/** What `"fast"` looks at. */
const HURRIED: MultiplesEffort = {
  starts: startsAt([100, 107, 114, 121, 128, 136, 145, 160]),
  lanes: 2,
  rounds: 3,
  fullness: [-1, -0.9],
  unitRounds: 3,
};

/** What a search looks at. */
export function multiplesEffort(search: ScaleSearch): MultiplesEffort {
  return search === "fast" ? HURRIED : STRONG;
}

const NOWHERE: Own = { scale: 0, score: 0 };

/** The scale that suits the codes best that a factor makes. */
function placeAt(steps: Steps, table: LevelTable, factor: number): Own {
  const { p, q } = sumsAt(steps, table, factor);
  if (!(q > 0)) return NOWHERE;
  const scale = p / q;
  return { steps, scale, score: scale * p };
}

/** The best start of every lane. */
function bestStarts(
  steps: Steps,
  table: LevelTable,
  { starts, lanes }: MultiplesEffort,
): Own[] {
  const best: Own[] = Array(lanes).fill(NOWHERE);
  starts.forEach((start, k) => {
    const place = placeAt(steps, table, start);
    if (place.score > best[k % lanes].score) best[k % lanes] = place;
  });
  return best;
}

function ownOf(group: Group, table: LevelTable, effort: MultiplesEffort): Own {
  const steps = stepsOf(group);
  if (!steps) return NOWHERE;
  let best = NOWHERE;
  for (let place of bestStarts(steps, table, effort)) {
    for (let round = 0; round < effort.rounds && place.scale !== 0; round++) {
      const next = placeAt(steps, table, factorOf(steps, place.scale));
      if (!(next.score > place.score)) break;
      place = next;
    }
    if (place.score > best.score) best = place;
  }
  return best;
}

/** What multiples there are. */
export interface MultiplesRange {
  /** The smallest. */
  readonly least: number;
  /** The largest. */
  readonly most: number;
}

/** A number of a block, and a multiple of it for each group; 0 where that is best. */
export interface Explored {
  /** The number. */
  readonly unit: number;
  /** The multiples. */
  readonly multiples: readonly number[];
}

/** The same, and what it comes to. */
interface Multiples extends Explored {
  readonly score: number;
  /** The unit that would suit the codes best. */
  readonly fitted: number;
}

/**
 * Looks for the number of a block.
 *
 * @param groups The groups of the block.
 * @param table The levels.
 * @param range What multiples there are.
 * @param effort How much is looked at.
 * @returns Undefined where none is better than none.
 */
export function exploreMultiples(
  groups: readonly Group[],
  table: LevelTable,
  range: MultiplesRange,
  effort: MultiplesEffort,
): Explored | undefined {
  const own = groups.map((group) => ownOf(group, table, effort));
  let largest = 0, best: Multiples | undefined;
  for (const { scale } of own) {
    if (abs(scale) > abs(largest)) largest = scale;
  }
  for (const full of effort.fullness) {
    const end = full < 0 ? -range.least : range.most;
    let unit = toF16(largest / (end * full));
    for (let round = 0; round < effort.unitRounds && isUnit(unit); round++) {
      const found = multiplesOf(own, table, range, unit, best?.score ?? 0);
      if (!found) break;
      best = found;
      unit = toF16(found.fitted);
    }
  }
  return best;
}

/** Whether a number of a block can be the unit of multiples. */
export function isUnit(unit: number): boolean {
  return unit !== 0 && Number.isFinite(unit);
}

/** The best multiples of a unit, among those next to each group's own scale; undefined where it shows that they score no more than `least`. */
function multiplesOf(
  own: readonly Own[],
  table: LevelTable,
  { least: low, most: high }: MultiplesRange,
  unit: number,
  least: number,
): Multiples | undefined {
  const multiples: number[] = [];
  let total = 0, up = 0, down = 0;
  let rest = own.reduce((sum, { score }) => sum + score, 0);
  for (const { steps, scale, score: most } of own) {
    const near = clamp(floor(scale / unit + 0.5), low, high);
    let best = 0, score = 0, p = 0, q = 0;
    for (let multiple = near - 1; multiple <= near + 1; multiple++) {
      if (!steps || multiple < low || multiple > high || multiple === 0) {
        continue;
      }
      const t = unit * multiple;
      const sums = sumsAt(steps, table, factorOf(steps, t));
      const scored = t * (2 * sums.p - t * sums.q);
      if (!(scored > score)) continue;
      [best, score, p, q] = [multiple, scored, sums.p, sums.q];
    }
    total += score;
    rest -= most;
    if (!(total + rest > least)) return undefined;
    up += best * p;
    down += best * best * q;
    multiples.push(best);
  }
  return total > least
    ? { unit, multiples, score: total, fitted: up / down }
    : undefined;
}
