/**
 * A grid seen from 0: the levels that values go through as their magnitude grows
 * over the scale, upwards and downwards. Rounding a group to it, and what that comes to.
 *
 * @module
 */
import type { ScalePoint } from "./optimal_scale.ts";

/** One direction. */
export interface Ladder {
  /** Levels, that of 0 first; signed as in the grid. */
  readonly levels: Float64Array;
  /** A magnitude that reaches threshold k times the scale goes beyond level k: halfway between two neighbours. */
  readonly thresholds: Float64Array;
  /** The codes of the levels. */
  readonly codes: Uint8Array;
  /** Where to start counting thresholds: for magnitudes in steps, the level that is surely reached. */
  readonly reached: Uint8Array;
  /** Such steps in a magnitude of 1. */
  readonly steps: number;
}

/** Both directions. */
export interface Ladders {
  /** For values that are not negative. */
  readonly up: Ladder;
  /** For negative values. */
  readonly down: Ladder;
  /** The largest magnitude of a level of either. */
  readonly largest: number;
}

/**
 * Makes ladders of a grid. Of codes that stand for the same, the first is used.
 *
 * @param grid What each code stands for.
 */
export function laddersOf(grid: readonly number[]): Ladders {
  const codes = grid.map((_, code) => code)
    .filter((code) => grid.indexOf(grid[code]) === code)
    .sort((a, b) => grid[a] - grid[b]);
  const nearest = Math.min(...grid.map(Math.abs));
  const start = codes.findLastIndex((code) => Math.abs(grid[code]) === nearest);
  return {
    up: ladderOf(grid, codes.slice(start)),
    down: ladderOf(grid, codes.slice(0, start + 1).reverse()),
    largest: Math.max(...grid.map(Math.abs)),
  };
}

/** Steps from 0 to the last threshold: few enough to stay at hand, most hold no threshold. */
const LAST_STEP = 127;

/** More than roundings can move a magnitude by, in steps. */
const MARGIN = 2 ** -30;

function ladderOf(grid: readonly number[], codes: readonly number[]): Ladder {
  const levels = Float64Array.from(codes, (code) => grid[code]);
  const thresholds = levels.slice(1).map((level, k) =>
    Math.abs(level + levels[k]) / 2
  );
  const steps = LAST_STEP / Math.max(1, ...thresholds);
  const reached = Uint8Array.from(
    { length: LAST_STEP + 1 },
    (_, step) => thresholds.filter((t) => t * steps <= step - MARGIN).length,
  );
  return { levels, thresholds, codes: Uint8Array.from(codes), reached, steps };
}

/** Whether the levels are whole numbers, one after the other. */
export function isEven({ up, down }: Ladders): boolean {
  const isRun = ({ levels }: Ladder) =>
    levels.every((level, k) => Math.abs(level) === k);
  return isRun(up) && isRun(down);
}

/** Values that share a scale. */
export interface Group {
  /** The values. */
  readonly values: Float32Array;
  /** How much an error in each counts; all the same where absent. */
  readonly weights?: Float32Array;
}

/** The same with the signs of the values turned: what a negative scale makes of them. */
export function mirrored({ values, weights }: Group): Group {
  const turned = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) turned[i] = -values[i];
  return { values: turned, weights };
}

const up = new Float64Array(16), down = new Float64Array(16);

function scaledThresholds(
  { thresholds }: Ladder,
  scale: number,
  to: Float64Array,
) {
  const count = thresholds.length;
  for (let k = 0; k < count; k++) to[k] = thresholds[k] * scale;
  // No magnitude goes beyond the last level.
  to[count] = Infinity;
}

/**
 * Rounds a group at a scale; P and Q are added in float64, every fourth value in
 * a sum of its own, and then the first sum to the third, the second to the fourth,
 * and both: so that vectors of two add up to the same.
 *
 * @param group The group.
 * @param ladders The grid.
 * @param scale The scale; positive.
 */
export function cornerAt(
  { values, weights }: Group,
  ladders: Ladders,
  scale: number,
): ScalePoint {
  scaledThresholds(ladders.up, scale, up);
  scaledThresholds(ladders.down, scale, down);
  const high = ladders.up.levels, low = ladders.down.levels;
  const highSteps = ladders.up.steps / scale;
  const lowSteps = ladders.down.steps / scale;
  // The four sums take turns; which of them a value comes to last makes no
  // difference, as they are two pairs in any case.
  let p = 0, p1 = 0, p2 = 0, p3 = 0, q = 0, q1 = 0, q2 = 0, q3 = 0;
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    let level: number;
    if (x < 0) {
      const step = -x * lowSteps;
      let k = ladders.down.reached[step < LAST_STEP ? step | 0 : LAST_STEP];
      while (-x >= down[k]) k++;
      level = low[k];
    } else {
      const step = x * highSteps;
      let k = ladders.up.reached[step < LAST_STEP ? step | 0 : LAST_STEP];
      while (x >= up[k]) k++;
      level = high[k];
    }
    const weighed = weights === undefined ? level : weights[i] * level;
    const nextP = p + x * weighed, nextQ = q + level * weighed;
    p = p1;
    p1 = p2;
    p2 = p3;
    p3 = nextP;
    q = q1;
    q1 = q2;
    q2 = q3;
    q3 = nextQ;
  }
  return { scale, p: (p + p2) + (p1 + p3), q: (q + q2) + (q1 + q3) };
}

/**
 * The codes of a group at a scale, which may be negative.
 *
 * @param values The values.
 * @param ladders The grid.
 * @param scale The scale; not 0.
 * @param codes Receives the codes, from index `at` on.
 * @param at Index of the first.
 */
export function codesAtScale(
  values: Float32Array,
  ladders: Ladders,
  scale: number,
  codes: Uint8Array,
  at: number,
): void {
  const sign = Math.sign(scale);
  scaledThresholds(ladders.up, scale * sign, up);
  scaledThresholds(ladders.down, scale * sign, down);
  for (let i = 0; i < values.length; i++) {
    const x = values[i] * sign;
    let k = 0;
    if (x < 0) { while (-x >= down[k]) k++; }
    else while (x >= up[k]) k++;
    codes[at + i] = (x < 0 ? ladders.down : ladders.up).codes[k];
  }
}
