/**
 * The family of formats whose codes and scales are separate arrays, a scale for
 * each group along the last axis: where groups lie, and how they are streamed.
 *
 * @module
 */
import { type Kernel, type Operand, run } from "../kernels/engine.ts";
import { magnitude, range } from "../kernels/js/reduce.ts";
import { oneOf, wholeNumber } from "../numeric/arguments.ts";
import { rejectNonFinite } from "../numeric/finite.ts";
import { rowLength, sizeOf, withLastAxis } from "../numeric/shape.ts";

/** How a group's scale is found from its values. */
export type ScaleMethod = "absmax" | "minmax" | "affine";

/** The numbers by which kernels know the scale rules. */
export const SCALE_RULES: Readonly<Record<ScaleMethod, number>> = {
  absmax: 0,
  minmax: 1,
  affine: 2,
};

/** How many values share a scale: a number along the last axis, a row, or the whole tensor. */
export type GroupSize = number | "row" | "tensor";

/** A tensor seen as rows of groups. */
export interface Grouping {
  /** How many values there are. */
  readonly count: number;
  readonly rows: number;
  /** Values in a row. */
  readonly columns: number;
  /** Values in a group; the last group of a row may be shorter. */
  readonly group: number;
  readonly groupsPerRow: number;
  /** One scale for all rows. */
  readonly perTensor: boolean;
}

/** Throws unless `groupSize` is a positive whole number, `"row"` or `"tensor"`. */
export function checkGroupSize(groupSize: unknown): void {
  if (typeof groupSize === "number") wholeNumber(groupSize, "groupSize", 1);
  else oneOf(groupSize, ["row", "tensor"], "groupSize");
}

/** Where the groups of a tensor lie. With `"tensor"` a row is one group, and all share a scale. */
export function grouping(
  shape: readonly number[],
  groupSize: GroupSize,
): Grouping {
  const columns = rowLength(shape), count = sizeOf(shape);
  const group = typeof groupSize === "number"
    ? Math.min(groupSize, columns)
    : columns;
  return {
    count,
    rows: columns === 0 ? 0 : count / columns,
    columns,
    group,
    groupsPerRow: Math.ceil(columns / group) || 0,
    perTensor: groupSize === "tensor",
  };
}

/** Shape of a part with one entry for each group. */
export function groupsShape(
  shape: readonly number[],
  groupSize: GroupSize,
): number[] {
  return groupSize === "tensor"
    ? [1]
    : withLastAxis(shape, grouping(shape, groupSize).groupsPerRow);
}

/** Reductions and single-scale runs may be cut anywhere that keeps whole vectors and whole bytes. */
export const FREE_STEP = 64;

const MAGNITUDE: Kernel = { name: "magnitude", js: magnitude };
const RANGE: Kernel = { name: "range", js: range };

/** Smallest and largest value of a stretch. Throws a RangeError that names the index of a NaN or infinity. */
export function measureRange(
  values: Float32Array,
  first = 0,
  n: number = values.length,
): [number, number] {
  if (n === 0) return [0, 0];
  const state = new Float32Array([values[first], values[first], 0]);
  measure(RANGE, values, first, n, { array: state, access: "update" });
  return [state[0], state[1]];
}

/** Largest magnitude of a stretch. Throws a RangeError that names the index of a NaN or infinity. */
export function measureMagnitude(
  values: Float32Array,
  first = 0,
  n: number = values.length,
): number {
  const state = new Int32Array(1);
  measure(MAGNITUDE, values, first, n, { array: state, access: "update" });
  return new Float32Array(state.buffer)[0];
}

function measure(
  kernel: Kernel,
  values: Float32Array,
  first: number,
  n: number,
  state: Operand,
): void {
  run({
    kernel,
    count: n,
    step: FREE_STEP,
    operands: [{
      array: values.subarray(first, first + n),
      access: "read",
      bits: 32,
    }, state],
    again: () => rejectNonFinite(values, first, first + n),
  });
}

/** Groups longer than this are measured and quantized in two passes, so that no tile has to hold one. */
export const LONGEST_FUSED_GROUP = 16384;

/** How a grouped kernel goes over a tensor: what it takes for a row, and where it may be cut. */
export interface Strides {
  /** Values that the kernel takes for one row. */
  readonly row: number;
  readonly step: number;
  /** How much of the codes goes with values. */
  readonly codes: Pick<Operand, "bits" | "bytes">;
  /** Groups in a step. */
  readonly groups: number;
}

/** Rows run on where groups and bytes fit them exactly; otherwise the kernel takes whole rows. */
export function strides(
  { count, rows, columns, group, groupsPerRow }: Grouping,
): Strides {
  if (group % 2 === 0 && (rows === 1 || columns % group === 0)) {
    return { row: count, step: group, codes: { bits: 4 }, groups: 1 };
  }
  return {
    row: columns,
    step: columns,
    codes: { bytes: (columns + 1) >> 1 },
    groups: groupsPerRow,
  };
}

/** A stretch of values that shares a scale and fills whole bytes of codes. */
export interface Run {
  readonly first: number;
  readonly n: number;
  readonly firstByte: number;
  /** Index of its scale. */
  readonly scale: number;
}

/** The runs of a tensor whose groups start at bytes, in order. */
export function* runsOf(
  { count, rows, columns, group, groupsPerRow, perTensor }: Grouping,
): Generator<Run> {
  if (perTensor && (rows === 1 || columns % 2 === 0)) {
    yield { first: 0, n: count, firstByte: 0, scale: 0 };
    return;
  }
  const rowBytes = (columns + 1) >> 1;
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groupsPerRow; g++) {
      const at = g * group;
      yield {
        first: row * columns + at,
        n: Math.min(group, columns - at),
        firstByte: row * rowBytes + at / 2,
        scale: perTensor ? 0 : row * groupsPerRow + g,
      };
    }
  }
}
