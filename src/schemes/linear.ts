/**
 * Schemes on an even grid: `s·(c − z)` and `s·c + b`, scale and offset found
 * from the smallest and the largest value of a group.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { clamp, roundHalfAway, roundHalfToEven } from "../numeric/rounding.ts";
import type {
  ComputeDtype,
  EncodeContext,
  Prepass,
  Ranges,
  Scheme,
} from "../words/scheme.ts";
import { type FieldPlans, type Run, runs, type Span, type Tile } from "../words/tile.ts";
import { UINT4 } from "./grids.ts";

const { fround } = Math;

/** How a value becomes a code, given scale and offset of its group; clamped to 0 … 15 at the end. */
export type Rounding =
  /** RNE(x / s) + z */
  | "divide"
  /** RNE((x + z·s) / s); with a bias RNE((x − b) / s) */
  | "shift"
  /** round half away(x · (1 / s) + z) */
  | "reciprocal";

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
  /** How a value becomes a code. */
  readonly rounding: Rounding;
  /** The largest magnitude of a scale that can be stored; unlimited by default. */
  readonly largestScale?: number;
  /** In which dtype values are computed; F32 by default. */
  readonly computeDtype?: ComputeDtype;
  /** Whether one range for the whole tensor is needed first. */
  readonly prepass?: () => Prepass;
  /** A field per column that names its group, in place of the columns' order. */
  readonly order?: "order";
}

/** Makes a scheme. */
export function linearScheme(plan: LinearPlan): Scheme {
  const { group, offset, computeDtype = "F32" } = plan;
  const fields: FieldPlans = {
    scale: { span: group },
    ...(offset && { [offset]: { span: group } }),
  };
  return {
    grid: UINT4,
    form: offset === "bias" ? "s·c + b" : "s·(c − z)",
    fields,
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
  { ranges, saturate }: EncodeContext,
): void {
  for (const run of runs(tile, plan.group)) {
    const [min, max] = ranges
      ? rangeAt(ranges, run, tile)
      : rangeOf(values, run);
    fitGroup(plan, tile, run, min, max, saturate ?? false);
    const { scale, offset } = numbersOf(plan, tile, run.area);
    for (let i = run.first; i < run.first + run.count; i++) {
      tile.codes[i] = codeOf(plan, values[i], scale, offset);
    }
  }
}

/** The range that was measured before: of the tensor, or of the row that the run lies in. */
function rangeAt(
  { min, max }: Ranges,
  { first }: Run,
  { columns }: Tile,
): [min: number, max: number] {
  const i = min.length === 1 ? 0 : Math.floor(first / columns);
  return [min[i], max[i]];
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

function fitGroup(
  { fit, offset, largestScale = Infinity }: LinearPlan,
  tile: Tile,
  run: Run,
  min: number,
  max: number,
  saturate: boolean,
): void {
  const [scale, shift] = fit(min, max);
  tile.fields.scale[run.area] = storable(scale, largestScale, saturate, run, tile);
  if (offset) tile.fields[offset][run.area] = shift;
}

/** The scale, or the largest that can be stored in its place. */
function storable(
  scale: number,
  largest: number,
  saturate: boolean,
  { first }: Run,
  { row, column, columns }: Tile,
): number {
  if (Math.abs(scale) <= largest && Number.isFinite(scale)) return scale;
  if (saturate) return Math.sign(scale) * Math.min(largest, 3.4028234663852886e38);
  throw new RangeError(
    `Cannot store the scale ${scale} of the group at row ${
      row + Math.floor(first / columns)
    }, column ${
      column + first % columns
    }: the largest is ${largest}; scale the values down, or pass nonFinite: "clamp" to saturate`,
  );
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
  scale: number,
  shift: number,
): number {
  switch (rounding) {
    case "divide":
      return clamp(roundHalfToEven(fround(x / scale)) + shift, 0, 15);
    case "shift": {
      const bias = offset === "bias" ? -shift : fround(shift * scale);
      return clamp(roundHalfToEven(fround(fround(x + bias) / scale)), 0, 15);
    }
    case "reciprocal": {
      const inverse = scale === 0 ? 0 : fround(1 / scale);
      return clamp(roundHalfAway(fround(fround(x * inverse) + shift)), 0, 15);
    }
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
        : round(fround(fround(code - offset) * scale));
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
