/**
 * Schemes whose numbers are searched: what another scheme finds, and then every
 * group anew. The bytes mean the same.
 *
 * Where no numbers are better than none (values or weights are all 0, or too
 * small for the type of the scale), a group stays as the other scheme has it.
 *
 * @module
 */
import {
  isSearched,
  type ResolvedSearchOptions,
  type ScaleSearch,
} from "../words/search.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import { indexInTensor, runs, type Span, type Tile } from "../words/tile.ts";
import { codesAtScale, type Group, type Ladders, laddersOf } from "./ladder.ts";
import {
  fastStoredScale,
  type FoundScale,
  optimalStoredScale,
} from "./scale_search.ts";
import { affineCodes, type AffineStore, fitAffineGroup } from "./affine_fit.ts";
import { effortOf, exploreAffine } from "./affine_explore.ts";
import { fitTile, type StoredNumbers } from "./affine_kernel.ts";
import { areScattered, gathered, scatterCodes } from "./gathered.ts";
import { UINT4 } from "./grids.ts";
import {
  type Outcome,
  type SearchedTile,
  searchTile,
  searchZeros,
} from "./search_kernel.ts";
import { BIAS_SEARCHES, SCALE_SEARCHES, ZERO_SEARCHES } from "./sought.ts";
import { nearestListed, roundedBy, type StoredScales } from "./stored_scale.ts";

/** Where the numbers of a group go. */
export interface GroupPlace {
  /** The tile. */
  readonly tile: Tile;
  /** Index of the group in the fields of its span. */
  readonly area: number;
  /** Index of its first code. */
  readonly first: number;
}

/**
 * Finds numbers and codes of a group and puts them in their place; says whether
 * there are any that are better than none.
 */
export type Refit = (
  group: Group,
  place: GroupPlace,
  search: ScaleSearch,
) => boolean;

/** How the groups of a format are searched. */
export interface SearchPlan {
  /** The searches that it can do beside the reference. */
  readonly able: readonly ScaleSearch[];
  /** The area that is searched together; that of the field by which the scheme groups, by default. */
  readonly span?: Span;
  /** Whether it needs nothing of what the other scheme finds, which is asked where values may be refused or groups stay as they are. */
  readonly isAlone?: boolean;
  /** Searches one. */
  readonly refit: Refit;
  /** The same for the groups of a tile, where it helps to look at all of them at once before. */
  readonly refitIn?: (searched: SearchedTile, search: ScaleSearch) => Refit;
  /** Searches all of a tile at once, each value by its weight, to the same bits; where that is not always possible, it says so. */
  readonly refitTile?: (searched: SearchedTile, search: ScaleSearch) => Outcome;
}

/**
 * Makes a scheme that searches.
 *
 * @param scheme How the format finds its numbers without.
 * @param plan How it searches.
 * @param options What is asked for; with `"reference"` the scheme stays as it is.
 * @param columns How many columns there are weights for: the last axis.
 */
export function searchedBy(
  scheme: Scheme,
  plan: SearchPlan,
  options: ResolvedSearchOptions,
  columns: number,
): Scheme {
  if (!isSearched(options)) return scheme;
  const field = scheme.fields[scheme.groupedBy];
  const { span = field.span } = plan, search = options.search!;
  // Nothing else is to be found where a group has one number.
  const alone = Object.keys(scheme.fields).length === 1;
  return {
    ...scheme,
    byRange: undefined,
    checks: undefined,
    together: field.shared ? togetherOf(span, scheme) : scheme.together,
    encode(values, tile, given): void {
      // What is searched are the values as they are.
      const context = { ...given, own: false };
      const weights = options.importance &&
        weightsOf(options.importance, columns, tile);
      const searched = { values, weights, tile, span };
      if (areScattered(tile, span)) {
        scheme.encode(values, tile, context);
        const groups = gathered(searched);
        refitAll(plan, groups, search);
        return scatterCodes(groups.tile, tile, span);
      }
      if (plan.isAlone && areSurelyHeld(values)) {
        if (refitAll(plan, searched, search)) return;
      }
      const outcome = alone ? plan.refitTile?.(searched, search) : undefined;
      if (outcome === "done") return;
      scheme.encode(values, tile, context);
      if (outcome === "unable") refitGroups(plan.refit, searched, search);
      else refitAll(plan, searched, search);
    },
  };
}

