/**
 * Tiles by kernels, or in plain JS that gives the same bits, where arrays live
 * elsewhere or a number is one that a kernel leaves alone. Here: which kernel over
 * which groups, what is measured, fitted and rounded; codes are in tile_codes.ts, values
 * in tile_values.ts.
 *
 * @module
 */
import type { Instance, WasmKernel } from "../kernels/arena.ts";
import { wasmInForce } from "../kernels/engine.ts";
import {
  COLUMN_GROUPS_KERNELS,
  type KernelModule,
} from "../kernels/modules.ts";
import { sharedInstance } from "../kernels/room.ts";
import { roundTo } from "../numeric/compute.ts";
import { firstNonFinite, firstOutside } from "../numeric/finite.ts";
import { clamp } from "../numeric/rounding.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { areasOf, runs, type Span, type Tile } from "../words/tile.ts";

// ---- which kernel, over which groups ----

/** Runs a kernel of src/kernels/wasm/tile*.ts over the groups of a tile; false where there is none or it declines. */
export function done(
  name: string,
  tile: Tile,
  span: Span,
  arrays: readonly ArrayBufferView[],
  numbers: readonly number[] = [],
): boolean {
  const instance = sharedInstance(...arrays), inColumns = areColumns(span);
  const groups = instance && (inColumns ? columnsOf : groupsOf)(tile, span);
  if (!groups) return false;
  const operands = [
    ...groups,
    ...arrays.map(({ byteOffset }) => byteOffset),
    ...numbers,
  ];
  const result = inColumns
    ? wasmInForce()!.call(COLUMN_GROUPS_KERNELS, instance!, name, operands)
    : kernelOf(instance!, name)?.(...operands);
  return result === 0;
}

/** Rows, columns, height of a column's first group and of the others, bytes between the numbers of rows of groups. */
function columnsOf(
  { row, rows, columns }: Tile,
  { rows: group }: Span,
): number[] {
  return [rows, columns, group - row % group, group, 4 * columns];
}

/** Whether groups are columns, or stretches of them: kernels of their own work on those. */
function areColumns({ rows, columns }: Span): boolean {
  return columns === 1 && rows > 1;
}

/** The same with a kernel of another module; false where no entry point brought it along, too. */
export function doneBy(
  module: KernelModule,
  name: string,
  tile: Tile,
  span: Span,
  arrays: readonly ArrayBufferView[],
  numbers: readonly number[] = [],
): boolean {
  const instance = sharedInstance(...arrays);
  const groups = instance && groupsOf(tile, span);
  return groups !== undefined && wasmInForce()?.call(module, instance!, name, [
        ...groups,
        ...arrays.map(({ byteOffset }) => byteOffset),
        ...numbers,
      ]) === 0;
}

function kernelOf({ kernels }: Instance, name: string): WasmKernel {
  return kernels[name];
}

/** Runs a kernel of another module on so many numbers in arrays; false where there is none or it declines. */
export function doneOn(
  module: KernelModule,
  name: string,
  count: number,
  arrays: readonly ArrayBufferView[],
  numbers: readonly number[],
): boolean {
  const instance = sharedInstance(...arrays);
  return instance !== undefined && wasmInForce()?.call(module, instance, name, [
        count,
        ...arrays.map(({ byteOffset }) => byteOffset),
        ...numbers,
      ]) === 0;
}

/** Rows, columns, length of a row's first group and of the others, bytes between the numbers of rows; undefined where a tile has groups above each other. */
export function groupsOf(
  tile: Tile,
  { rows, columns }: Span,
): [number, number, number, number, number] | undefined {
  const areas = areasOf(tile, { rows, columns });
  if (rows > 1 && areas.rows > 1) return undefined;
  return [
    tile.rows,
    tile.columns,
    columns - tile.column % columns,
    columns,
    rows > 1 ? 0 : 4 * areas.columns,
  ];
}

// ---- element types ----

/** The numbers by which kernels know element types: src/kernels/wasm/tile_round.ts. */
export const COMPUTE_DTYPES: readonly ComputeDtype[] = ["F32", "F16", "BF16"];

/** Values rounded to a type, and cut where they are beyond the largest: a copy of them but for float32, and where they are one that may be overwritten. */
export function roundedValues(
  values: Float32Array,
  dtype: ComputeDtype,
  largest: number,
  tile: Tile,
  own = false,
): Float32Array {
  if (dtype === "F32") return values;
  const rounded = own ? values : tile.memory(values.length);
  roundInto(values, dtype, largest, rounded);
  return rounded;
}

