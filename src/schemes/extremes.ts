/**
 * Prepasses that find the smallest and largest values of a tensor.
 *
 * @module
 */
import type { Prepass } from "../words/scheme.ts";

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
  let any = false;
  return {
    add(values): void {
      for (let at = 0; at < values.length; at += columns) {
        let row = values.subarray(at, at + columns);
        if (prepare) prepare(row = row.slice());
        any = true;
        for (let i = 0; i < row.length; i++) {
          const k = together ? 0 : i, x = row[i];
          // Not for every value: which of two zeros is the smaller takes a while.
          if (x <= min[k]) min[k] = Math.min(min[k], x);
          if (x >= max[k]) max[k] = Math.max(max[k], x);
        }
      }
    },
    result: () => ({
      ranges: any ? { min, max } : { min: min.fill(0), max: max.fill(0) },
    }),
  };
}