/** A field of the whole tensor takes all of its values at once, and what has to be quantized together anyway. */
function togetherOf(
  { rows, columns }: Span,
  { together }: Scheme,
): Span {
  return { rows, columns: Math.max(columns, together?.columns ?? 1) };
}

/** A magnitude whose numbers every type holds: beyond it, the other scheme may have to refuse a value. */
const SURELY_HELD = 32768;

function areSurelyHeld(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) {
    if (!(Math.abs(values[i]) <= SURELY_HELD)) return false;
  }
  return true;
}

/** Searches all groups, together where that is possible; says whether all have new numbers. */
function refitAll(
  { refit, refitIn, refitTile }: SearchPlan,
  searched: SearchedTile,
  search: ScaleSearch,
): boolean {
  const outcome = refitTile?.(searched, search) ?? "unable";
  if (outcome !== "unable") return outcome === "done";
  const one = refitIn?.(searched, search) ?? refit;
  return refitGroups(one, searched, search);
}

/** The same for one group after the other. */
function refitGroups(
  refit: Refit,
  { values, weights, tile, span }: SearchedTile,
  search: ScaleSearch,
): boolean {
  let all = true;
  for (const { first, count, area } of groupsOf(tile, span)) {
    const group: Group = {
      values: values.subarray(first, first + count),
      weights: weights?.subarray(first, first + count),
    };
    const place = { tile, area, first };
    let done = refit(group, place, search);
    // Weights of 0 alone: the columns count all the same.
    if (!done && group.weights?.every((weight) => weight === 0)) {
      done = refit({ values: group.values }, place, search);
    }
    all &&= done;
  }
  return all;
}

/** The groups of a tile: stretches of a row, or all of it. */
function groupsOf(tile: Tile, span: Span) {
  return span.rows === 1
    ? runs(tile, span)
    : [{ first: 0, count: tile.rows * tile.columns, area: 0 }];
}

/** The weight of every value of a tile. */
function weightsOf(
  importance: Float32Array,
  columns: number,
  tile: Tile,
): Float32Array {
  const count = tile.rows * tile.columns, weights = tile.memory(count);
  for (let row = 0; row < tile.rows; row++) {
    const first = row * tile.columns, start = indexInTensor(tile, first);
    for (let i = 0; i < tile.columns; i++) {
      weights[first + i] = importance[(start + i) % columns];
    }
  }
  return weights;
}

/** What the codes of a scheme are before scaling: its grid, less its zero point. */
export function levelsOf(
  { grid, form }: Pick<Scheme, "grid" | "form">,
  zero: number,
): readonly number[] {
  return form === "s·(c − z)" ? grid.values.map((g) => g - zero) : grid.values;
}

/**
 * Searches groups that have a scale and nothing else.
 *
 * @param levels What codes stand for before scaling.
 * @param role The field of the scale.
 * @param storedOf What scales there are, by the other fields of a tile.
 */
export function scalePlan(
  levels: readonly number[],
  role: string,
  storedOf: (tile: Tile) => StoredScales,
): SearchPlan {
  // Plans are made for every tensor, and ladders take their time.
  let made: Ladders | undefined;
  const ladders = () => made ??= laddersOf(levels);
  return {
    able: SCALE_SEARCHES,
    refit(group, { tile, area, first }, search): boolean {
      const stored = storedOf(tile);
      if (isEmpty(stored)) return false;
      const find = search === "fast" ? fastStoredScale : optimalStoredScale;
      const found = find(group, ladders(), stored);
      if (found.scale === 0) return false;
      tile.fields[role][area] = fieldOf(stored, found);
      codesAtScale(group.values, ladders(), found.scale, tile.codes, first);
      return true;
    },
    refitTile(searched, search): Outcome {
      const stored = storedOf(searched.tile);
      if (isEmpty(stored)) return "left";
      return searchTile(searched, role, { ladders: ladders(), stored, search });
    },
  };
}

