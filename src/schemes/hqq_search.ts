/**
 * Searches scales and zero points of HQQ: `C(C(c − z)·s)`, both kept in the type C.
 *
 * As `s·c + b` with b = −z·s, of which z has to be storable, they are fitted like any
 * scale and bias. That knows nothing of the roundings to C on the way to a value,
 * which count where zero points are large: the scheme's own decoder judges, and the
 * reference's numbers stay where it sees no less error with others.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { roundHalfToEven } from "../numeric/rounding.ts";
import type { Tile } from "../words/tile.ts";
import type { AffineStore } from "./affine_fit.ts";
import { type HqqPlan, hqqScheme } from "./hqq.ts";
import type { Group } from "./ladder.ts";
import { affineIn, biasPlan, type SearchPlan } from "./searched.ts";

/** Scale and zero point as they are stored. */
interface HqqNumbers {
  readonly scale: number;
  readonly zero: number;
}

/** How scale and bias are stored: a bias as the zero point that is nearest. */
function storeOf({ computeDtype, roundZero }: HqqPlan): AffineStore {
  const nearest = affineIn(computeDtype);
  return {
    scale: nearest.scale,
    bias(exact, scale) {
      if (scale === 0) return 0;
      const exactZero = -exact / scale;
      const zero = roundZero ? roundHalfToEven(exactZero) : exactZero;
      return -nearest.bias(zero, scale) * scale;
    },
  };
}

/**
 * Searches groups of a scheme.
 *
 * @param plan What makes it different from others.
 */
export function hqqSearch(plan: HqqPlan): SearchPlan {
  const fit = biasPlan(storeOf(plan)), levelsAt = decoderOf(plan);
  const round = roundTo(plan.computeDtype);
  return {
    able: fit.able,
    refit(group, { tile, area, first }, search): boolean {
      const { scale, zero } = tile.fields;
      const start = { scale: round(scale[area]), zero: round(zero[area]) };
      const own = biasTile(tile, start, group.values.length);
      if (!fit.refit(group, { tile: own, area: 0, first: 0 }, search)) {
        return false;
      }
      const found = numbersOf(own, plan), codes = tile.codes.subarray(first);
      const error = roundToLevels(group, levelsAt(found), codes);
      const levels = levelsAt(start);
      if (roundToLevels(group, levels, own.codes) <= error) {
        codes.set(own.codes);
        return true;
      }
      scale[area] = found.scale;
      zero[area] = found.zero;
      return true;
    },
  };
}

/** A tile of one group with a bias in place of the zero point. */
function biasTile(
  tile: Tile,
  { scale, zero }: HqqNumbers,
  columns: number,
): Tile {
  return {
    ...tile,
    ...{ row: 0, rows: 1, column: 0, columns },
    codes: new Uint8Array(columns),
    fields: {
      scale: Float32Array.of(scale),
      bias: Float32Array.of(-zero * scale),
    },
  };
}

/** The numbers that were found as scale and bias; a bias in float32 may be next to that of its zero point. */
function numbersOf({ fields }: Tile, plan: HqqPlan): HqqNumbers {
  const [scale] = fields.scale, [bias] = fields.bias;
  const zero = roundTo(plan.computeDtype)(-bias / scale);
  return { scale, zero: plan.roundZero ? roundHalfToEven(zero) : zero };
}

const CODES = Uint8Array.from({ length: 16 }, (_, code) => code);

/** What codes stand for, by the scheme itself. */
function decoderOf(
  plan: HqqPlan,
): (numbers: HqqNumbers) => Float32Array {
  const matrix = { rows: 1, columns: CODES.length };
  const { decode } = hqqScheme({ ...plan, group: matrix });
  return ({ scale, zero }) => {
    const levels = new Float32Array(CODES.length);
    decode({
      matrix,
      ...{ row: 0, column: 0, ...matrix },
      codes: CODES,
      fields: { scale: Float32Array.of(scale), zero: Float32Array.of(zero) },
      memory: (length) => new Float32Array(length),
    }, levels);
    return levels;
  };
}

/** Finds the nearest codes, of two the smaller one; gives the weighted squared error. */
function roundToLevels(
  { values, weights }: Group,
  levels: Float32Array,
  codes: Uint8Array,
): number {
  // Numbers that are too large for the type have levels that no value is near.
  if (!levels.every(Number.isFinite)) return Infinity;
  let error = 0;
  for (let i = 0; i < values.length; i++) {
    let best = 0, least = Infinity;
    for (let code = 0; code < levels.length; code++) {
      const off = Math.abs(values[i] - levels[code]);
      if (!(off < least)) continue;
      least = off;
      best = code;
    }
    codes[i] = best;
    error += (weights?.[i] ?? 1) * least * least;
  }
  return error;
}
