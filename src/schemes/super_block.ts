/**
 * Searches for blocks whose groups have their scales as small multiples of numbers
 * of the block. What each group would have by itself tells where to look; numbers
 * of the block are tried around what makes the largest multiple, and fitted to what
 * the groups choose. Strong searches, no proofs.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { clamp } from "../numeric/rounding.ts";
import type { ScaleSearch } from "../words/search.ts";
import {
  codesAtScale,
  cornerAt,
  type Group,
  type Ladders,
  laddersOf,
  mirrored,
} from "./ladder.ts";
import { fastStoredScale, optimalStoredScale } from "./scale_search.ts";
import {
  type SearchedTile,
  type SearchJob,
  searchTile,
} from "./search_kernel.ts";
import type { Refit, SearchPlan } from "./searched.ts";
import { scalesIn } from "./stored_scale.ts";

/** The nearest float16. */
export const toF16: (x: number) => number = roundTo("F16");

/** Refining the numbers of a block changes next to nothing after this many rounds. */
export const ROUNDS = 3;

/** The groups of a block. */
export function groupsOf({ values, weights }: Group, size: number): Group[] {
  return Array.from({ length: values.length / size }, (_, g) => ({
    values: values.subarray(g * size, (g + 1) * size),
    weights: weights?.subarray(g * size, (g + 1) * size),
  }));
}

/** How a format stores the scales of groups: multiples of a float16. */
export interface MultiplesPlan {
  /** What codes stand for before scaling. */
  readonly levels: readonly number[];
  /** Values in a group. */
  readonly size: number;
  /** The smallest multiple. */
  readonly least: number;
  /** The largest. */
  readonly most: number;
}

/** A multiple for each group, and what they come to. */
interface Multiples {
  /** The number of the block. */
  readonly unit: number;
  /** The multiples. */
  readonly steps: readonly number[];
  /** By how much they make the squared error less. */
  readonly score: number;
  /** The unit that would suit the codes best. */
  readonly fitted: number;
}

/** A group as it is and with its signs turned, and its own best scale. */
interface Own {
  readonly group: Group;
  readonly turned: Group;
  readonly scale: number;
  /** What others score at most, hardly ever more. */
  readonly score: number;
}

/** What a scale, which may be negative, makes of a group. */
function partAt(
  { group, turned }: Pick<Own, "group" | "turned">,
  ladders: Ladders,
  t: number,
): { p: number; q: number; score: number } {
  const { p, q } = cornerAt(t < 0 ? turned : group, ladders, Math.abs(t));
  return { p, q, score: Math.abs(t) * (2 * p - Math.abs(t) * q) };
}

/** What the largest multiple is taken to be, over the one there is, when units are tried. */
const FULLNESS = [0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1];

/**
 * Searches blocks whose groups have scales alone. Fields: `scale`, one for the
 * block, and `steps`, one for each group.
 */
export function multiplesPlan(plan: MultiplesPlan): SearchPlan {
  const ladders = laddersOf(plan.levels);
  const stored = scalesIn("F32", { signed: true, level: ladders.largest });
  const findOne: OwnScale = (group, _index, search) => {
    const find = search === "fast" ? fastStoredScale : optimalStoredScale;
    return find(group, ladders, stored).scale;
  };
  const refitBy = (find: OwnScale): Refit => (block, place, search) => {
    const { tile, area, first } = place;
    const own = groupsOf(block, plan.size).map((group, g): Own => {
      const scale = find(group, first / plan.size + g, search);
      const both = { group, turned: mirrored(group) };
      const score = scale === 0 ? 0 : partAt(both, ladders, scale).score;
      return { ...both, scale, score };
    });
    const found = searchUnit(plan, ladders, own, search);
    if (!found) return false;
    const { unit, steps } = found;
    tile.fields.scale[area] = unit;
    own.forEach(({ group }, g) => {
      tile.fields.steps[area * own.length + g] = steps[g];
      const at = first + g * plan.size;
      // Any code will do where the scale is 0.
      const scale = unit * steps[g] || unit;
      codesAtScale(group.values, ladders, scale, tile.codes, at);
    });
    return true;
  };
  return {
    able: ["fast", "best"],
    isAlone: true,
    refit: refitBy(findOne),
    refitIn(searched, search): Refit {
      const way = search === "fast" ? search : "optimal";
      const job = { ladders, stored, search: way } as const;
      const scales = ownScales(searched, plan.size, job);
      if (!scales) return refitBy(findOne);
      return refitBy((group, index, search) => {
        // A kernel searches as if there were no weights where all are 0.
        const isOther = searched.weights &&
          (group.weights?.every((weight) => weight === 0) ?? true);
        return isOther ? findOne(group, index, search) : scales[index];
      });
    },
  };
}

/** Finds the scale of a group of a tile. */
type OwnScale = (group: Group, index: number, search: ScaleSearch) => number;

/** The scales of all groups of a tile, 0 where there is none; undefined where the kernel cannot find them. */
function ownScales(
  searched: SearchedTile,
  size: number,
  job: SearchJob,
): Float32Array | undefined {
  const { tile } = searched, kept = tile.codes.slice();
  const scale = tile.memory(kept.length / size).fill(0);
  const outcome = searchTile(
    {
      ...searched,
      tile: { ...tile, fields: { scale } },
      span: { rows: 1, columns: size },
    },
    "scale",
    job,
  );
  tile.codes.set(kept);
  return outcome === "unable" ? undefined : scale;
}

function searchUnit(
  plan: MultiplesPlan,
  ladders: Ladders,
  own: readonly Own[],
  search: ScaleSearch,
): Multiples | undefined {
  const largest = own.reduce(
    (most, { scale }) => Math.abs(scale) > Math.abs(most) ? scale : most,
    0,
  );
  let best: Multiples | undefined;
  const take = (unit: number): void => {
    for (let round = 0; round <= ROUNDS && isUnit(unit); round++) {
      const least = best?.score ?? 0;
      // Own scales of a hurried search say little of what others score.
      const enough = search === "fast" ? 0 : least;
      const found = multiplesOf(plan, ladders, own, unit, enough);
      if (!(found && found.score > least)) return;
      best = found;
      unit = toF16(found.fitted);
    }
  };
  const ends = search === "fast" ? [plan.least] : [plan.least, plan.most];
  for (const end of ends) {
    for (const full of search === "fast" ? [1] : FULLNESS) {
      take(toF16(largest / (end * full)));
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
  { least: low, most: high }: MultiplesPlan,
  ladders: Ladders,
  own: readonly Own[],
  unit: number,
  least: number,
): Multiples | undefined {
  const steps: number[] = [];
  let total = 0, up = 0, down = 0;
  let rest = own.reduce((sum, { score }) => sum + score, 0);
  for (const group of own) {
    const near = clamp(Math.round(group.scale / unit), low, high);
    let best = 0, score = 0, p = 0, q = 0;
    for (let step = near - 1; step <= near + 1; step++) {
      if (step < low || step > high || step === 0) continue;
      const part = partAt(group, ladders, unit * step);
      if (!(part.score > score)) continue;
      [best, score, p, q] = [step, part.score, part.p, part.q];
    }
    total += score;
    rest -= group.score;
    if (!(total + rest > least)) return undefined;
    up += best * Math.sign(unit * best) * p;
    down += best * best * q;
    steps.push(best);
  }
  return { unit, steps, score: total, fitted: up / down };
}
