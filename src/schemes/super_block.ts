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
  affineCodes,
  type AffineStore,
  fitAffineGroup,
  type Moments,
  momentsAt,
} from "./affine_fit.ts";
import { type Explored, exploredIn, exploreOne } from "./affine_tile.ts";
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

const toF16 = roundTo("F16");

/** Refining the numbers of a block changes next to nothing after this many rounds. */
const ROUNDS = 3;

/** The groups of a block. */
function groupsOf({ values, weights }: Group, size: number): Group[] {
  return Array.from({ length: values.length / size }, (_, g) => ({
    values: values.subarray(g * size, (g + 1) * size),
    weights: weights?.subarray(g * size, (g + 1) * size),
  }));
}

// ---- a scale for each group ----

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
    const own = groupsOf(block, plan.size).map((group, g): Own => ({
      group,
      turned: mirrored(group),
      scale: find(group, first / plan.size + g, search),
    }));
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
      const found = multiplesOf(plan, ladders, own, unit);
      if (!(found.score > (best?.score ?? 0))) return;
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

function isUnit(unit: number): boolean {
  return unit !== 0 && Number.isFinite(unit);
}

/** The best multiples of a unit, among those next to each group's own scale. */
function multiplesOf(
  { least, most }: MultiplesPlan,
  ladders: Ladders,
  own: readonly Own[],
  unit: number,
): Multiples {
  let total = 0, up = 0, down = 0;
  const steps = own.map(({ group, turned, scale }) => {
    const near = clamp(Math.round(scale / unit), least, most);
    let best = 0, score = 0, p = 0, q = 0;
    for (let step = near - 1; step <= near + 1; step++) {
      if (step < least || step > most || step === 0) continue;
      const t = unit * step;
      const corner = cornerAt(t < 0 ? turned : group, ladders, Math.abs(t));
      const worth = Math.abs(t) * (2 * corner.p - Math.abs(t) * corner.q);
      if (!(worth > score)) continue;
      [best, score, p, q] = [step, worth, Math.sign(t) * corner.p, corner.q];
    }
    total += score;
    up += best * p;
    down += best * best * q;
    return best;
  });
  return { unit, steps, score: total, fitted: up / down };
}

// ---- a scale and an offset for each group ----

/** The largest multiple of six bits. */
const SIX_BITS = 63;

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
  const refitBy = (explored: Explored): Refit => (block, place, search) => {
    const { tile, area, first } = place;
    const own = groupsOf(block, size).map((group, g): OwnPair => {
      const index = first / size + g;
      const fit = fitAffineGroup(group, OWN, [explored(group, index, search)]);
      return { group, scale: fit?.scale ?? 0, offset: -(fit?.bias ?? 0) };
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
  };
  return {
    able: ["fast", "best"],
    isAlone: true,
    refit: refitBy(exploreOne),
    refitIn(searched, search): Refit {
      const span = { rows: 1, columns: size };
      return refitBy(exploredIn({ ...searched, span }, search));
    },
  };
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
      const found = pairsOf(own, unit, offsetUnit);
      if (best && !(found.error < best.error)) return;
      best = found;
      [unit, offsetUnit] = fittedUnits(found);
    }
  };
  const tries = search === "fast" ? [1] : [0.94, 1, 1.06];
  for (const full of tries) {
    for (const offsetFull of tries) {
      take(toF16(scale / full), toF16(offset / offsetFull));
    }
  }
  return best;
}

/** The best multiples of two units, among those next to each group's own numbers. */
function pairsOf(
  own: readonly OwnPair[],
  unit: number,
  offsetUnit: number,
): Pairs {
  const steps: number[] = [], offsets: number[] = [], moments: Moments[] = [];
  let error = 0;
  for (const { group, scale, offset } of own) {
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
  }
  return { unit, offsetUnit, steps, offsets, error, moments };
}

/** Where the scale is 0 codes mean nothing: the moments without them. */
function zeroCodes(
  { one, x }: Moments,
  bias: number,
  { values, weights }: Group,
): Moments {
  let error = 0;
  for (let i = 0; i < values.length; i++) {
    error += (weights?.[i] ?? 1) * (values[i] - bias) ** 2;
  }
  return { error, one, x, c: 0, cc: 0, cx: 0 };
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
