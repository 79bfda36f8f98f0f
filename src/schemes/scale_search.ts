/**
 * The best stored scale of a group, for any grid, any weights and any way to
 * store it.
 *
 * For codes q with P = Σ w·x·q and Q = Σ w·q², the scale t leaves the squared
 * error Σ w·x² − (2·t·P − t²·Q): that last term is the score. For given codes the
 * best t is the storable one nearest to P / Q; for a given t the best codes are
 * the nearest. So nothing is lost by looking only at codes that some scale rounds
 * to, with the storable scale next to their P / Q.
 *
 * To the bit: P, Q and score in float64, sums in the order of {@linkcode cornerAt}; of
 * equal scores the larger scale wins, and a positive one before a negative one. The
 * codes are those nearest at the scale found; of two the one further from 0.
 *
 * @module
 */
import {
  cornerAt,
  type Group,
  isEven,
  type Ladder,
  type Ladders,
  mirrored,
} from "./ladder.ts";
import { climbHull, type ScalePoint } from "./optimal_scale.ts";
import {
  type ListedScales,
  nearestListed,
  nearestStored,
  type StoredScales,
} from "./stored_scale.ts";

/** A scale and what it is worth. */
export interface FoundScale {
  /** What values of the grid are multiplied by, as it is stored; 0 where none is better than nothing. */
  readonly scale: number;
  /** By how much it makes the squared error less than Σ w·x². */
  readonly score: number;
}

/** The best so far: of equal ones the larger scale, which a negative one never is. */
class Best implements FoundScale {
  scale = 0;
  score = 0;
  readonly #stored: StoredScales;
  #sign = 1;

  constructor(stored: StoredScales) {
    this.#stored = stored;
  }

  /** From now on corners are those of one side. */
  turnTo({ sign }: Side): void {
    this.#sign = sign;
  }

