/**
 * The linear schemes, one value at a time: written to be read, and for the plans
 * that the kernels of tiles do not know.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { type Overflow, ScaleOverflow } from "../numeric/finite.ts";
import { clamp, roundHalfAway, roundHalfToEven } from "../numeric/rounding.ts";
import type { ComputeDtype, EncodeContext, Ranges } from "../words/scheme.ts";
import {
  areaNumber,
  indexInTensor,
  type Run,
  runs,
  type Span,
  type Tile,
} from "../words/tile.ts";
import type { LinearPlan } from "./linear_plan.ts";

const { fround } = Math;

// ---- quantizing ----

/** Finds fields and codes for the values of a tile. */
export function encodeLinear(
  plan: LinearPlan,
  values: Float32Array,
  tile: Tile,
  { ranges, overflow = "throw" }: EncodeContext,
): void {
  const { scale: scales, offset: offsets } = fieldsOf(plan, tile);
  const input = roundTo(plan.inputDtype ?? "F32");
  for (const area of measure(plan, values, tile, ranges)) {
    const [scale, offset] = fitGroup(plan, area, overflow, tile);
    scales[area.index] = scale;
    if (offsets) offsets[area.index] = offset;
    for (const { first, count } of area.runs) {
      for (let i = first; i < first + count; i++) {
        tile.codes[i] = codeOf(plan, input(values[i]), scale, offset);
      }
    }
  }
}

/** The field of scales, and that of offsets where there is one. */
function fieldsOf(
  { scale = "scale", offset }: LinearPlan,
  { fields }: Tile,
): { scale: Float32Array; offset: Float32Array | undefined } {
  return { scale: fields[scale], offset: offset && fields[offset] };
}

/** A group, as much of it as the tile has. */
interface Area {
  /** Its index in the fields. */
  readonly index: number;
  /** Where its values lie. */
  readonly runs: readonly Run[];
  /** The smallest value. */
  readonly min: number;
  /** The largest value. */
  readonly max: number;
}

/** The groups of a tile with their ranges. */
function* measure(
  plan: LinearPlan,
  values: Float32Array,
  tile: Tile,
  ranges: Ranges | undefined,
): Generator<Area, void> {
  for (const area of runsByArea(tile, plan.group)) {
    const known = ranges && rangeAt(ranges, area[0]);
    const [min, max] = (known ?? rangeOf(values, area)).map(
      roundTo(plan.inputDtype ?? "F32"),
    );
    const fill = plan.padded && isCutShort(plan, area[0], tile);
    yield {
      index: area[0].area,
      runs: area,
      min: fill && min > 0 ? 0 : min,
      max: fill && max < 0 ? 0 : max,
    };
  }
}

function runsByArea(tile: Tile, group: Span): Iterable<readonly Run[]> {
  if (group.rows === 1) return singly(runs(tile, group));
  const areas = new Map<number, Run[]>();
  for (const run of runs(tile, group)) {
    const area = areas.get(run.area);
    if (area) area.push(run);
    else areas.set(run.area, [run]);
  }
  return areas.values();
}

function* singly(all: Iterable<Run>): Generator<readonly Run[], void> {
  for (const run of all) yield [run];
}

/** Whether the matrix ends before the group does. */
function isCutShort(
  { group: { columns } }: LinearPlan,
  { first }: Run,
  tile: Tile,
): boolean {
  const column = tile.column + first % tile.columns;
  return column - column % columns + columns > tile.matrix.columns;
}

/** The range that was measured before: of the tensor, or of the run's group. */
function rangeAt(
  { min, max }: Ranges,
  { area }: Run,
): [min: number, max: number] {
  const i = min.length === 1 ? 0 : area;
  return [min[i], max[i]];
}

function rangeOf(
  values: Float32Array,
  area: readonly Run[],
): [min: number, max: number] {
  let min = values[area[0].first], max = min;
  for (const { first, count } of area) {
    for (let i = first; i < first + count; i++) {
      min = Math.min(min, values[i]);
      max = Math.max(max, values[i]);
    }
  }
  return [min, max];
}

/** Scale and offset of a group, dealing with what cannot be stored. */
function fitGroup(
  plan: LinearPlan,
  { min, max, runs: [{ first }] }: Area,
  overflow: Overflow,
  tile: Tile,
): readonly [scale: number, offset: number] {
  const { fit, limit, stored = "F32" } = plan, round = roundTo(stored);
  const found = fit(min, max);
  const fits = Number.isFinite(round(found[0])) &&
    (plan.offset !== "bias" || Number.isFinite(round(found[1])));
  if (fits || overflow === "keep") return found;
  if (overflow === "clamp") {
    const [low, high] = [min, max].map((x) => clamp(x, -limit, limit));
    return fit(low, high);
  }
  const index = indexInTensor(tile, first);
  const number = areaNumber(tile.matrix, plan.group, index);
  throw new ScaleOverflow(number, index, STORED[stored]);
}

const STORED: Readonly<Record<ComputeDtype, string>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
};

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
      // Where the scale underflowed, every value is no step from the offset.
      if (scale === 0) return offset === "bias" ? 0 : clamp(shift, 0, 15);
      const bias = offset === "bias" ? -shift : fround(shift * scale);
      return clamp(roundHalfToEven(fround(fround(x + bias) / scale)), 0, 15);
    }
    case "reciprocal": {
      const inverse = scale === 0 ? 0 : fround(1 / scale);
      return clamp(roundHalfAway(fround(fround(x * inverse) + shift)), 0, 15);
    }
    default:
      return clamp(rounding(x, scale, shift), 0, 15);
  }
}

// ---- dequantizing ----

/** Turns codes and fields back into values. */
export function decodeLinear(
  plan: LinearPlan,
  tile: Tile,
  out: Float32Array,
): void {
  const { scale: scales, offset: offsets } = fieldsOf(plan, tile);
  const value = plan.value ?? valueOf(plan);
  for (const run of runs(tile, plan.group)) {
    const scale = scales[run.area];
    const offset = offsets ? offsets[run.area] : plan.zero ?? 8;
    for (let i = run.first; i < run.first + run.count; i++) {
      out[i] = value(tile.codes[i], scale, offset);
    }
  }
}

/** The value of a code. */
function valueOf(
  { offset, scale, computeDtype = "F32" }: LinearPlan,
): (code: number, s: number, o: number) => number {
  const round = roundTo(computeDtype);
  if (offset === "bias") {
    return (code, s, bias) => round(fround(round(fround(code * s)) + bias));
  }
  return scale === "divisor"
    ? (code, s, zero) => round(fround(fround(code - zero) * fround(1 / s)))
    : (code, s, zero) => round(fround(fround(code - zero) * s));
}
