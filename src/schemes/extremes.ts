/**
 * Prepasses that find the smallest and largest values of a tensor.
 *
 * @module
 */
import { measureRange } from "../kernels/grouped.ts";
import { Room } from "../kernels/room.ts";
import { rejectNonFinite } from "../numeric/finite.ts";
import type { Prepass } from "../words/scheme.ts";
import { widenColumns } from "./vector_columns.ts";

/** Smallest and largest values, of columns or of all. */
interface Extremes {
  readonly min: Float32Array;
  readonly max: Float32Array;
}

/**
 * Finds the range of every column, or of all of them together.
 *
 * @param columns How many there are; values come in whole rows.
 * @param together Whether one range serves all.
 * @param prepare Changes a copy of a row before it is measured.
 */
export function columnRanges(
  columns: number,
  together: boolean,
  prepare?: (row: Float32Array) => void,
): Prepass {
  const count = together ? 1 : columns;
  const min = new Float32Array(count).fill(Infinity);
  const max = new Float32Array(count).fill(-Infinity);
  const found = { min, max };
  let any = false;
  return {
    checks: !prepare,
    add(values): void {
      if (values.length === 0) return;
      any = true;
      if (prepare) {
        widenPrepared(values, columns, prepare, found);
      } else if (together) widenByRange(values, found);
      else widenByRows(values, columns, found);
    },
    result: () => ({
      ranges: any ? found : { min: min.fill(0), max: max.fill(0) },
    }),
  };
}

/** Widens by one row, which is changed first. */
function widenPrepared(
  values: Float32Array,
  columns: number,
  prepare: (row: Float32Array) => void,
  found: Extremes,
): void {
  const row = new Float32Array(columns);
  for (let at = 0; at < values.length; at += columns) {
    row.set(values.subarray(at, at + columns));
    prepare(row);
    if (found.min.length > 1) widen(row, found);
    else widenByRange(row, found);
  }
}

/** Widens the range of all by that of some values. Throws a RangeError that names the index of a NaN or infinity. */
function widenByRange(values: Float32Array, { min, max }: Extremes): void {
  const [low, high] = measureRange(values);
  const { buffer, byteOffset, length } = values;
  const isAmong = (bits: number) =>
    new Int32Array(buffer, byteOffset, length).includes(bits);
  // Of zeros the negative one is the smaller.
  const least = low === 0 ? isAmong(SIGN) ? -0 : 0 : low;
  const most = high === 0 ? isAmong(0) ? 0 : -0 : high;
  min[0] = Math.min(min[0], least);
  max[0] = Math.max(max[0], most);
}

/** The bits of −0. */
const SIGN = -(2 ** 31);

/** Values that are measured at a time. */
const MOST_VALUES = 65536;

const room = /* @__PURE__ */ new Room();

/** Widens the ranges of columns by some rows, by a kernel where there is one. Throws a RangeError that names the index of a NaN or infinity. */
function widenByRows(
  values: Float32Array,
  columns: number,
  { min, max }: Extremes,
): void {
  const step = Math.max(1, Math.floor(MOST_VALUES / columns)) * columns;
  room.open(values);
  for (let at = 0; at < values.length; at += step) {
    room.clear();
    const rows = room.here(values.subarray(at, at + step));
    const mins = room.here(min), maxs = room.here(max);
    if (!widenColumns(rows, columns, mins, maxs)) {
      rejectNonFinite(values, at, at + rows.length);
      for (let first = 0; first < rows.length; first += columns) {
        const row = rows.subarray(first, first + columns);
        widen(row, { min: mins, max: maxs });
      }
    }
    min.set(mins);
    max.set(maxs);
  }
}

function widen(row: Float32Array, { min, max }: Extremes): void {
  for (let i = 0; i < row.length; i++) {
    const x = row[i];
    // Not for every value: which of two zeros is the smaller takes a while.
    if (x <= min[i]) min[i] = Math.min(min[i], x);
    if (x >= max[i]) max[i] = Math.max(max[i], x);
  }
}
