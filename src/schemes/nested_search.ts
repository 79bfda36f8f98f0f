/**
 * Searches scales that are numbers of a table, stretched and moved for many groups
 * together: those that bitsandbytes quantizes to 8 bits in turn.
 *
 * The mean and the nested scale stay those of the reference, so that every group has
 * 256 scales to choose from, and the best of these is found.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { runs, type Tile } from "../words/tile.ts";
import { scaleOfCode } from "./codebook.ts";
import type { Outcome, SearchedTile } from "./search_kernel.ts";
import { scalePlan, type SearchPlan } from "./searched.ts";
import { listedScales, type StoredScales } from "./stored_scale.ts";

/** What scales are made of. */
export interface NestedGroups {
  /** What the codes of values stand for. */
  readonly levels: readonly number[];
  /** How many values share a scale. */
  readonly blockSize: number;
  /** How many scales share a nested one. */
  readonly blocks: number;
  /** What values are rounded to. */
  readonly computeDtype: ComputeDtype;
}

/** Searches groups of the scheme of codebook.ts with nested scales. */
export function nestedPlan(
  { levels, blockSize, blocks, computeDtype }: NestedGroups,
): SearchPlan {
  const plan = scalePlan(levels, "scaleCode", scalesOf(computeDtype));
  const size = blockSize * blocks;
  return {
    able: plan.able,
    refit(group, { tile, area, first }, search): boolean {
      const number = Math.floor(area / blocks);
      const own = nestedTile(tile, number, size, blocks);
      const at = number * size;
      return plan.refit(group, {
        tile: own,
        area: area - number * blocks,
        first: first - at,
      }, search);
    },
    refitTile({ values, weights, tile, span }, search): Outcome {
      let all: Outcome = "done";
      for (
        const { first, count, area } of runs(tile, { rows: 1, columns: size })
      ) {
        const part: SearchedTile = {
          values: values.subarray(first, first + count),
          weights: weights?.subarray(first, first + count),
          tile: nestedTile(tile, area, size, blocks),
          span,
        };
        const outcome = plan.refitTile!(part, search);
        if (outcome === "unable") return outcome;
        if (outcome === "left") all = outcome;
      }
      return all;
    },
  };
}

/** The part of a tile that shares a nested scale; tiles begin where one does. */
function nestedTile(
  tile: Tile,
  number: number,
  size: number,
  blocks: number,
): Tile {
  const at = number * size, { scaleCode, nestedScale } = tile.fields;
  return {
    ...tile,
    column: tile.column + at,
    columns: Math.min(size, tile.columns - at),
    codes: tile.codes.subarray(at, at + size),
    fields: {
      ...tile.fields,
      scaleCode: scaleCode.subarray(number * blocks, (number + 1) * blocks),
      nestedScale: nestedScale.subarray(number, number + 1),
    },
  };
}

const CODES: readonly number[] = Array.from({ length: 256 }, (_, code) => code);

/** The scales of a nested scale: made anew where that or the mean is another. */
function scalesOf(computeDtype: ComputeDtype): (tile: Tile) => StoredScales {
  const round = roundTo(computeDtype);
  let nested: number | undefined, mean: number | undefined;
  let scales: StoredScales | undefined;
  return ({ fields: { nestedTable, nestedScale, offset } }) => {
    if (scales && nestedScale[0] === nested && offset[0] === mean) {
      return scales;
    }
    [nested] = nestedScale;
    [mean] = offset;
    return scales = listedScales(
      CODES,
      (code) => scaleOfCode(nestedTable, code, nestedScale[0], offset[0]),
      (scale) => Number.isFinite(round(scale)),
    );
  };
}
