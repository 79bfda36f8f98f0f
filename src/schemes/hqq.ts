/**
 * HQQ's arithmetic: `s·(c − z)` with zero points that are floats; `formats/hqq.ts` has
 * the formulas.
 *
 * @module
 */
import { DTYPE_NAMES } from "../numeric/compute.ts";
import { NonFinite, type Overflow, ScaleOverflow } from "../numeric/finite.ts";
import { roundHalfToEven } from "../numeric/rounding.ts";
import type { ComputeDtype, EncodeContext, Scheme } from "../words/scheme.ts";
import {
  areaNumber,
  firstOfArea,
  indexInTensor,
  type Span,
  type Tile,
} from "../words/tile.ts";
import { UINT4 } from "./grids.ts";
import { encodeSteps } from "./tile_codes.ts";
import { decodeGroups } from "./tile_values.ts";
import { isHeld, numbersOfGroups, rangesOfGroups } from "./tiles.ts";

const { abs, fround, max, min } = Math;

/** What makes one scheme different from another. */
export interface HqqPlan {
  /** The area that shares a scale. */
  readonly group: Span;
  /** Whether zero points are whole numbers. */
  readonly roundZero: boolean;
  /** The type of scales, zero points and values. */
  readonly computeDtype: ComputeDtype;
}

/** Makes a scheme. */
export function hqqScheme(plan: HqqPlan): Scheme {
  const { group, computeDtype } = plan;
  return {
    grid: UINT4,
    form: "s·(c − z)",
    fields: { scale: { span: group }, zero: { span: group } },
    groupedBy: "scale",
    computeDtype,
    // Ranges beyond a window are those of rows.
    byRange: group.rows === 1,
    checks: true,
    encode: (values, tile, context) => encode(plan, values, tile, context),
    decode: (tile, out) => decode(plan, tile, out),
  };
}

/** What is found for a group: by how much values are multiplied, and what is added. */
interface Fit {
  readonly factor: number;
  readonly zero: number;
}

/** The range under which a group is taken for one value. */
const NARROW = fround(1e-4);

/** The largest factor. */
const LARGEST_FACTOR = 2e4;

/** Magnitudes whose zero point is finite whatever the factor; a little less, for roundings. */
const LIMITS: Readonly<Record<ComputeDtype, number>> = {
  F16: 3.2,
  BF16: 1.6e34,
  F32: 1.6e34,
};

function fitOf(low: number, high: number, roundZero: boolean): Fit {
  const range = fround(high - low);
  const factor = abs(range) <= NARROW
    ? 1
    : min(fround(fround(1 / range) * 15), LARGEST_FACTOR);
  const zero = fround(-low * factor);
  return { factor, zero: roundZero ? roundHalfToEven(zero) : zero };
}

function fitGroup(
  { group, roundZero, computeDtype }: HqqPlan,
  low: number,
  high: number,
  overflow: Overflow,
  area: number,
  tile: Tile,
): Fit {
  const found = fitOf(low, high, roundZero);
  const fits = isHeld(fround(1 / found.factor), computeDtype) &&
    isHeld(found.zero, computeDtype);
  if (fits || overflow === "keep") return found;
  if (overflow === "clamp") {
    const limit = LIMITS[computeDtype];
    return fitOf(max(low, -limit), min(high, limit), roundZero);
  }
  const index = indexInTensor(tile, firstOfArea(tile, group, area));
  const number = areaNumber(tile.matrix, group, index);
  throw new ScaleOverflow(number, index, DTYPE_NAMES[computeDtype]);
}

function encode(
  plan: HqqPlan,
  values: Float32Array,
  tile: Tile,
  { ranges, overflow = "throw" }: EncodeContext,
): void {
  const { scale, zero } = tile.fields;
  let mins = ranges?.min, maxs = ranges?.max;
  if (!mins || !maxs) {
    mins = numbersOfGroups(tile, scale.length);
    maxs = numbersOfGroups(tile, scale.length);
    if (!rangesOfGroups(values, tile, plan.group, mins, maxs)) {
      throw new NonFinite();
    }
  }
  const factors = tile.memory(scale.length);
  for (let area = 0; area < scale.length; area++) {
    const low = mins[area], high = maxs[area];
    const fit = fitGroup(plan, low, high, overflow, area, tile);
    factors[area] = fit.factor;
    scale[area] = fround(1 / fit.factor);
    zero[area] = fit.zero;
  }
  encodeSteps(values, tile, plan.group, factors, zero, "multiplyAdd");
}

function decode(
  { group, computeDtype }: HqqPlan,
  tile: Tile,
  out: Float32Array,
): void {
  const { scale, zero } = tile.fields;
  const lookup = {
    values: UINT4.values,
    offset: "step",
    computeDtype,
  } as const;
  decodeGroups(tile, group, scale, zero, lookup, out);
}