/** The same into an array, which may be that of the values. */
export function roundInto(
  values: Float32Array,
  dtype: ComputeDtype,
  largest: number,
  out: Float32Array,
): void {
  if (dtype === "F32" && values === out) return;
  const instance = sharedInstance(values, out);
  if (instance) {
    const { tile_round: kernel } = instance.kernels;
    const type = COMPUTE_DTYPES.indexOf(dtype);
    kernel(values.length, values.byteOffset, out.byteOffset, type, largest);
    return;
  }
  const round = roundTo(dtype);
  for (let i = 0; i < values.length; i++) {
    out[i] = clamp(round(values[i]), -largest, largest);
  }
}

// ---- statistics ----

/** Whether no value is a NaN or infinite. */
export function areFinite(values: Float32Array): boolean {
  const instance = sharedInstance(values);
  return instance
    ? kernelOf(instance, "tile_check")(values.length, values.byteOffset) === 0
    : firstNonFinite(values) < 0;
}

/** Whether all numbers are from `min` to `max`, as no NaN is. */
export function areWithin(
  numbers: Float32Array,
  min: number,
  max: number,
): boolean {
  const instance = sharedInstance(numbers);
  return instance
    ? kernelOf(instance, "tile_outside")(
      numbers.length,
      numbers.byteOffset,
      min,
      max,
    ) === 0
    : firstOutside(numbers, min, max) < 0;
}

/** Smallest and largest value of every group, of zeros the negative one being the smaller; false where a value is not finite. */
export function rangesOfGroups(
  values: Float32Array,
  tile: Tile,
  span: Span,
  mins: Float32Array,
  maxs: Float32Array,
): boolean {
  const mayHave = span.rows === 1 || areColumns(span);
  if (mayHave && done("tile_ranges", tile, span, [values, mins, maxs])) {
    return true;
  }
  mins.fill(Infinity);
  maxs.fill(-Infinity);
  // x - x is 0 for every finite x, and NaN for the others.
  let sum = 0;
  for (const { first, count, area } of runs(tile, span)) {
    let min = mins[area], max = maxs[area];
    for (let i = first; i < first + count; i++) {
      const x = values[i];
      min = Math.min(min, x);
      max = Math.max(max, x);
      sum += x - x;
    }
    mins[area] = min;
    maxs[area] = max;
  }
  return sum === 0;
}

/** Largest magnitude of every group; false where a value is not finite. */
export function magnitudesOfGroups(
  values: Float32Array,
  tile: Tile,
  span: Span,
  maxs: Float32Array,
): boolean {
  if (span.rows === 1 && done("tile_magnitudes", tile, span, [values, maxs])) {
    return true;
  }
  maxs.fill(0);
  let finite = true;
  for (const { first, count, area } of runs(tile, span)) {
    let max = maxs[area];
    for (let i = first; i < first + count; i++) {
      max = Math.max(max, Math.abs(values[i]));
    }
    maxs[area] = max;
    finite &&= max < Infinity;
  }
  return finite;
}

// ---- scales and offsets ----

/** Rules for scales and offsets that kernels know; what each computes is in the `fit` beside it. */
export type FitRule =
  | "symmetric"
  | "fromZero"
  | "fromOne"
  | "signed"
  | "affine"
  | "edge";

/** The numbers by which kernels know them: src/kernels/wasm/tile.ts. */
const FIT_RULES: readonly FitRule[] = [
  "symmetric",
  "fromZero",
  "fromOne",
  "signed",
  "affine",
  "edge",
];

/** Magnitudes that a type holds, whichever way its last bits are rounded. */
export const SURELY_HELD: Readonly<Record<ComputeDtype, number>> = {
  F32: 3.4e38,
  F16: 65504,
  BF16: 3.3e38,
};

/** Whether a number is finite in a type. */
export function isHeld(x: number, dtype: ComputeDtype): boolean {
  return Math.abs(x) <= SURELY_HELD[dtype] ||
    Number.isFinite(roundTo(dtype)(x));
}

/** Memory for one number of each group, and for those that fill up the last vector: zeros. */
export function numbersOfGroups(tile: Tile, count: number): Float32Array {
  const numbers = tile.memory(Math.ceil(count / 4) * 4);
  numbers.fill(0, count);
  return numbers;
}

/** Fits scales and offsets to ranges; false where there is no kernel, or a number may not be held by the type that it is stored in. */
export function fitGroups(
  rule: FitRule,
  stored: ComputeDtype,
  mins: Float32Array,
  maxs: Float32Array,
  scales: Float32Array,
  offsets: Float32Array,
): boolean {
  const arrays = [mins, maxs, scales, offsets];
  const instance = sharedInstance(...arrays);
  return instance !== undefined && instance.kernels.tile_fit?.(
        scales.length,
        ...arrays.map(({ byteOffset }) => byteOffset),
        FIT_RULES.indexOf(rule),
        COMPUTE_DTYPES.indexOf(stored),
        SURELY_HELD[stored],
      ) === 0;
}
