/**
 * The searches for scales against each other, and against all code vectors of
 * small groups with every stored scale that could suit them.
 */
import { assert, assertEquals } from "@std/assert";
import {
  fastStoredScale,
  type FoundScale,
  optimalStoredScale,
  sweptStoredScale,
} from "../../src/schemes/scale_search.ts";
import {
  codesAtScale,
  type Group,
  laddersOf,
} from "../../src/schemes/ladder.ts";
import {
  type StoredScales,
  storedScales,
} from "../../src/schemes/stored_scale.ts";
import { E2M1, IQ4, NF4, UINT4 } from "../../src/schemes/grids.ts";

const seed = Math.floor(Math.random() * 2 ** 32);
console.log(`scale_search_test: seed ${seed}`);
let state = seed;

/** From 0 to 1: mulberry32. */
function uniform(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const GRIDS = {
  "-8…7": UINT4.values.map((code) => code - 8),
  E2M1: E2M1.values,
  IQ4: IQ4.values,
  NF4: NF4.values,
  "a grid of three": [-1, 0, 2],
};

const STORED: Record<string, StoredScales> = {
  "F32": storedScales({ dtype: "F32" }),
  "F32 of either sign": storedScales({ dtype: "F32", signed: true }),
  "F16 of either sign": storedScales({ dtype: "F16", signed: true }),
  BF16: storedScales({ dtype: "BF16" }),
  E4M3: storedScales({ numbers: "E4M3" }),
  "E4M3 times a number": storedScales({
    numbers: "E4M3",
    scaleOf: (x) => Math.fround(x * 0.37),
  }),
  E8M0: storedScales({
    numbers: "E8M0",
    scaleOf: (e) => 2 ** (e - 127),
    holds: "F32",
  }),
};

/** Groups of many kinds: normal, peaked, whole numbers full of ties, mostly zeros, all the same. */
function groupOf(count: number, kind: number, weighted: boolean): Group {
  const make = [
    () => uniform() + uniform() + uniform() - 1.5,
    () => (uniform() - 0.5) ** 5,
    () => Math.floor(uniform() * 9) - 4,
    () => uniform() < 0.7 ? 0 : uniform() - 0.4,
    () => -0.75,
  ][kind % 5];
  return {
    values: Float32Array.from({ length: count }, make),
    weights: weighted
      ? Float32Array.from(
        { length: count },
        () => uniform() < 0.2 ? 0 : uniform() * 3,
      )
      : undefined,
  };
}

/** The score of a scale with the best codes for it, by trying every code for every value. */
function scoreAt(
  { values, weights }: Group,
  grid: readonly number[],
  scale: number,
): number {
  let score = 0;
  values.forEach((x, i) => {
    const w = weights?.[i] ?? 1;
    score += w * Math.max(
      ...grid.map((g) => scale * (2 * g * x - scale * g * g)),
    );
  });
  return score;
}

/** Storable scales around a positive number; in the list, all. */
function candidates(stored: StoredScales, scale: number): number[] {
  if (stored.kind === "listed") return [...stored.scales as number[]];
  return [1 - 2 ** -8, 1, 1 + 2 ** -8, 1 - 2 ** -11, 1 + 2 ** -11]
    .map((factor) => stored.nearest(scale * factor));
}

/** The best score that any vector of codes has with any stored scale. */
function bruteForce(
  { values, weights }: Group,
  grid: readonly number[],
  stored: StoredScales,
): number {
  let best = 0;
  const take = (p: number, q: number) => {
    if (!(p > 0 && q > 0)) return;
    for (const t of candidates(stored, p / q)) {
      best = Math.max(best, t * (2 * p - t * q));
    }
  };
  const visit = (i: number, p: number, q: number): void => {
    if (i === values.length) {
      take(p, q);
      if (stored.kind === "rounded" && stored.signed) take(-p, q);
      return;
    }
    const w = weights?.[i] ?? 1;
    for (const g of grid) visit(i + 1, p + w * values[i] * g, q + w * g * g);
  };
  visit(0, 0, 0);
  return best;
}

function close(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-12 * Math.max(a, b);
}

function codesOf(group: Group, grid: readonly number[], { scale }: FoundScale) {
  const codes = new Uint8Array(group.values.length);
  if (scale !== 0) codesAtScale(group.values, laddersOf(grid), scale, codes, 0);
  return codes;
}

for (const [gridName, grid] of Object.entries(GRIDS)) {
  for (const [name, stored] of Object.entries(STORED)) {
    const ladders = laddersOf(grid);
    Deno.test(`${gridName}, ${name}: the sweep finds what all code vectors offer`, () => {
      for (let round = 0; round < 20; round++) {
        const group = groupOf(
          stored.kind === "listed" ? 2 : 3,
          round,
          round > 9,
        );
        const best = bruteForce(group, grid, stored);
        const found = sweptStoredScale(group, ladders, stored);
        assert(
          close(found.score, best),
          `${group.values} by ${group.weights}: ${found.score} of ${best}`,
        );
        if (found.scale === 0) continue;
        const worth = scoreAt(group, grid, found.scale);
        assert(close(worth, best), `${found.scale} is worth ${worth}`);
      }
    });

    Deno.test(`${gridName}, ${name}: the search finds the sweep's scale and score, to the bit`, () => {
      for (let round = 0; round < 120; round++) {
        const count = [1, 2, 3, 16, 32, 100][round % 6];
        const group = groupOf(count, round % 5, round % 7 > 3);
        const found = optimalStoredScale(group, ladders, stored);
        const swept = sweptStoredScale(group, ladders, stored);
        const seen = `${group.values} by ${group.weights}`;
        assertEquals(
          [found.scale, found.score],
          [swept.scale, swept.score],
          seen,
        );
        const fast = fastStoredScale(group, ladders, stored);
        assert(fast.score <= found.score, seen);
        // What the codes are worth is what the score says.
        const codes = codesOf(group, grid, found);
        let score = 0;
        group.values.forEach((x, i) => {
          const y = found.scale * grid[codes[i]];
          score += (group.weights?.[i] ?? 1) * (x * x - (x - y) ** 2);
        });
        assert(
          Math.abs(score - found.score) < 1e-9 * Math.abs(score) + 1e-300,
          seen,
        );
      }
    });
  }
}

Deno.test("a hurried search is close to the best, also on the side that it leaves out", () => {
  const ladders = laddersOf(GRIDS["-8…7"]);
  const stored = STORED["F16 of either sign"];
  for (const sign of [1, -1]) {
    const values = Float32Array.from(
      { length: 32 },
      (_, i) => sign * (i === 5 ? 4 : Math.sin(i * i)),
    );
    const best = optimalStoredScale({ values }, ladders, stored);
    const fast = fastStoredScale({ values }, ladders, stored);
    assertEquals(Math.sign(fast.scale), -sign);
    assert(fast.score > 0.99 * best.score, `${fast.score} of ${best.score}`);
  }
});

Deno.test("a hurried search finds a scale where only values count that are nothing beside the largest", () => {
  const values = Float32Array.of(1000, 0.5, -0.25, 0.125);
  const stored = STORED.F32, ladders = laddersOf(GRIDS["-8…7"]);
  const weights = Float32Array.of(0, 1, 1, 1);
  assert(fastStoredScale({ values, weights }, ladders, stored).scale > 0);
  const nothing = new Float32Array(4);
  assertEquals(
    fastStoredScale({ values, weights: nothing }, ladders, stored).scale,
    0,
  );
});
