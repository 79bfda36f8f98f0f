/**
 * Groups of columns: rows of a tile share numbers, one for each column. By kernels that
 * go along rows, where all are where kernels reach them; false where there is none or
 * it declines.
 *
 * @module
 */
import { wasmInForce } from "../kernels/engine.ts";
import { ACROSS_KERNELS } from "../kernels/modules.ts";
import { sharedInstance } from "../kernels/room.ts";
import { SURELY_FINITE } from "../numeric/nan.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { areasOf, type Span, type Tile } from "../words/tile.ts";
import { type Rounding, ROUNDINGS } from "./tile_codes.ts";
import type { Lookup } from "./tile_values.ts";
import { areWithin, roundInto } from "./tiles.ts";

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
    return engine.call(ACROSS_KERNELS, instance, name, all) === 0;
  });
}

/** Smallest and largest value of every group, of zeros the negative one being the smaller. */
function rangesOfColumns(
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
  return wasmInForce()!.call(ACROSS_KERNELS, instance, "column_ranges", [
    values.length / columns,
    columns,
    ...pointers,
  ]) === 0;
}

/** Codes of values over the scales of their groups. */
function encodeColumns(
  values: Float32Array,
  tile: Tile,
  span: Span,
  scales: Float32Array,
  offsets: Float32Array,
  rounding: Rounding,
  dtype: ComputeDtype = "F32",
): boolean {
  return dtype === "F32" && inBands("column_encode", tile, span, [
    [values, "values"],
    [tile.codes, "values"],
    [scales, "numbers"],
    [offsets, "numbers"],
  ], [ROUNDINGS.indexOf(rounding)]);
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

/** Values of codes; it declines numbers that may make NaNs, and types of 16 bits where more than a product is rounded. */
function decodeColumns(
  tile: Tile,
  span: Span,
  scales: Float32Array,
  offsets: Float32Array,
  { values, offset, computeDtype }: Lookup,
  out: Float32Array,
): boolean {
  const roundsOnce = offset === undefined || offset === "zero";
  const isKnown = computeDtype === "F32" || roundsOnce;
  const areOrdinary = isKnown &&
    [scales, offsets].every((numbers) =>
      areWithin(numbers, -SURELY_FINITE, SURELY_FINITE)
    );
  if (!areOrdinary) return false;
  const table = tile.memory(16);
  table.set(values);
  const isDone = inBands("column_decode", tile, span, [
    [tile.codes, "values"],
    [scales, "numbers"],
    [offsets, "numbers"],
    [table, "all"],
    [out, "values"],
  ], [Number(offset === "bias")]);
  if (isDone) roundInto(out, computeDtype, Infinity, out);
  return isDone;
}

/** What schemes do with groups of columns. */
export interface ByColumns {
  readonly ranges: typeof rangesOfColumns;
  readonly encode: typeof encodeColumns;
  readonly decode: typeof decodeColumns;
}

/** The kernels for a group, where it is a column or a part of one. */
export function byColumns({ rows, columns }: Span): ByColumns | undefined {
  return columns === 1 && rows > 1
    ? { ranges: rangesOfColumns, encode: encodeColumns, decode: decodeColumns }
    : undefined;
}