  /** Takes the codes of a corner, with the stored scale that suits them best. */
  take = (corner: ScalePoint): void => {
    if (!(corner.p > 0 && corner.q > 0)) return;
    this.takeScale(corner, nearestStored(this.#stored, corner.p / corner.q));
  };

  /** Takes the codes of a corner with a certain scale. */
  takeScale({ p, q }: ScalePoint, scale: number): void {
    const score = scale * (2 * p - scale * q);
    const signed = scale * this.#sign;
    if (
      score > this.score ||
      (score === this.score && score > 0 && signed > this.scale)
    ) {
      this.score = score;
      this.scale = signed;
    }
  }
}

/** A search: looks at a group whose largest magnitude is not 0, positive scales only. */
type Search = (
  group: Group,
  ladders: Ladders,
  stored: StoredScales,
  best: Best,
) => void;

/** A group as scales of one sign see it. */
interface Side {
  /** −1 where values are mirrored. */
  readonly sign: 1 | -1;
  /** The values, mirrored or not. */
  readonly group: Group;
  /** Where its scales are looked for. */
  readonly extent: Extent;
}

/** The sides that have any scales, the positive one first. */
function sidesOf(
  group: Group,
  ladders: Ladders,
  stored: StoredScales,
): Side[] {
  const sideOf = (sign: 1 | -1, group: Group): Side => (
    { sign, group, extent: extentOf(group, ladders) }
  );
  const sides = [sideOf(1, group)];
  if (stored.kind === "rounded" && stored.signed) {
    sides.push(sideOf(-1, mirrored(group)));
  }
  return sides.filter(({ extent }) => extent.none > 0);
}

function searchBy(
  search: Search,
  group: Group,
  ladders: Ladders,
  stored: StoredScales,
): FoundScale {
  const best = new Best(stored);
  for (const side of sidesOf(group, ladders, stored)) {
    best.turnTo(side);
    search(side.group, ladders, stored, best);
  }
  return best;
}

/**
 * Scales that a search starts at, over the one that puts the largest value on the
 * last level: densest where the best one mostly is.
 */
export const STARTS: readonly number[] = [
  ...[2.5, 1.6, 1.3, 1.15, 1.05],
  ...[0.97, 0.9, 0.83, 0.75],
];

/** The ranges of a group that decide where scales have to be looked for. */
interface Extent {
  /** The largest scale with which no value goes beyond its last level. */
  readonly full: number;
  /** A scale at which no value leaves its first level. */
  readonly none: number;
  /** A scale at which every value but 0 is on its last level. */
  readonly all: number;
}

/** The last threshold; 0 where there is none. */
function last({ thresholds }: Ladder): number {
  return thresholds.length > 0 ? thresholds[thresholds.length - 1] : 0;
}

/** By how much the ends lie beyond the first and the last change of a code. */
const BEYOND = 1 + 2 ** -20;

function extentOf({ values }: Group, { up, down }: Ladders): Extent {
  let high = 0, low = 0, least = Infinity;
  for (const x of values) {
    if (x > high) high = x;
    else if (-x > low) low = -x;
    if (x !== 0) least = Math.min(least, Math.abs(x));
  }
  // A ladder of one level has no end that values could go beyond.
  const over = (magnitude: number, bound: number | undefined) =>
    bound === undefined ? 0 : magnitude / Math.abs(bound);
  const top = ({ levels, thresholds }: Ladder) =>
    thresholds.length > 0 ? levels[levels.length - 1] : undefined;
  return {
    full: Math.max(over(high, top(up)), over(low, top(down))),
    none: BEYOND *
      Math.max(over(high, up.thresholds[0]), over(low, down.thresholds[0])),
    all: least / Math.max(last(up), last(down)) / BEYOND,
  };
}

/** Takes the corners at the starting scales; gives them with the two ends that nothing lies beyond. */
const takeStarts = (
  group: Group,
  ladders: Ladders,
  best: Best,
): ScalePoint[] => {
  const { full, none, all } = extentOf(group, ladders);
  const scales = STARTS.map((start) => start * full)
    .filter((scale) => scale > all && scale < none);
  const points = [none, ...scales, all].map((scale) =>
    cornerAt(group, ladders, scale)
  );
  points.forEach(best.take);
  return points;
};

/** Corners whose bound is this little below the best score are looked at as well: bounds are rounded, too. */
const SLACK = 1 - 1e-9;

const hull: Search = (group, ladders, _stored, best) => {
  const points = takeStarts(group, ladders, best);
  climbHull(points, (scale) => cornerAt(group, ladders, scale), {
    least: () => best.score * SLACK,
    take: best.take,
  });
};

/**
 * Tries every scale of a list: that which suits the first levels best (it counts in
 * grids without 0), then from the largest that moves a value off them down to where what lies beyond the last levels costs more than the best
 * scale leaves.
 */
const scan: Search = (group, ladders, stored, best) => {
  const { scales } = stored as ListedScales;
  const { none } = extentOf(group, ladders), energy = energyOf(group);
  best.take(cornerAt(group, ladders, none));
  for (let i = lastBelow(scales, none); i >= 0; i--) {
    if (energy - clippingCost(group, ladders, scales[i]) < best.score * SLACK) {
      return;
    }
    best.takeScale(cornerAt(group, ladders, scales[i]), scales[i]);
  }
};

/** Which listed scales are tried in a hurry, over the one that puts the largest value on the last level. */
const LEAST_START = 0.9, MOST_START = 1.65;

/** Tries the scales of a list where the best one mostly is. */
const window: Search = (group, ladders, stored, best) => {
  const list = stored as ListedScales;
  const { full } = extentOf(group, ladders);
  const end = nearestListed(list, LEAST_START * full);
  for (let i = nearestListed(list, MOST_START * full); i >= end; i--) {
    const scale = list.scales[i];
    best.takeScale(cornerAt(group, ladders, scale), scale);
  }
};

/** Index of the last number below a bound; 0 where there is none. */
function lastBelow(ascending: ArrayLike<number>, bound: number): number {
  let index = ascending.length - 1;
  while (index > 0 && !(ascending[index] < bound)) index--;
  return index;
}

function energyOf({ values, weights }: Group): number {
  let sum = 0;
  values.forEach((x, i) => sum += x * x * (weights?.[i] ?? 1));
  return sum;
}

/** What is lost for sure at a scale and at all smaller ones: values beyond the last level. */
function clippingCost(
  { values, weights }: Group,
  { largest }: Ladders,
  scale: number,
): number {
  let cost = 0;
  for (let i = 0; i < values.length; i++) {
    const beyond = Math.abs(values[i]) - largest * scale;
    if (beyond > 0) cost += beyond * beyond * (weights?.[i] ?? 1);
  }
  return cost;
}

/** Two scales at which codes change differ by more than this, and rounding by less. */
const JUST_BELOW = 1 - 2 ** -50;

const sweep: Search = (group, ladders, _stored, best) => {
  const scales = [extentOf(group, ladders).none];
  for (const x of group.values) {
    const { thresholds } = x < 0 ? ladders.down : ladders.up;
    for (const threshold of thresholds) {
      if (x !== 0) scales.push(Math.abs(x) / threshold * JUST_BELOW);
    }
  }
  scales.sort((a, b) => b - a);
  for (const scale of scales) best.take(cornerAt(group, ladders, scale));
};

/**
 * The best scale of all, with a proof.
 *
 * @param group The values and their weights.
 * @param ladders The grid.
 * @param stored What scales there are.
 * @returns The scale; 0 where values or weights are all 0.
 */
export function optimalStoredScale(
  group: Group,
  ladders: Ladders,
  stored: StoredScales,
): FoundScale {
  const search = stored.kind === "listed" ? scan : hull;
  return searchBy(search, group, ladders, stored);
}

/** What a search in a hurry tries, over the scale that puts the largest value on the last level. */
export const FEW_STARTS: readonly number[] = [1.04, 0.97, 0.9, 0.83];

/**
 * Sides that are worth a hurried look: on a grid of whole numbers both have the same
 * levels, but for the last one, so that the side with more room is enough.
 */
function roomySides(sides: Side[], ladders: Ladders): Side[] {
  if (sides.length < 2 || !isEven(ladders)) return sides;
  const [up, down] = sides;
  return [down.extent.full < up.extent.full ? down : up];
}

/** The best of the codes at a few scales: quick, and short of the best by little. */
export function fastStoredScale(
  group: Group,
  ladders: Ladders,
  stored: StoredScales,
): FoundScale {
  if (stored.kind === "listed") return searchBy(window, group, ladders, stored);
  const best = new Best(stored);
  const sides = roomySides(sidesOf(group, ladders, stored), ladders);
  const takeAt = (scalesOf: (extent: Extent) => readonly number[]) => {
    for (const side of sides) {
      best.turnTo(side);
      for (const scale of scalesOf(side.extent)) {
        best.take(cornerAt(side.group, ladders, scale));
      }
    }
  };
  takeAt(({ full }) => FEW_STARTS.map((start) => start * full));
  // Where weights leave only values that are nothing beside the largest.
  if (best.score === 0) takeAt(({ none, all }) => [none, all]);
  return best;
}

/** The same as {@linkcode optimalStoredScale} by trying every scale at which a code changes: slow, and plain enough to judge it by. */
export function sweptStoredScale(
  group: Group,
  ladders: Ladders,
  stored: StoredScales,
): FoundScale {
  return searchBy(sweep, group, ladders, stored);
}
