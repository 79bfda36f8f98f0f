/**
 * Schemes on an even grid: `s·(c − z)` and `s·c + b`, scale and offset found
 * from the smallest and the largest value of a group.
 *
 * @module
 */
import { DTYPE_NAMES, roundTo } from "../numeric/compute.ts";
import { type Overflow, ScaleOverflow } from "../numeric/finite.ts";
import { clamp, roundHalfAway, roundHalfToEven } from "../numeric/rounding.ts";
import type {
  ComputeDtype,
  EncodeContext,
  Prepass,
  Ranges,
  Scheme,
} from "../words/scheme.ts";
import {
  areaNumber,
  areasOf,
  type FieldPlans,
  indexInTensor,
  type Run,
  runs,
  type Span,
  type Tile,
} from "../words/tile.ts";
import { UINT4 } from "./grids.ts";

const { fround } = Math;

/** How a value becomes a code, given scale and offset of its group; clamped to 0 … 15 at the end. */
export type Rounding =
  /** RNE(x / s) + z */
  | "divide"
  /** RNE((x + z·s) / s); with a bias RNE((x − b) / s) */
  | "shift"
  /** round half away(x · (1 / s) + z) */
  | "reciprocal"
  /** RNE(x · factor + z), the factor being the third number of a fit */
  | "factor";

/** What makes one linear scheme different from another. */
export interface LinearPlan {
  /** The area that shares a scale. */
  readonly group: Span;
  /** The role of the offset: a zero point in codes, or a bias in values. Absent where it is always the same zero point. */
  readonly offset?: "zero" | "bias";
  /** The zero point where there is no field for it; 8 by default. */
  readonly zero?: number;
  /** Scale and offset of a group, in float32, and the factor of rounding `"factor"`. */
  fit(min: number, max: number): Fit;
  /** How a value becomes a code. */
  readonly rounding: Rounding;
  /** The type that scale and bias are stored in; F32 by default. */
  readonly stored?: ComputeDtype;
  /** The largest magnitude of values whose scale and bias that type can hold. */
  readonly limit: number;
  /** In which dtype values are computed; F32 by default. */
  readonly computeDtype?: ComputeDtype;
  /** Whether one range for the whole tensor is needed first. */
  readonly prepass?: () => Prepass;
}

/** What is found for a group. */
export type Fit = readonly [scale: number, offset: number, factor?: number];

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
    // Ranges beyond a window are those of rows.
    byRange: group.rows === 1 || plan.prepass !== undefined,
    encode: (values, tile, context) => encode(plan, values, tile, context),
    decode: (tile, out) => decode(plan, tile, out),
  };
}

// ---- quantizing ----

function encode(
  plan: LinearPlan,
  values: Float32Array,
  tile: Tile,
  { ranges: known, overflow = "throw" }: EncodeContext,
): void {
  const ranges = known ??
    (plan.group.rows > 1 ? rangesOf(values, tile, plan.group) : undefined);
  for (const run of runs(tile, plan.group)) {
    const [min, max] = ranges ? rangeAt(ranges, run) : rangeOf(values, run);
    const fit = fitGroup(plan, min, max, overflow, run, tile);
    const [scale, offset] = fit;
    tile.fields.scale[run.area] = scale;
    if (plan.offset) tile.fields[plan.offset][run.area] = offset;
    for (let i = run.first; i < run.first + run.count; i++) {
      tile.codes[i] = codeOf(plan, values[i], fit);
    }
  }
}

/** The range that was measured before: of the tensor, or of the run's group. */
function rangeAt(
  { min, max }: Ranges,
  { area }: Run,
): [min: number, max: number] {
  const i = min.length === 1 ? 0 : area;
  return [min[i], max[i]];
}

/** The range of each group of a tile that has its groups whole. */
function rangesOf(values: Float32Array, tile: Tile, group: Span): Ranges {
  const { rows, columns } = areasOf(tile, group);
  const min = new Float32Array(rows * columns).fill(Infinity);
  const max = min.map(() => -Infinity);
  for (const run of runs(tile, group)) {
    const [low, high] = rangeOf(values, run);
    min[run.area] = Math.min(min[run.area], low);
    max[run.area] = Math.max(max[run.area], high);
  }
  return { min, max };
}

function rangeOf(
  values: Float32Array,
  { first, count }: Run,
): [min: number, max: number] {
  let min = values[first], max = values[first];
  for (let i = first + 1; i < first + count; i++) {
    min = Math.min(min, values[i]);
    max = Math.max(max, values[i]);
  }
  return [min, max];
}

/** Scale and offset of a group, dealing with what cannot be stored. */
function fitGroup(
  plan: LinearPlan,
  min: number,
  max: number,
  overflow: Overflow,
  { first }: Run,
  tile: Tile,
): Fit {
  const { fit, limit, stored = "F32" } = plan, round = roundTo(stored);
  const found = fit(min, max);
  const fits = Number.isFinite(round(found[0])) &&
    Number.isFinite(round(found[1]));
  if (fits || overflow === "keep") return found;
  if (overflow === "clamp") {
    return fit(Math.max(min, -limit), Math.min(max, limit));
  }
  const index = indexInTensor(tile, first);
  const number = areaNumber(tile.matrix, plan.group, index);
  throw new ScaleOverflow(number, index, DTYPE_NAMES[stored]);
}

function numbersOf(
  { offset, zero = 8 }: LinearPlan,
  { fields }: Tile,
  area: number,
): { scale: number; offset: number } {
  return {
    scale: fields.scale[area],
    offset: offset ? fields[offset][area] : zero,
  };
}

/** The code of one value. */
function codeOf(
  { rounding, offset }: LinearPlan,
  x: number,
  [scale, shift, factor = 1]: Fit,
): number {
  switch (rounding) {
    case "divide":
      return clamp(roundHalfToEven(fround(x / scale)) + shift, 0, 15);
    case "shift": {
      // Where the scale underflowed, every value is no step from the offset.
      if (scale === 0) return offset === "bias" ? 0 : clamp(shift, 0, 15);
      const bias = offset === "bias" ? -shift : fround(shift * scale);
      return clamp(roundHalfToEven(fround(fround(x + bias) / scale)), 0, 15);
    }
    case "reciprocal": {
      const inverse = scale === 0 ? 0 : fround(1 / scale);
      return clamp(roundHalfAway(fround(fround(x * inverse) + shift)), 0, 15);
    }
    case "factor":
      return clamp(
        roundHalfToEven(fround(fround(x * factor) + shift)),
        0,
        15,
      );
  }
}

// ---- dequantizing ----

function decode(plan: LinearPlan, tile: Tile, out: Float32Array): void {
  const round = roundTo(plan.computeDtype ?? "F32");
  for (const run of runs(tile, plan.group)) {
    const { scale, offset } = numbersOf(plan, tile, run.area);
    for (let i = run.first; i < run.first + run.count; i++) {
      const code = tile.codes[i];
      out[i] = plan.offset === "bias"
        ? round(fround(round(fround(code * scale)) + offset))
        : round(fround(round(fround(code - offset)) * scale));
    }
  }
}

/** A prepass that finds the range of a whole tensor. */
export function wholeRange(): Prepass {
  let min = Infinity, max = -Infinity;
  return {
    add(values): void {
      for (const x of values) {
        min = Math.min(min, x);
        max = Math.max(max, x);
      }
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
