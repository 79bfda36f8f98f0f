/**
 * Schemes on an even grid: `s·(c − z)` and `s·c + b`, scale and offset found
 * from the smallest and the largest value of a group.
 *
 * @module
 */
import { measureRange } from "../kernels/grouped.ts";
import { DTYPE_NAMES, roundTo } from "../numeric/compute.ts";
import { type Overflow, ScaleOverflow } from "../numeric/finite.ts";
import type {
  ComputeDtype,
  EncodeContext,
  Prepass,
  Ranges,
  Scheme,
} from "../words/scheme.ts";
import {
  areaNumber,
  type FieldPlans,
  indexInTensor,
  runs,
  type Span,
  type Tile,
} from "../words/tile.ts";
import { UINT4 } from "./grids.ts";
import {
  decodeGroups,
  encodeSteps,
  fitGroups,
  type FitRule,
  numbersOfGroups,
  rangesOfGroups,
  type Rounding as TileRounding,
  SURELY_HELD,
} from "./tiles.ts";

/** How a value becomes a code; with a bias, `"shift"` takes it off in place of adding the zero point. */
export type LinearRounding = Exclude<TileRounding, "shiftByBias">;

/** What makes one linear scheme different from another. */
export interface LinearPlan {
  /** The area that shares a scale. */
  readonly group: Span;
  /** The role of the offset: a zero point in codes, or a bias in values. Absent where it is always the same zero point. */
  readonly offset?: "zero" | "bias";
  /** The zero point where there is no field for it; 8 by default. */
  readonly zero?: number;
  /** Scale and offset of a group, in float32. */
  fit(min: number, max: number): readonly [scale: number, offset: number];
  /** The same in the kernels, which leave to it what `stored` may not hold. */
  readonly rule?: FitRule;
  /** How a value becomes a code. */
  readonly rounding: LinearRounding;
  /** The type that scale and bias are stored in; F32 by default. */
  readonly stored?: ComputeDtype;
  /** The largest magnitude of values whose scale and bias that type can hold. */
  readonly limit: number;
  /** In which dtype values are computed; F32 by default. */
  readonly computeDtype?: ComputeDtype;
  /** Whether one range for the whole tensor is needed first. */
  readonly prepass?: () => Prepass;
}

/** Makes a scheme. */
export function linearScheme(plan: LinearPlan): Scheme {
  const { group, offset, computeDtype = "F32" } = plan;
  const fields: FieldPlans = {
    scale: { span: group, shared: plan.prepass !== undefined },
    ...(offset &&
      { [offset]: { span: group, shared: plan.prepass !== undefined } }),
  };
  return {
    grid: UINT4,
    form: offset === "bias" ? "s·c + b" : "s·(c − z)",
    fields,
    constants: offset ? undefined : { zero: plan.zero ?? 8 },
    groupedBy: "scale",
    computeDtype,
    prepass: plan.prepass,
    byRange: true,
    encode: (values, tile, context) => encode(plan, values, tile, context),
    decode: (tile, out) => decode(plan, tile, out),
  };
}

// ---- quantizing ----

function encode(
  plan: LinearPlan,
  values: Float32Array,
  tile: Tile,
  { ranges, overflow = "throw" }: EncodeContext,
): void {
  const { group, offset } = plan, { scale } = tile.fields;
  const offsets = offset ? tile.fields[offset] : tile.memory(scale.length);
  const mins = numbersOfGroups(tile, scale.length);
  const maxs = numbersOfGroups(tile, scale.length);
  if (ranges) takeRanges(ranges, tile, group, mins, maxs);
  else rangesOfGroups(values, tile, group, mins, maxs);
  const { rule, stored = "F32" } = plan;
  if (!rule || !fitGroups(rule, stored, mins, maxs, scale, offsets)) {
    for (let area = 0; area < scale.length; area++) {
      const [min, max] = [mins[area], maxs[area]];
      const found = fitGroup(plan, min, max, overflow, area, tile);
      scale[area] = found[0];
      offsets[area] = found[1];
    }
  }
  encodeSteps(values, tile, group, scale, offsets, roundingOf(plan));
}

function roundingOf({ rounding, offset }: LinearPlan): TileRounding {
  return rounding === "shift" && offset === "bias" ? "shiftByBias" : rounding;
}

/** The ranges that were measured before: of the tensor, or of each group. */
function takeRanges(
  { min, max }: Ranges,
  tile: Tile,
  group: Span,
  mins: Float32Array,
  maxs: Float32Array,
): void {
  for (const { area } of runs(tile, group)) {
    const i = min.length === 1 ? 0 : area;
    mins[area] = min[i];
    maxs[area] = max[i];
  }
}

/** Scale and offset of a group, dealing with what cannot be stored. */
function fitGroup(
  plan: LinearPlan,
  min: number,
  max: number,
  overflow: Overflow,
  area: number,
  tile: Tile,
): readonly [scale: number, offset: number] {
  const { fit, limit, stored = "F32" } = plan;
  const found = fit(min, max);
  const fits = isHeld(found[0], stored) &&
    (plan.offset !== "bias" || isHeld(found[1], stored));
  if (fits || overflow === "keep") return found;
  if (overflow === "clamp") {
    return fit(Math.max(min, -limit), Math.min(max, limit));
  }
  const index = firstOf(area, plan.group, tile);
  const number = areaNumber(tile.matrix, plan.group, index);
  throw new ScaleOverflow(number, index, DTYPE_NAMES[stored]);
}

function isHeld(x: number, dtype: ComputeDtype): boolean {
  return Math.abs(x) <= SURELY_HELD[dtype] ||
    Number.isFinite(roundTo(dtype)(x));
}

/** Index in the whole tensor of the first value of a group. */
function firstOf(area: number, group: Span, tile: Tile): number {
  for (const run of runs(tile, group)) {
    if (run.area === area) return indexInTensor(tile, run.first);
  }
  throw new Error(`A tile has no group ${area}`);
}

// ---- dequantizing ----

function decode(
  { group, offset, zero = 8, computeDtype = "F32" }: LinearPlan,
  tile: Tile,
  out: Float32Array,
): void {
  const { scale } = tile.fields;
  const offsets = offset
    ? tile.fields[offset]
    : tile.memory(scale.length).fill(zero);
  decodeGroups(tile, group, scale, offsets, {
    values: UINT4.values,
    offset,
    computeDtype,
  }, out);
}

/** A prepass that finds the range of a whole tensor. */
export function wholeRange(): Prepass {
  let min = Infinity, max = -Infinity;
  return {
    add(values): void {
      if (values.length === 0) return;
      const [low, high] = measureRange(values);
      min = Math.min(min, low);
      max = Math.max(max, high);
    },
    result(): { ranges: Ranges } {
      const any = min <= max;
      return {
        ranges: {
          min: Float32Array.of(any ? min : 0),
          max: Float32Array.of(any ? max : 0),
        },
      };
    },
  };
}
