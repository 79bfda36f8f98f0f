/**
 * What exploring finds for the groups of a tile: by the kernel for all of them at
 * once, or for one after the other, to the same bits.
 *
 * @module
 */
import type { ScaleSearch } from "../words/search.ts";
import {
  type AffineEffort,
  exploreAffine,
  HURRIED,
  numbersAt,
  STRONG,
} from "./affine_explore.ts";
import type { AffineNumbers } from "./affine_fit.ts";
import type { Group } from "./ladder.ts";
import { exploreTile, type SearchedTile } from "./search_kernel.ts";

/** The numbers that exploring finds for a group of a tile, if there are any. */
export type Explored = (
  group: Group,
  index: number,
  search: ScaleSearch,
) => AffineNumbers | undefined;

function effortOf(search: ScaleSearch): AffineEffort {
  return search === "fast" ? HURRIED : STRONG;
}

/** Explores a group by itself. */
export const exploreOne: Explored = (group, _index, search) =>
  exploreAffine(group, effortOf(search));

/**
 * Explores the groups of a tile.
 *
 * @param searched The tile.
 * @param search How much is looked at.
 */
export function exploredIn(
  searched: SearchedTile,
  search: ScaleSearch,
): Explored {
  const places = exploreTile(searched, effortOf(search));
  if (!places) return exploreOne;
  return (group, index, search) =>
    // Without the weights that it was explored with it is another group.
    searched.weights && !group.weights
      ? exploreOne(group, index, search)
      : numbersAt(group, places[2 * index], places[2 * index + 1]);
}
