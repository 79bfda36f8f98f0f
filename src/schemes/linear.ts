/**
 * Schemes on an even grid: `s·(c − z)` and `s·c + b`, scale and offset found
 * from the smallest and the largest value of a group.
 *
 * @module
 */
import { DTYPE_NAMES } from "../numeric/compute.ts";
import { signedE2M1 } from "../numeric/e2m1.ts";
import { NonFinite, type Overflow, ScaleOverflow } from "../numeric/finite.ts";
import { clamp } from "../numeric/rounding.ts";
import type { EncodeContext, Ranges, Scheme } from "../words/scheme.ts";
import {
  areaNumber,
  areasOf,
  firstOfArea,
  indexInTensor,
  runs,
  type Span,
  type Tile,
} from "../words/tile.ts";
import { UINT4 } from "./grids.ts";
import { linearForm } from "./linear_form.ts";
import type { LinearPlan, LinearRounding } from "./linear_plan.ts";
import { checkScales } from "./numbers.ts";
import { fitRanges } from "./range_fit.ts";
import { encodeE2M1, encodeQuotientRanks, encodeSteps } from "./tile_codes.ts";
import { decodeGroups, decodeTable } from "./tile_values.ts";
import {
  fitGroups,
  isHeld,
  numbersOfGroups,
  rangesOfGroups,
  roundedValues,
  roundInto,
} from "./tiles.ts";

const { fround } = Math;

export type { LinearPlan, LinearRounding } from "./linear_plan.ts";

/** Makes a scheme. */
export function linearScheme(plan: LinearPlan): Scheme {
  const form = linearForm(plan), { scale = "scale", scales } = plan;
  const check = (tile: Tile) => {
    if (scales) checkScales(tile, form.fields, scale, scales);
  };
  return {
    ...form,
    encode: (values, tile, context) => encode(plan, values, tile, context),
    check,
    decode(tile, out): void {
      check(tile);
      decode(plan, tile, out);
    },
  };
}

// ---- quantizing ----

function encode(
  plan: LinearPlan,
  values: Float32Array,
  tile: Tile,
  { ranges, own, overflow = "throw" }: EncodeContext,
): void {
  const { group, scale = "scale", offset, inputDtype = "F32" } = plan;
  const scales = tile.fields[scale];
  const offsets = offset ? tile.fields[offset] : tile.memory(scales.length);
  const mins = numbersOfGroups(tile, scales.length);
  const maxs = numbersOfGroups(tile, scales.length);
  if (ranges) takeRanges(ranges, scales.length, mins, maxs);
  else if (!rangesOfGroups(values, tile, group, mins, maxs)) {
    throw new NonFinite();
  }
  roundInto(mins, inputDtype, Infinity, mins);
  roundInto(maxs, inputDtype, Infinity, maxs);
  if (plan.padded) fillUp(tile, group, mins, maxs);
  if (!fitByKernel(plan, mins, maxs, scales, offsets)) {
    for (let area = 0; area < scales.length; area++) {
      const [min, max] = [mins[area], maxs[area]];
      const found = fitGroup(plan, min, max, overflow, area, tile);
      scales[area] = found[0];
      offsets[area] = found[1];
    }
  }
  const ends = [mins, maxs];
  if (encodeRounded(plan, values, tile, scales, offsets, ends)) return;
  const input = roundedValues(values, inputDtype, Infinity, tile, own);
  encodeCodes(plan, input, tile, scales, offsets);
}

/** Whether a kernel has found scales and offsets. */
function fitByKernel(
  { rule, stored = "F32" }: LinearPlan,
  ...arrays: [
    mins: Float32Array,
    maxs: Float32Array,
    scales: Float32Array,
    offsets: Float32Array,
  ]
): boolean {
  if (!rule) return false;
  return typeof rule === "string"
    ? fitGroups(rule, stored, ...arrays)
    : fitRanges(rule, stored, ...arrays);
}

/** Widens the ranges of groups that the end of the matrix cuts short by the zeros that fill them up. */
function fillUp(
  tile: Tile,
  { rows, columns }: Span,
  mins: Float32Array,
  maxs: Float32Array,
): void {
  const areas = areasOf(tile, { rows, columns });
  const end = (areas.column + areas.columns) * columns;
  if (end <= tile.matrix.columns) return;
  for (let i = areas.columns - 1; i < mins.length; i += areas.columns) {
    mins[i] = Math.min(mins[i], 0);
    maxs[i] = Math.max(maxs[i], 0);
  }
}

