/**
 * The two grids that rows are rounded to.
 *
 * @module
 */
import { type MirrorGrid, mirrorGrid } from "../schemes/optimal_scale.ts";

/** The name of a grid. */
export type GridName = "uniform" | "lloyd";

/** A grid, and how a scan reads its codes. */
export interface SearchGrid extends MirrorGrid {
  /** Its name. */
  readonly name: GridName;
  /** What the sixteen codes stand for, ascending; to be multiplied by the row's scale. */
  readonly values: Int8Array;
  /**
   * A scan adds up sixteen numbers that are no less than 0, so that they fit in
   * the halves of a word without their signs: value = slope · plain + intercept.
   */
  readonly plain: Uint8Array;
  readonly slope: number;
  readonly intercept: number;
}

function searchGrid(
  name: GridName,
  positive: readonly number[],
  slope: number,
): SearchGrid {
  const values = Int8Array.from([
    ...positive.toReversed().map((level) => -level),
    ...positive,
  ]);
  // Levels of the uniform grid are odd, so that codes themselves can be added up.
  const intercept = slope === 1 ? -128 : values[0];
  const plain = Uint8Array.from(values, (v) => (v - intercept) / slope);
  return { ...mirrorGrid(positive), name, values, plain, slope, intercept };
}

/** The grids by name. */
export const GRIDS: Readonly<Record<GridName, SearchGrid>> = {
  /** Sixteen levels at equal distances, none of them 0. */
  uniform: searchGrid("uniform", [1, 3, 5, 7, 9, 11, 13, 15], 2),
  /** The levels that suit normally distributed values best (Lloyd and Max), in int8. */
  lloyd: searchGrid("lloyd", [6, 18, 31, 44, 58, 75, 96, 127], 1),
};
