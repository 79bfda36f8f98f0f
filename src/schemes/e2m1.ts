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

const { abs, fround, max } = Math;

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
  /** The code of a value. */
  code(x: number, stored: number, tensorScale: number): number;
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
  const { inputDtype } = plan;
  const largest = overflow === "clamp"
    ? LARGEST[inputDtype ?? "F32"]
    : Infinity;
  const values = inputDtype ? rounded(given, inputDtype, largest) : given;
  const { role, find } = plan.ofTensor ?? NONE;
  const ofTensor = fround(
    find(Math.min(largest, known?.absmax ?? absmaxOf(values))),
  );
  if (plan.ofTensor) tile.fields[role][0] = ofTensor;
  for (const { first, count, area } of runs(tile, spanOf(plan))) {
    const absmax = absmaxOf(values.subarray(first, first + count));
    if (absmax === Infinity && overflow === "throw") {
      const index = indexInTensor(tile, first);
      const number = areaNumber(tile.matrix, spanOf(plan), index);
      throw new ScaleOverflow(number, index, DTYPE_NAMES[inputDtype ?? "F32"]);
    }
    const stored = plan.fit(absmax, ofTensor);
    tile.fields[plan.stored][area] = stored;
    for (let i = first; i < first + count; i++) {
      tile.codes[i] = plan.code(values[i], stored, ofTensor);
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
): Float32Array {
  const round = roundTo(dtype);
  return values.map((x) => clamp(round(x), -largest, largest));
}

function decode(plan: E2M1Plan, tile: Tile, out: Float32Array): void {
  const round = roundTo(plan.computeDtype);
  const { codes, fields } = tile;
  const ofTensor = plan.ofTensor ? fields[plan.ofTensor.role][0] : 1;
  for (const { first, count, area } of runs(tile, spanOf(plan))) {
    const scale = plan.scale(fields[plan.stored][area], ofTensor);
    for (let i = first; i < first + count; i++) {
      out[i] = round(fround(plan.grid.values[codes[i]] * scale));
    }
  }
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
      absmax = max(absmax, absmaxOf(values));
    },
    result: () => ({ known: { absmax: roundTo(dtype)(absmax) } }),
  };
}
