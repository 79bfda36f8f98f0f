/**
 * Searches for blocks whose groups have a scale and an offset, both small multiples
 * of numbers of the block: as super_block.ts does for scales alone.
 *
 * @module
 */
import { clamp } from "../numeric/rounding.ts";
import type { ScaleSearch } from "../words/search.ts";
import {
  affineCodes,
  type AffineStore,
  fitAffineGroup,
  type Moments,
  momentsAt,
} from "./affine_fit.ts";
import { exploreAffine } from "./affine_explore.ts";
import { searchPairs } from "./affine_kernel.ts";
import type { Group } from "./ladder.ts";
import type { Outcome } from "./search_kernel.ts";
import type { SearchPlan } from "./searched.ts";
import { isUnit, toF16 } from "./multiples_explore.ts";
import { groupsOf } from "./super_block.ts";

/** Refining the numbers of a block changes next to nothing after this many rounds. */
const ROUNDS = 3;

/** The largest multiple of six bits. */
const SIX_BITS = 63;

/** What the largest multiples are taken to be, over the ones there are: likely ones first, which spare others most of their work. */
const FULL_PAIRS = [1, 0.95, 1.05, 0.9];

/** Two numbers of the block, and two multiples for each group. */
interface Pairs {
  readonly unit: number;
  readonly offsetUnit: number;
  readonly steps: readonly number[];
  readonly offsets: readonly number[];
  readonly error: number;
  /** The moments of each group. */
  readonly moments: readonly Moments[];
}

/** What a group has by itself. */
interface OwnPair {
  readonly group: Group;
  readonly scale: number;
  readonly offset: number;
  /** What others leave at least, hardly ever less. */
  readonly error: number;
}

const OWN: AffineStore = {
  scale: (exact) => Math.max(0, Math.fround(exact)),
  bias: (exact) => Math.min(0, Math.fround(exact)),
};

/**
 * Searches blocks whose groups have a scale and an offset to take away, both
 * six-bit multiples. Fields: `scale` and `offset`, one each for the block, and
 * `steps`: first the multiples of the scale, then those of the offset.
 *
 * @param size Values in a group.
 */
export function pairsPlan(size: number): SearchPlan {
  return {
    able: ["fast", "best"],
    isAlone: true,
    refit(block, { tile, area, first }, search): boolean {
      const own = groupsOf(block, size).map((group): OwnPair => {
        const starts = [exploreAffine(group, search)];
        const { scale = 0, bias = 0, error = 0 } =
          fitAffineGroup(group, OWN, starts) ?? {};
        return { group, scale, offset: -bias, error };
      });
      const found = searchUnits(own, search);
      if (!found) return false;
      const { unit, offsetUnit, steps, offsets } = found;
      tile.fields.scale[area] = unit;
      tile.fields.offset[area] = offsetUnit;
      tile.fields.steps.set([...steps, ...offsets], area * 2 * own.length);
      own.forEach(({ group }, g) => {
        const scale = unit * steps[g] || unit, bias = -offsetUnit * offsets[g];
        const at = first + g * size;
        affineCodes(group.values, { scale, bias }, tile.codes, at);
      });
      return true;
    },
    refitTile: (searched, search): Outcome =>
      searchPairs(searched, search, size, triesOf(search)),
  };
}

/** What the largest multiples are taken to be. */
function triesOf(search: ScaleSearch): readonly number[] {
  return search === "fast" ? [1] : FULL_PAIRS;
}

function searchUnits(
  own: readonly OwnPair[],
  search: ScaleSearch,
): Pairs | undefined {
  const most = (of: "scale" | "offset") =>
    own.reduce((largest, group) => Math.max(largest, group[of]), 0) / SIX_BITS;
  const scale = most("scale"), offset = most("offset");
  let best: Pairs | undefined;
  const take = (unit: number, offsetUnit: number): void => {
    for (let round = 0; round <= ROUNDS; round++) {
      if (!isUnit(unit) || !Number.isFinite(offsetUnit)) return;
      const most = best?.error ?? Infinity;
      // Own numbers of a hurried search say little of what others leave.
      const enough = search === "fast" ? Infinity : most;
      const found = pairsOf(own, unit, offsetUnit, enough);
      if (!(found && found.error < most)) return;
      best = found;
      [unit, offsetUnit] = fittedUnits(found);
    }
  };
  const tries = triesOf(search);
  for (const full of tries) {
    for (const offsetFull of tries) {
      take(toF16(scale / full), toF16(offset / offsetFull));
    }
  }
  return best;
}

/** The best multiples of two units, among those next to each group's own numbers; undefined where it shows that they leave no less than `most`. */
function pairsOf(
  own: readonly OwnPair[],
  unit: number,
  offsetUnit: number,
  most: number,
): Pairs | undefined {
  const steps: number[] = [], offsets: number[] = [], moments: Moments[] = [];
  let error = 0, rest = own.reduce((sum, { error }) => sum + error, 0);
  for (const { group, scale, offset, error: least } of own) {
    const near = sixBits(scale / unit);
    let best: Moments | undefined, bestStep = 0, bestOffset = 0;
    const take = (step: number, offset: number): Moments => {
      const bias = -offsetUnit * offset;
      const found = momentsAt(group, { scale: unit * step || unit, bias });
      const seen = step === 0 ? zeroCodes(found, bias, group) : found;
      if (!best || seen.error < best.error) {
        [best, bestStep, bestOffset] = [seen, step, offset];
      }
      return seen;
    };
    const bound = offsetUnit === 0 ? 0 : sixBits(offset / offsetUnit);
    for (let step = near - 1; step <= near + 1; step++) {
      if (step < 0 || step > SIX_BITS) continue;
      const { one, c, x } = take(step, bound);
      if (offsetUnit === 0 || one === 0) continue;
      const other = sixBits((unit * step * c - x) / one / offsetUnit);
      if (other !== bound) take(step, other);
    }
    steps.push(bestStep);
    offsets.push(bestOffset);
    moments.push(best!);
    error += best!.error;
    rest -= least;
    if (!(error + rest < most)) return undefined;
  }
  return { unit, offsetUnit, steps, offsets, error, moments };
}

/** Where the scale is 0 codes mean nothing: the moments without them. */
function zeroCodes(
  { one, x }: Moments,
  bias: number,
  { values, weights }: Group,
): Moments {
  let error = 0, other = 0;
  for (let i = 0; i < values.length; i++) {
    const off = values[i] - bias;
    const next = error + (weights?.[i] ?? 1) * (off * off);
    error = other;
    other = next;
  }
  return { error: error + other, one, x, c: 0, cc: 0, cx: 0 };
}

function sixBits(x: number): number {
  return clamp(Math.round(x), 0, SIX_BITS);
}

/** The two units that suit codes and multiples best: two equations. */
function fittedUnits(
  { unit, offsetUnit, steps, offsets, moments }: Pairs,
): [unit: number, offsetUnit: number] {
  let aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
  moments.forEach(({ one, c, cc, x, cx }, g) => {
    const step = steps[g], offset = offsets[g];
    aa += step * step * cc;
    ab -= step * offset * c;
    bb += offset * offset * one;
    ax += step * cx;
    bx -= offset * x;
  });
  const determinant = aa * bb - ab * ab;
  if (!(determinant > 0)) {
    return aa > 0
      ? [toF16((ax - offsetUnit * ab) / aa), offsetUnit]
      : [unit, offsetUnit];
  }
  return [
    toF16((ax * bb - bx * ab) / determinant),
    toF16((aa * bx - ab * ax) / determinant),
  ];
}