function isEmpty(stored: StoredScales): boolean {
  return stored.kind === "listed" && stored.scales.length === 0;
}

function fieldOf(stored: StoredScales, { scale }: FoundScale): number {
  return stored.kind === "listed"
    ? stored.fields[nearestListed(stored, scale)]
    : stored.fieldOf?.(scale) ?? scale;
}

// ---- a zero point or a bias beside the scale ----

/** How many zero points on either side of the first one are tried. */
const REACH: Readonly<Record<ScaleSearch, number>> = {
  reference: 0,
  fast: 1,
  best: 2,
  optimal: 15,
};

let byZero: readonly Ladders[] | undefined;

/** The grids of 0 … 15 less each zero point. */
function laddersByZero(): readonly Ladders[] {
  return byZero ??= UINT4.values.map((zero) =>
    laddersOf(UINT4.values.map((code) => code - zero))
  );
}

/**
 * Searches groups that have a scale and a zero point of 0 … 15: the best scale for
 * every zero point is found as for a single scale, so that of all of them is the
 * best there is. `"best"` looks at the zero points around the first one. Of equal
 * ones the smaller zero point stays.
 *
 * @param stored What scales there are.
 * @param least The smallest zero point.
 */
export function zeroPlan(stored: StoredScales, least = 0): SearchPlan {
  return {
    able: ZERO_SEARCHES,
    refit(group, { tile, area, first }, search): boolean {
      const all = laddersByZero();
      const find = search === "fast" ? fastStoredScale : optimalStoredScale;
      const { scale, zero } = tile.fields, from = zero[area];
      let best: FoundScale = { scale: 0, score: 0 };
      for (let z = least; z <= 15; z++) {
        // Where values were too large for the reference its zero point is NaN, and all are tried.
        if (Math.abs(z - from) > REACH[search]) continue;
        const found = find(group, all[z], stored);
        if (!(found.score > best.score)) continue;
        best = found;
        zero[area] = z;
      }
      if (best.scale === 0) return false;
      scale[area] = best.scale;
      const ladders = all[zero[area]];
      codesAtScale(group.values, ladders, best.scale, tile.codes, first);
      return true;
    },
    refitTile(searched, search): Outcome {
      // To the kernel all searches but "fast" are the same, within their reach.
      const way = search === "fast" ? search : "optimal";
      const jobs = laddersByZero().map((ladders) => ({
        ladders,
        stored,
        search: way as ScaleSearch,
      }));
      return searchZeros(searched, jobs, least, REACH[search]);
    },
  };
}

/**
 * Searches groups that have a scale and a bias.
 *
 * @param store How they are stored.
 */
export function biasPlan(store: FloatStore): SearchPlan {
  return {
    able: BIAS_SEARCHES,
    refit(group, { tile, area, first }, search): boolean {
      const { scale, bias } = tile.fields;
      const start = { scale: scale[area], bias: bias[area] };
      const starts = [start, exploreAffine(group, effortOf(search))];
      const found = fitAffineGroup(group, store, starts);
      if (!found) return false;
      scale[area] = found.scale;
      bias[area] = found.bias;
      affineCodes(group.values, found, tile.codes, first);
      return true;
    },
    refitTile: (searched, search): Outcome =>
      fitTile(searched, search, store.both),
  };
}

/** Scale and bias that are stored in a type of their own. */
export interface FloatStore extends AffineStore {
  /** The type and the largest number of both. */
  readonly both: StoredNumbers;
}

/** Scale and bias in a float type, no beyond the largest. */
export function affineIn(dtype: ComputeDtype): FloatStore {
  const { nearest, largest } = roundedBy({ dtype, level: 16 });
  const signed = (x: number) => x < 0 ? -nearest(-x) : nearest(x);
  return { scale: signed, bias: signed, both: { dtype, largest } };
}
