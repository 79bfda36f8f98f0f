/**
 * Data that ggml's formats are judged on, beyond the sets that every test
 * shares: ties of each format's own rounding, and importance weights.
 *
 * @module
 */

import { adversarial, nudge, random, randomInteger } from "../adversarial.ts";

const { fround } = Math;

function fill(
  length: number,
  value: (index: number) => number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = value(i);
  return values;
}

/** Midpoints between neighbours of a grid, in units of the grid's own largest magnitude. */
function midpoints(grid: readonly number[]): number[] {
  const sorted = [...grid].sort((a, b) => a - b);
  return sorted.slice(1).map((high, i) => (sorted[i] + high) / 2);
}

const grids = {
  E2m1: [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6],
  Int4: [...Array(16).keys()].map((code) => code - 8),
  Iq4: [
    ...[-127, -104, -83, -65, -49, -35, -22, -10],
    ...[1, 13, 25, 38, 53, 69, 89, 113],
  ],
};

/** Values `ulps` or fewer from the rounding boundaries of `grid`, a new scale every 16 values. */
function nearBoundaries(
  length: number,
  seed: number,
  grid: readonly number[],
  ulps: number,
  exactScales: boolean,
): Float32Array<ArrayBuffer> {
  const next = random(seed);
  const middles = midpoints(grid);
  const largest = Math.max(...grid.map(Math.abs));
  let unit = 1;
  return fill(length, (i) => {
    if (i % 16 === 0) {
      unit = exactScales
        ? 2 ** randomInteger(next, -6, 3)
        : fround(next() * 4 + 0.01);
      return fround(unit * largest) * (next() < 0.5 ? -1 : 1);
    }
    const middle = middles[randomInteger(next, 0, middles.length - 1)];
    return nudge(fround(unit * middle), randomInteger(next, -ulps, ulps));
  });
}

/** Each value one or a few ulps below or above a power of two, over the whole range of exponents. */
function aroundPowersOfTwo(
  length: number,
  seed: number,
): Float32Array<ArrayBuffer> {
  const next = random(seed);
  let exponent = 0;
  return fill(length, (i) => {
    if (i % 16 === 0) {
      exponent = randomInteger(next, -138, 127);
      return nudge(2 ** exponent, -randomInteger(next, 0, 90));
    }
    return nudge(
      2 ** (exponent - randomInteger(next, 0, 4)),
      randomInteger(next, -2, 2),
    );
  });
}

/**
 * Named data sets for ggml's formats, all finite.
 *
 * @param length How many values in each.
 * @returns The sets.
 */
export function ggmlData(
  length: number,
): Record<string, Float32Array<ArrayBuffer>> {
  const sets: Record<string, Float32Array<ArrayBuffer>> = {};
  for (const [name, values] of Object.entries(adversarial(length))) {
    sets[name] = values.slice();
  }
  let seed = 77;
  for (const [name, grid] of Object.entries(grids)) {
    for (const ulps of [0, 1, 2]) {
      sets[`near${ulps}${name}`] = nearBoundaries(
        length,
        seed++,
        grid,
        ulps,
        false,
      );
      sets[`exact${ulps}${name}`] = nearBoundaries(
        length,
        seed++,
        grid,
        ulps,
        true,
      );
    }
  }
  sets.aroundPowersOfTwo = aroundPowersOfTwo(length, seed);
  const gauss = sets.gauss;
  for (
    const exponent of [-130, -120, -40, -30, -24, -16, -9, 10, 20, 60, 120]
  ) {
    sets[`gauss2^${exponent}`] = fill(
      length,
      (i) => fround(gauss[i] * 2 ** exponent),
    );
  }
  sets.largest = fill(length, (i) => (i % 3 - 1) * 3.4028234663852886e38);
  return sets;
}

/**
 * Named sets of importance weights, one per column.
 *
 * @param columns How many columns.
 * @returns The sets.
 */
export function importanceData(
  columns: number,
): Record<string, Float32Array<ArrayBuffer>> {
  const next = random(4242);
  return {
    ones: fill(columns, () => 1),
    random: fill(columns, () => next() * 3),
    withZeros: fill(columns, () => next() < 0.4 ? 0 : next()),
    zeroBlocks: fill(columns, (i) => (i >> 5) % 2 === 0 ? 0 : next()),
    zero: fill(columns, () => 0),
    mixed: fill(columns, () => 2 ** randomInteger(next, -40, 40)),
    tiny: fill(columns, () => next() * 1e-38),
    extreme: fill(columns, () => 2 ** randomInteger(next, -149, 127)),
    huge: fill(columns, () => next() * 3e38),
  };
}
