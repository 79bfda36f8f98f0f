/**
 * Schemes of E2M1 values in groups along a row: `s·g`, where `s` is a number or a
 * power of two for the group, and maybe one more for the tensor.
 *
 * How scales are found and what a value is divided by differs from library to
 * library, down to the order of roundings: a plan says it in a few functions.
 *
 * @module
 */
import { DTYPE_NAMES, roundTo } from "../numeric/compute.ts";
import { LARGEST_F16 } from "../numeric/f16.ts";
import { ScaleOverflow } from "../numeric/finite.ts";
import { clamp } from "../numeric/rounding.ts";
import { measureMagnitude } from "../kernels/grouped.ts";
import type {
  ComputeDtype,
  EncodeContext,
  Grid,
  Prepass,
  Scheme,
} from "../words/scheme.ts";
import {
  areaNumber,
  everywhere,
  indexInTensor,
  runs,
  type Span,
  type Tile,
} from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import {
  decodeGroups,
  encodeRanks,
  magnitudesOfGroups,
  type Thresholds,
} from "./tiles.ts";

const { abs, fround, max } = Math;

/** Halfway between neighbours. */
const TIES = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5];

/** The float32 next to a number toward zero, or the one beyond it. */
function next(x: number, towardZero: boolean): number {
  const float = Float32Array.of(x), bits = new Int32Array(float.buffer);
  bits[0] += towardZero ? -1 : 1;
  return float[0];
}

/**
 * Thresholds of the codes of E2M1.
 *
 * @param ties Where a number halfway between two codes goes: toward zero, or to the even code.
 * @param negativeZero Whether what rounds to zero from below gets code 8, or 0.
 */
function thresholdsOf(
  ties: "zero" | "even",
  negativeZero: boolean,
): Thresholds {
  // Ties that go away from zero: those from an odd code to the even one above.
  const away = TIES.map((_, code) => ties === "even" && code % 2 === 1);
  const above = TIES.map((tie, i) => away[i] ? next(tie, true) : tie);
  const below = TIES.map((tie, i) => away[i] ? -tie : next(-tie, false));
  return {
    // −0 is not below zero.
    at: [...below.reverse(), -(2 ** -149), ...above],
    codes: [
      ...[15, 14, 13, 12, 11, 10, 9, negativeZero ? 8 : 0],
      ...[0, 1, 2, 3, 4, 5, 6, 7],
    ],
    of: "quotient",
  };
}

/** Ties go toward zero, and code 8 is not written. */
export const TOWARD_ZERO: Thresholds = /* @__PURE__ */ thresholdsOf(
  "zero",
  false,
);

/** Ties go to the even code, and what is below zero keeps its sign. */
export const TO_EVEN: Thresholds = /* @__PURE__ */ thresholdsOf("even", true);

/** What makes one scheme of E2M1 values different from another. */
export interface E2M1Plan {
  /** The tensor. */
  readonly matrix: Matrix;
  /** How many values of a row share a scale. */
  readonly group: number;
  /** What is stored for a group: a scale, or the E8M0 byte of one. */
  readonly stored: "scale" | "exponent";
  /**
   * The scale of the tensor: its role and how it comes of the largest magnitude.
   * The role is `tensorScale` only where values are multiplied by it as it is.
   * Absent where there is none; 1 is passed in its place.
   */
  readonly ofTensor?: {
    readonly role: string;
    find(absmax: number): number;
  };
  /** What is stored for a group, as it will be read back. */
  fit(absmax: number, tensorScale: number): number;
  /** The code of a value; `absmax` is the largest magnitude of its group. */
  code(x: number, stored: number, tensorScale: number, absmax: number): number;
  /** What a value is divided by before it is compared with thresholds, where that gives its code; the code is that of `code` then. */
  readonly ranks?: {
    /** The divisor. */
    divisor(stored: number, tensorScale: number): number;
    /** The thresholds of the quotient. */
    readonly thresholds: Thresholds;
  };
  /** What the values of codes are multiplied by. */
  scale(stored: number, tensorScale: number): number;
  /** E2M1, with code 8 as −0 or +0. */
  readonly grid: Grid;
  /** The type that the weights are rounded to before all else; F32 by default. */
  readonly inputDtype?: ComputeDtype;
  /** The type that values are rounded to. */
  readonly computeDtype: ComputeDtype;
}

/** Makes a scheme. */
export function e2m1Scheme(plan: E2M1Plan): Scheme {
  const { matrix, stored, ofTensor, grid, computeDtype } = plan;
  return {
    grid,
    form: "s·g",
    fields: {
      [stored]: { span: spanOf(plan) },
      ...(ofTensor &&
        { [ofTensor.role]: { span: everywhere(matrix), shared: true } }),
    },
    constants: ofTensor ? undefined : { tensorScale: 1 },
    groupedBy: stored,
    computeDtype,
    prepass: ofTensor && (() => wholeAbsmax(plan.inputDtype)),
    encode: (values, tile, context) => encode(plan, values, tile, context),
    decode: (tile, out) => decode(plan, tile, out),
  };
}

