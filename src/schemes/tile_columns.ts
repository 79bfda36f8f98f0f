/**
 * Groups of columns: rows of a tile share numbers, one for each column. By kernels that
 * go along rows, where all are where kernels reach them; false where there is none or
 * it declines.
 *
 * @module
 */
import { wasmInForce } from "../kernels/engine.ts";
import { LINEAR_KERNELS } from "../kernels/modules.ts";
import { sharedInstance } from "../kernels/room.ts";
import { SURELY_FINITE } from "../numeric/nan.ts";
import { areasOf, type Span, type Tile } from "../words/tile.ts";
import { areWithin } from "./tiles.ts";

/** Whether a group has a column, or a part of one. */
export function isColumn({ rows, columns }: Span): boolean {
  return columns === 1 && rows > 1;
}

/** Rows of a tile that share their numbers. */
interface Band {
  readonly rows: number;
  /** Index of the first value. */
  readonly first: number;
  /** Index of the first number. */
  readonly area: number;
}

function bandsOf(tile: Tile, { rows: tall }: Span): Band[] {
  const { row, rows, columns } = tile, bands: Band[] = [];
  for (let r = 0; r < rows;) {
    const end = Math.min(rows, r + tall - (row + r) % tall);
    const area = bands.length * columns;
    bands.push({ rows: end - r, first: r * columns, area });
    r = end;
  }
  return bands;
}

/** An array, and which of its elements belong to the first value, or number, of a band. */
type Operand = readonly [
  array: Float32Array | Uint8Array,
  of: "values" | "numbers" | "all",
];

/** Runs a kernel of src/kernels/wasm/tile_columns.ts over all bands. */
function inBands(
  name: string,
  tile: Tile,
  span: Span,
  operands: readonly Operand[],
  numbers: readonly number[] = [],
): boolean {
  const instance = sharedInstance(...operands.map(([array]) => array));
  if (!instance) return false;
  const engine = wasmInForce()!;
  return bandsOf(tile, span).every(({ rows, first, area }) => {
    const pointers = operands.map(([array, of]) => {
      const index = of === "values" ? first : of === "numbers" ? area : 0;
      return array.byteOffset + index * array.BYTES_PER_ELEMENT;
    });
    const all = [rows, tile.columns, ...pointers, ...numbers];
    return engine.call(LINEAR_KERNELS, instance, name, all) === 0;
  });
}

/** Smallest and largest value of every group, of zeros the negative one being the smaller. */
export function rangesOfColumns(
  values: Float32Array,
  tile: Tile,
  span: Span,
  mins: Float32Array,
  maxs: Float32Array,
): boolean {
  const { rows, columns } = areasOf(tile, span);
  mins.fill(Infinity, 0, rows * columns);
  maxs.fill(-Infinity, 0, rows * columns);
  return inBands("column_ranges", tile, span, [
    [values, "values"],
    [mins, "numbers"],
    [maxs, "numbers"],
  ]);
}

/** Widens the smallest and largest value of every column by those of whole rows; where it declines some may be widened. */
export function widenColumns(
  values: Float32Array,
  columns: number,
  mins: Float32Array,
  maxs: Float32Array,
): boolean {
  const arrays = [values, mins, maxs], instance = sharedInstance(...arrays);
  if (!instance) return false;
  const pointers = arrays.map(({ byteOffset }) => byteOffset);
  return wasmInForce()!.call(LINEAR_KERNELS, instance, "column_ranges", [
    values.length / columns,
    columns,
    ...pointers,
  ]) === 0;
}

/** Codes of values over the scales of their groups, in the way that kernels know by this number. */
export function encodeColumns(
  values: Float32Array,
  tile: Tile,
  span: Span,
  scales: Float32Array,
  offsets: Float32Array,
  way: number,
): boolean {
  return inBands("column_encode", tile, span, [
    [values, "values"],
    [tile.codes, "values"],
    [scales, "numbers"],
    [offsets, "numbers"],
  ], [way]);
}

/** Codes of values by which fifteenth of their column's range they lie in. */
export function encodeMiddles(
  values: Float32Array,
  tile: Tile,
  span: Span,
  smallest: Float32Array,
  widths: Float32Array,
): boolean {
  return inBands("column_encode_middles", tile, span, [
    [values, "values"],
    [tile.codes, "values"],
    [smallest, "numbers"],
    [widths, "numbers"],
  ]);
}

/** Values `(g − o)·s`, or `g·s + o`, of entries of a table, in float32; it declines numbers that may make NaNs. */
export function decodeColumns(
  tile: Tile,
  span: Span,
  scales: Float32Array,
  offsets: Float32Array,
  table: Float32Array,
  biased: boolean,
  out: Float32Array,
): boolean {
  const areOrdinary = [scales, offsets].every((numbers) =>
    areWithin(numbers, -SURELY_FINITE, SURELY_FINITE)
  );
  return areOrdinary && inBands("column_decode", tile, span, [
    [tile.codes, "values"],
    [scales, "numbers"],
    [offsets, "numbers"],
    [table, "all"],
    [out, "values"],
  ], [Number(biased)]);
}
