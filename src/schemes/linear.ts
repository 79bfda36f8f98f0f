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
  Form,
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
import type { LinearPlan } from "./linear_plan.ts";
import { decodeLinear, encodeLinear } from "./linear_scalar.ts";
import { checkScales } from "./numbers.ts";
import {
  decodeGroups,
  encodeSteps,
  fitGroups,
  numbersOfGroups,
  rangesOfGroups,
  type Rounding as TileRounding,
  SURELY_HELD,
} from "./tiles.ts";

export type { LinearPlan, LinearRounding } from "./linear_plan.ts";

/** Makes a scheme. */
export function linearScheme(plan: LinearPlan): Scheme {
  const { group, scale = "scale", offset, computeDtype = "F32" } = plan;
  const field = { span: group, shared: plan.prepass !== undefined };
  const fields: FieldPlans = {
    [scale]: field,
    ...(offset && { [offset]: field }),
  };
  const check = (tile: Tile) => {
    if (plan.scales) checkScales(tile, fields, scale, plan.scales);
  };
  return {
    grid: plan.grid ?? UINT4,
    form: formOf(plan),
    fields,
    constants: constantsOf(plan),
    groupedBy: scale,
    computeDtype,
    prepass: plan.prepass,
    byRange: true,
    padded: plan.padded,
    encode(values, tile, context): void {
      if (isPlain(plan)) encodeTile(plan, values, tile, context);
      else encodeLinear(plan, values, tile, context);
    },
    check,
    decode(tile, out): void {
      check(tile);
      if (isPlain(plan)) decodeTile(plan, tile, out);
      else decodeLinear(plan, tile, out);
    },
  };
}

function constantsOf(
  { grid, offset, zero = 8 }: LinearPlan,
): Scheme["constants"] {
  if (grid) return { tensorScale: 1 };
  return offset ? undefined : { zero };
}

function formOf({ grid, offset }: LinearPlan): Form {
  if (grid) return "s·g";
  return offset === "bias" ? "s·c + b" : "s·(c − z)";
}

// ---- by the kernels of tiles ----

/** A plan with nothing of its own: the kernels know it. */
interface PlainPlan extends LinearPlan {
  readonly rounding: Exclude<TileRounding, "shiftByBias">;
}

function isPlain(plan: LinearPlan): plan is PlainPlan {
  const { group, scale, grid, rounding, inputDtype, padded, value } = plan;
  return group.rows === 1 && !scale && !grid && !inputDtype && !padded &&
    !value && typeof rounding === "string";
}

function encodeTile(
  plan: PlainPlan,
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

function roundingOf({ rounding, offset }: PlainPlan): TileRounding {
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

function decodeTile(
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
