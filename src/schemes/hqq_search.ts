/**
 * Searches scales and zero points of HQQ: `C(C(c − z)·s)`, both kept in the type C.
 *
 * As `s·c + b` with b = −z·s, of which z has to be storable, they are fitted like any
 * scale and bias. That knows nothing of the roundings to C on the way to a value,
 * which count where zero points are large: with these, what was found is held to the
 * reference's numbers, which stay where they leave no more error.
 * src/kernels/wasm/zero_fit.ts does the same to the bit.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { roundHalfToEven } from "../numeric/rounding.ts";
import { exploreAffine } from "./affine_explore.ts";
import {
  type AffineNumbers,
  type AffineStore,
  fitAffineGroup,
} from "./affine_fit.ts";
import { fitZeros } from "./affine_kernel.ts";
import type { HqqPlan } from "./hqq.ts";
import type { Group } from "./ladder.ts";
import type { Outcome } from "./search_kernel.ts";
import { affineIn, type SearchPlan } from "./searched.ts";
import { BIAS_SEARCHES } from "./sought.ts";

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
  const store = storeOf(plan), round = roundTo(plan.computeDtype);
  const { both } = affineIn(plan.computeDtype);
  return {
    able: BIAS_SEARCHES,
    refit(group, { tile, area, first }, search): boolean {
      const { scale, zero } = tile.fields;
      const start = { scale: round(scale[area]), zero: round(zero[area]) };
      const starts = [biasedOf(start), exploreAffine(group, search)];
      const fit = fitAffineGroup(group, store, starts);
      if (!fit) return false;
      // The product of two float32 is exact in float64, and so is what is divided.
      const found = { scale: fit.scale, zero: -fit.bias / fit.scale };
      const before = levelsAt(plan, start), after = levelsAt(plan, found);
      const isBetter = errorWith(group, after) < errorWith(group, before);
      if (isBetter) {
        scale[area] = found.scale;
        zero[area] = found.zero;
      }
      const levels = isBetter ? after : before;
      if (areFinite(levels)) {
        roundToLevels(group.values, levels, tile.codes.subarray(first));
      }
      return true;
    },
    refitTile: (searched, search): Outcome =>
      fitZeros(searched, search, both, plan.roundZero),
  };
}

function biasedOf({ scale, zero }: HqqNumbers): AffineNumbers {
  return { scale, bias: -zero * scale };
}

/** What codes stand for, as the scheme has it. */
function levelsAt(
  { computeDtype }: HqqPlan,
  { scale, zero }: HqqNumbers,
): Float32Array {
  const round = roundTo(computeDtype);
  return Float32Array.from(
    { length: 16 },
    (_, code) => round(Math.fround(round(Math.fround(code - zero)) * scale)),
  );
}

/** Numbers that are too large for the type have levels that no value is near. */
function areFinite(levels: Float32Array): boolean {
  return levels.every(Number.isFinite);
}

/** The code whose level is nearest to a value, of two the smaller one. */
function nearestLevel(x: number, levels: Float32Array): number {
  let best = 0, least = Infinity;
  for (let code = 0; code < levels.length; code++) {
    const off = Math.abs(x - levels[code]);
    if (!(off < least)) continue;
    least = off;
    best = code;
  }
  return best;
}

/** The weighted squared error with the nearest levels: every other value in a sum of its own. */
function errorWith(
  { values, weights }: Group,
  levels: Float32Array,
): number {
  if (!areFinite(levels)) return Infinity;
  let error = 0, other = 0;
  for (let i = 0; i < values.length; i++) {
    const off = Math.abs(values[i] - levels[nearestLevel(values[i], levels)]);
    const next = error + (weights?.[i] ?? 1) * (off * off);
    error = other;
    other = next;
  }
  return error + other;
}

function roundToLevels(
  values: Float32Array,
  levels: Float32Array,
  codes: Uint8Array,
): void {
  for (let i = 0; i < values.length; i++) {
    codes[i] = nearestLevel(values[i], levels);
  }
}