/** Rounds values to codes as they are read, where their type is not float32 and a kernel knows how. */
function encodeRounded(
  plan: LinearPlan,
  values: Float32Array,
  tile: Tile,
  scales: Float32Array,
  offsets: Float32Array,
  ends: readonly Float32Array[],
): boolean {
  const { group, inputDtype = "F32", stepDtype = "F32", encodeInType } = plan;
  const way = roundingOf(plan), roundsSteps = stepDtype === inputDtype;
  if (!encodeInType || typeof way !== "string" || way === "e2m1") return false;
  return inputDtype !== "F32" && (roundsSteps || stepDtype === "F32") &&
    encodeInType(
      values,
      tile,
      group,
      scales,
      offsets,
      way,
      inputDtype,
      roundsSteps,
      ends,
    );
}

/** How values become codes, in the simplest way that does it. */
function roundingOf(
  { rounding, offset, zero = 8 }: LinearPlan,
): LinearRounding | "shiftByBias" {
  if (rounding === "shift" && offset === "bias") return "shiftByBias";
  // There is nothing to add to steps then.
  return rounding === "addSigned" && !offset && zero === 8
    ? "divide"
    : rounding;
}

function encodeCodes(
  plan: LinearPlan,
  values: Float32Array,
  tile: Tile,
  scales: Float32Array,
  offsets: Float32Array,
): void {
  const { group, stepDtype, zeroScale } = plan, { codes } = tile;
  const rounding = roundingOf(plan);
  if (typeof rounding !== "string") {
    return encodeQuotientRanks(values, tile, group, scales, rounding);
  }
  if (rounding === "e2m1") {
    if (encodeE2M1(values, tile, group, scales, { rule: "signed" })) return;
    return eachValue(tile, group, (i, area) => {
      codes[i] = signedE2M1(fround(values[i] / scales[area]));
    });
  }
  encodeSteps(values, tile, group, scales, offsets, rounding, stepDtype);
  if (zeroScale && scales.includes(0)) {
    eachValue(tile, group, (i, area) => {
      if (scales[area] === 0) codes[i] = zeroScale(codes[i], values[i]);
    });
  }
}

function eachValue(
  tile: Tile,
  group: Span,
  visit: (index: number, area: number) => void,
): void {
  for (const { first, count, area } of runs(tile, group)) {
    for (let i = first; i < first + count; i++) visit(i, area);
  }
}

/** The ranges that were measured before: of the tensor, or of each of `count` groups. */
function takeRanges(
  { min, max }: Ranges,
  count: number,
  mins: Float32Array,
  maxs: Float32Array,
): void {
  if (min.length === 1) {
    mins.fill(min[0], 0, count);
    maxs.fill(max[0], 0, count);
  } else {
    mins.set(min);
    maxs.set(max);
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
    return fit(clamp(min, -limit, limit), clamp(max, -limit, limit));
  }
  const index = indexInTensor(tile, firstOfArea(tile, plan.group, area));
  const number = areaNumber(tile.matrix, plan.group, index);
  throw new ScaleOverflow(number, index, DTYPE_NAMES[stored]);
}

// ---- dequantizing ----

function decode(plan: LinearPlan, tile: Tile, out: Float32Array): void {
  const { group, scale = "scale", offset, grid = UINT4 } = plan;
  const { zero = grid === UINT4 ? 8 : 0, computeDtype = "F32", value } = plan;
  const field = tile.fields[scale];
  const offsets = offset
    ? tile.fields[offset]
    : tile.memory(field.length).fill(zero);
  if (value) {
    const [s] = field, [o] = offsets;
    const values = Array.from({ length: 16 }, (_, code) => value(code, s, o));
    return decodeTable(tile, values, out);
  }
  decodeGroups(tile, group, scalesOf(scale, field, tile), offsets, {
    values: plan.levels ?? grid.values,
    offset,
    computeDtype,
  }, out);
}

/** What codes are multiplied by. */
function scalesOf(
  stored: LinearPlan["scale"],
  field: Float32Array,
  tile: Tile,
): Float32Array {
  if (stored === "scale") return field;
  const scales = tile.memory(field.length);
  for (let i = 0; i < scales.length; i++) scales[i] = 1 / field[i];
  return scales;
}
