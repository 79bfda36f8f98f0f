/**
 * Vectors whose columns have ranges of their own, by kernels that go along rows, where
 * all arrays are where kernels reach them; false where there is none or it declines.
 *
 * @module
 */
import { wasmInForce } from "../kernels/engine.ts";
import { VECTOR_KERNELS } from "../kernels/modules.ts";
import { sharedInstance } from "../kernels/room.ts";
import { SURELY_FINITE } from "../numeric/nan.ts";
import type { Tile } from "../words/tile.ts";
import { areWithin } from "./tiles.ts";

/** Runs a kernel of src/kernels/wasm/vector_columns.ts. */
function done(
  name: string,
  rows: number,
  columns: number,
  arrays: readonly (Float32Array | Uint8Array)[],
): boolean {
  const instance = sharedInstance(...arrays);
  return instance !== undefined &&
    wasmInForce()?.call(VECTOR_KERNELS, instance, name, [
        rows,
        columns,
        ...arrays.map(({ byteOffset }) => byteOffset),
      ]) === 0;
}

/** Widens the smallest and largest value of every column by those of whole rows; where it declines some may be widened. */
export function widenColumns(
  values: Float32Array,
  columns: number,
  mins: Float32Array,
  maxs: Float32Array,
): boolean {
  const rows = values.length / columns;
  return done("column_ranges", rows, columns, [values, mins, maxs]);
}

/** Codes of values by which fifteenth of their column's range they lie in. */
export function encodeMiddles(
  values: Float32Array,
  { rows, columns, codes }: Tile,
  smallest: Float32Array,
  widths: Float32Array,
): boolean {
  const arrays = [values, codes, smallest, widths];
  return done("column_encode_middles", rows, columns, arrays);
}

/** Values of codes, `table[code] · width + smallest`; it declines numbers that may make NaNs. */
export function decodeColumns(
  { rows, columns, codes, memory }: Tile,
  smallest: Float32Array,
  widths: Float32Array,
  table: Float32Array,
  out: Float32Array,
): boolean {
  const areOrdinary = [smallest, widths].every((numbers) =>
    areWithin(numbers, -SURELY_FINITE, SURELY_FINITE)
  );
  if (!areOrdinary) return false;
  const grid = memory(16);
  grid.set(table);
  const arrays = [codes, widths, smallest, grid, out];
  return done("column_decode", rows, columns, arrays);
}
