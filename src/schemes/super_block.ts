/**
 * Searches for blocks whose groups have their scales as small multiples of a number
 * of the block: exploring in whole numbers tells where to look, and from there
 * multiples, number and codes are fitted to each other in turn. Strong searches, no
 * proofs.
 *
 * @module
 */
import { clamp } from "../numeric/rounding.ts";
import {
  codesAtScale,
  cornerAt,
  type Group,
  type Ladders,
  laddersOf,
  mirrored,
} from "./ladder.ts";
import {
  type Explored,
  exploreMultiples,
  isUnit,
  levelTable,
  multiplesEffort,
  type MultiplesRange,
  toF16,
} from "./multiples_explore.ts";
import { type Outcome, searchMultiples } from "./search_kernel.ts";
import type { SearchPlan } from "./searched.ts";
import { roundedBy } from "./stored_scale.ts";

/** The groups of a block. */
export function groupsOf({ values, weights }: Group, size: number): Group[] {
  return Array.from({ length: values.length / size }, (_, g) => ({
    values: values.subarray(g * size, (g + 1) * size),
    weights: weights?.subarray(g * size, (g + 1) * size),
  }));
}

/** How a format stores the scales of groups: multiples of a float16. */
export interface MultiplesPlan extends MultiplesRange {
  /** What codes stand for before scaling: whole numbers, as {@linkcode levelTable} takes them. */
  readonly levels: readonly number[];
  /** Values in a group. */
  readonly size: number;
}

/** A group as it is and with its signs turned. */
interface Both {
  readonly group: Group;
  readonly turned: Group;
}

/** What a scale, which may be negative, makes of a group. */
function partAt(
  { group, turned }: Both,
  ladders: Ladders,
  t: number,
): { p: number; q: number; score: number } {
  const { p, q } = cornerAt(t < 0 ? turned : group, ladders, Math.abs(t));
  return { p, q, score: Math.abs(t) * (2 * p - Math.abs(t) * q) };
}

/** What multiples of a number of the block can be. */
const ANY_SCALE = roundedBy({ dtype: "F32", signed: true });

/** Fitting changes next to nothing after this many rounds. */
const ROUNDS = 3;

/**
 * Searches blocks whose groups have scales alone. Fields: `scale`, one for the
 * block, and `steps`, one for each group.
 */
export function multiplesPlan(plan: MultiplesPlan): SearchPlan {
  const ladders = laddersOf(plan.levels), table = levelTable(ladders);
  return {
    able: ["fast", "best"],
    isAlone: true,
    refit(block, { tile, area, first }, search): boolean {
      const groups = groupsOf(block, plan.size);
      const effort = multiplesEffort(search);
      const explored = exploreMultiples(groups, table, plan, effort);
      const found = explored &&
        fitMultiples(plan, ladders, groups, explored);
      if (!found) return false;
      const { unit, multiples } = found;
      tile.fields.scale[area] = unit;
      groups.forEach(({ values }, g) => {
        tile.fields.steps[area * groups.length + g] = multiples[g];
        const at = first + g * plan.size;
        // Any code will do where the scale is 0.
        const scale = unit * multiples[g] || unit;
        codesAtScale(values, ladders, scale, tile.codes, at);
      });
      return true;
    },
    refitTile(searched, search): Outcome {
      const job = { ladders, stored: ANY_SCALE, search: "optimal" } as const;
      return searchMultiples(searched, job, plan, multiplesEffort(search));
    },
  };
}

/** A multiple for each group, and what they come to. */
interface Multiples extends Explored {
  /** By how much they make the squared error less. */
  readonly score: number;
  /** The unit that would suit the codes best. */
  readonly fitted: number;
}

/** Fits multiples, unit and codes to each other; undefined where they are no better than nothing. */
function fitMultiples(
  range: MultiplesRange,
  ladders: Ladders,
  groups: readonly Group[],
  { unit, multiples }: Explored,
): Multiples | undefined {
  const both = groups.map((group) => ({ group, turned: mirrored(group) }));
  let best: Multiples | undefined, near = multiples;
  for (let round = 0; round < ROUNDS && isUnit(unit); round++) {
    const found = multiplesNear(range, ladders, both, unit, near);
    if (!(found.score > (best?.score ?? 0))) break;
    best = found;
    near = found.multiples;
    unit = toF16(found.fitted);
  }
  return best;
}

/** The best multiples of a unit, among those next to others. */
function multiplesNear(
  { least, most }: MultiplesRange,
  ladders: Ladders,
  groups: readonly Both[],
  unit: number,
  near: readonly number[],
): Multiples {
  const multiples: number[] = [];
  let total = 0, up = 0, down = 0;
  groups.forEach((group, g) => {
    let best = 0, score = 0, p = 0, q = 0;
    const low = clamp(near[g] - 1, least, most);
    const high = clamp(near[g] + 1, least, most);
    for (let multiple = low; multiple <= high; multiple++) {
      if (multiple === 0) continue;
      const part = partAt(group, ladders, unit * multiple);
      if (!(part.score > score)) continue;
      [best, score, p, q] = [multiple, part.score, part.p, part.q];
    }
    total += score;
    up += best * Math.sign(unit * best) * p;
    down += best * best * q;
    multiples.push(best);
  });
  return { unit, multiples, score: total, fitted: up / down };
}