/** No scale of the tensor. */
const NONE: NonNullable<E2M1Plan["ofTensor"]> = { role: "", find: () => 1 };

function spanOf({ group }: E2M1Plan): Span {
  return { rows: 1, columns: group };
}

function encode(
  plan: E2M1Plan,
  given: Float32Array,
  tile: Tile,
  { known, overflow = "throw" }: EncodeContext,
): void {
  const { inputDtype = "F32" } = plan;
  const largest = overflow === "clamp" ? LARGEST[inputDtype] : Infinity;
  const values = inputDtype === "F32"
    ? given
    : rounded(given, inputDtype, largest, tile);
  const { role, find } = plan.ofTensor ?? NONE;
  const ofTensor = fround(
    find(Math.min(largest, known?.absmax ?? absmaxOf(values))),
  );
  if (plan.ofTensor) tile.fields[role][0] = ofTensor;
  const stored = tile.fields[plan.stored], span = spanOf(plan);
  const absmax = tile.memory(stored.length);
  magnitudesOfGroups(values, tile, span, absmax);
  if (overflow === "throw") rejectInfinite(absmax, tile, span, inputDtype);
  for (let i = 0; i < stored.length; i++) {
    stored[i] = plan.fit(absmax[i], ofTensor);
  }
  if (encodeByRanks(plan, values, tile, absmax, ofTensor)) return;
  for (const { first, count, area } of runs(tile, span)) {
    for (let i = first; i < first + count; i++) {
      tile.codes[i] = plan.code(
        values[i],
        stored[area],
        ofTensor,
        absmax[area],
      );
    }
  }
}

/** The largest finite number of each type. */
const LARGEST: Readonly<Record<ComputeDtype, number>> = {
  F16: LARGEST_F16,
  BF16: (2 - 2 ** -7) * 2 ** 127,
  F32: (2 - 2 ** -23) * 2 ** 127,
};

/** Values rounded to a type, those beyond it cut where that is asked for. */
function rounded(
  values: Float32Array,
  dtype: ComputeDtype,
  largest: number,
  tile: Tile,
): Float32Array {
  const round = roundTo(dtype), own = tile.memory(values.length);
  for (let i = 0; i < values.length; i++) {
    own[i] = clamp(round(values[i]), -largest, largest);
  }
  return own;
}

/** Throws where values of a group are beyond the type that they were rounded to. */
function rejectInfinite(
  absmax: Float32Array,
  tile: Tile,
  span: Span,
  dtype: ComputeDtype,
): void {
  const area = absmax.indexOf(Infinity);
  if (area < 0) return;
  for (const run of runs(tile, span)) {
    if (run.area !== area) continue;
    const index = indexInTensor(tile, run.first);
    const number = areaNumber(tile.matrix, span, index);
    throw new ScaleOverflow(number, index, DTYPE_NAMES[dtype]);
  }
}

/** Quotients beyond this are left to `code`: float32 no longer tells their neighbours apart. */
const MOST_STEPS = 2 ** 16;

/** Finds codes by thresholds, where all quotients of a tile are ordinary; otherwise returns false. */
function encodeByRanks(
  { stored, ranks, group }: E2M1Plan,
  values: Float32Array,
  tile: Tile,
  absmax: Float32Array,
  ofTensor: number,
): boolean {
  if (!ranks) return false;
  const divisors = tile.memory(absmax.length);
  for (let i = 0; i < absmax.length; i++) {
    divisors[i] = ranks.divisor(tile.fields[stored][i], ofTensor);
    if (!(divisors[i] > 0 && absmax[i] / divisors[i] < MOST_STEPS)) {
      return false;
    }
  }
  const span = { rows: 1, columns: group };
  encodeRanks(values, tile, span, divisors, ranks.thresholds);
  return true;
}

function decode(plan: E2M1Plan, tile: Tile, out: Float32Array): void {
  const { fields } = tile, stored = fields[plan.stored];
  const ofTensor = plan.ofTensor ? fields[plan.ofTensor.role][0] : 1;
  const scales = tile.memory(stored.length);
  for (let i = 0; i < scales.length; i++) {
    scales[i] = plan.scale(stored[i], ofTensor);
  }
  const offsets = tile.memory(stored.length).fill(0);
  decodeGroups(tile, spanOf(plan), scales, offsets, {
    values: plan.grid.values,
    computeDtype: plan.computeDtype,
  }, out);
}

function absmaxOf(values: Float32Array): number {
  let largest = 0;
  for (const x of values) largest = max(largest, abs(x));
  return largest;
}

/** A prepass that finds the largest magnitude of a whole tensor in the type that its values are rounded to. */
export function wholeAbsmax(dtype: ComputeDtype = "F32"): Prepass {
  let absmax = 0;
  return {
    add(values): void {
      absmax = max(absmax, measureMagnitude(values));
    },
    result: () => ({ known: { absmax: roundTo(dtype)(absmax) } }),
  };
}
