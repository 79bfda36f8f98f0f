/** The hull search against the sweep of all scales, and the sweep against all code vectors. */
import { assert, assertEquals } from "@std/assert";
import {
  evaluate,
  fastScale,
  type MirrorGrid,
  mirrorGrid,
  optimalScale,
  score,
  type SortedMagnitudes,
  sweepScale,
} from "../../src/schemes/optimal_scale.ts";
import { GRIDS } from "../../src/search/grid.ts";
import { randomWords } from "../../src/search/rotation.ts";

function sorted(values: readonly number[]): SortedMagnitudes {
  const ordered = Uint32Array.from(values).sort().reverse();
  const sums = new Float64Array(ordered.length + 1);
  ordered.forEach((value, i) => sums[i + 1] = sums[i] + value);
  return { values: ordered, sums, count: ordered.length };
}

const seed = Math.floor(Math.random() * 2 ** 32);
console.log(`optimal_scale_test: seed ${seed}`);
const random = randomWords(seed);
const uniform = () => random() / 2 ** 32;

/** Groups of many kinds: flat, peaked, tiny whole numbers full of ties, mostly zeros. */
function magnitudes(count: number, kind: number): number[] {
  const largest = 2 ** 24 - 1;
  const make = [
    () => uniform() * largest,
    () => uniform() ** 4 * largest,
    () => uniform() * 12,
    () => uniform() < 0.8 ? 0 : uniform() * largest,
    () => largest,
  ][kind];
  return [
    1 + Math.floor(uniform() * largest),
    ...Array.from(
      { length: count - 1 },
      () => Math.floor(make()),
    ),
  ];
}

/** Every vector of levels for a few magnitudes. */
function bruteForce(values: readonly number[], { levels }: MirrorGrid): number {
  let best = 0;
  const visit = (i: number, p: number, q: number): void => {
    if (i === values.length) best = Math.max(best, p * p / q);
    else {for (const level of levels) {
        visit(i + 1, p + values[i] * level, q + level * level);
      }}
  };
  visit(0, 0, 0);
  return best;
}

for (const grid of [GRIDS.uniform, GRIDS.lloyd, mirrorGrid([1, 2, 4])]) {
  const name = grid.levels.join();
  Deno.test(`levels ${name}: the sweep finds what all code vectors of a group of five offer`, () => {
    for (let kind = 0; kind < 5; kind++) {
      const values = magnitudes(5, kind);
      const best = bruteForce(values, grid);
      const found = score(sweepScale(sorted(values), grid));
      assert(
        Math.abs(found / best - 1) < 1e-14,
        `${values}: ${found}, ${best}`,
      );
    }
  });

  Deno.test(`levels ${name}: the hull search finds the sweep's codes`, () => {
    for (let round = 0; round < 60; round++) {
      const count = [1, 2, 3, 32, 100, 384][round % 6];
      const group = sorted(magnitudes(count, round % 5));
      const found = optimalScale(group, grid), swept = sweepScale(group, grid);
      assertEquals([found.p, found.q], [swept.p, swept.q], `round ${round}`);
      assertEquals(evaluate(group, grid, found.scale).p, found.p);
    }
  });

  Deno.test(`levels ${name}: the fast search is no better than the best, and near to it`, () => {
    for (let round = 0; round < 20; round++) {
      const group = sorted(magnitudes(384, round % 2));
      const fast = score(fastScale(group, grid));
      const best = score(optimalScale(group, grid));
      assert(fast <= best && fast > 0.97 * best, `${fast} of ${best}`);
    }
  });
}
