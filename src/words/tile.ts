/**
 * The tile: the one view of a window in which every scheme and every layout meet.
 *
 * @module
 */
import type { Matrix, Window } from "./window.ts";

/** An area of a matrix that shares something: a scale, a byte, a record. */
export interface Span {
  /** Rows that share it. */
  readonly rows: number;
  /** Columns that share it. */
  readonly columns: number;
}

/** What a field is: where its values lie, and how many each area has. */
export interface FieldPlan {
  /** The area that shares a value. */
  readonly span: Span;
  /** Values for each area; 1 but for tables. */
  readonly length?: number;
  /** The same numbers serve all windows: a scale of the tensor, a table, an order of the columns. */
  readonly shared?: boolean;
  /**
   * How many columns a row has, where a window has the numbers of whole rows:
   * which of them its values take is in its data.
   */
  readonly wholeRows?: number;
  /** The smallest and largest number that its library writes; a tensor with another one is refused. */
  readonly between?: readonly [min: number, max: number];
}

/** What fields a tensor has, by their roles. */
export type FieldPlans = Readonly<Record<string, FieldPlan>>;

/** The numbers beside the codes, by role, one area after another, row by row. */
export type Fields = Readonly<Record<string, Float32Array>>;

/** A window of a tensor: codes row by row, one to a byte, and the fields of every area that it touches. */
export interface Tile extends Window {
  /** The tensor that it is a window of. */
  readonly matrix: Matrix;
  /** Indices into the grid: 0 … 15, but for ggml's types beside four bits. */
  readonly codes: Uint8Array;
  /** The fields. */
  readonly fields: Fields;
  /** Gives memory beside them, for numbers that take part in finding or using the fields. */
  readonly memory: TileMemory;
}

/** Numbers that stand for the area that all of a matrix shares. */
export function everywhere(matrix: Matrix): Span {
  return {
    rows: Math.max(1, matrix.rows),
    columns: Math.max(1, matrix.columns),
  };
}

/** The areas that a window touches: which, and how many in either direction. */
export function areasOf(window: Window, span: Span): Window {
  const row = Math.floor(window.row / span.rows);
  const column = Math.floor(window.column / span.columns);
  return {
    row,
    rows: Math.ceil((window.row + window.rows) / span.rows) - row,
    column,
    columns: Math.ceil((window.column + window.columns) / span.columns) -
      column,
  };
}

/** The areas of a field that a window has numbers for. */
export function fieldAreas(
  window: Window,
  { span, wholeRows }: FieldPlan,
): Window {
  return areasOf(
    wholeRows === undefined
      ? window
      : { ...window, column: 0, columns: wholeRows },
    span,
  );
}

/** How many numbers of a field a window has. */
export function fieldLength(window: Window, plan: FieldPlan): number {
  const { rows, columns } = fieldAreas(window, plan);
  return rows * columns * (plan.length ?? 1);
}

/** Gives memory that lasts as long as the tile; what it holds is undefined. */
export type TileMemory = (length: number) => Float32Array;

/** Lays out a tile for a window, with one byte of `codes` for each value. */
export function tileOf(
  matrix: Matrix,
  window: Window,
  plans: FieldPlans,
  codes: Uint8Array,
  memory: TileMemory,
): Tile {
  const fields: Record<string, Float32Array> = {};
  for (const [role, plan] of Object.entries(plans)) {
    fields[role] = memory(fieldLength(window, plan));
  }
  const { row, rows, column, columns } = window;
  return {
    matrix,
    row,
    rows,
    column,
    columns,
    codes,
    fields,
    memory,
  };
}

/** Index in the whole tensor of a value of a tile. */
export function indexInTensor(
  tile: Window & { readonly matrix: Matrix },
  index: number,
): number {
  const row = tile.row + Math.floor(index / tile.columns);
  return row * tile.matrix.columns + tile.column + index % tile.columns;
}

/** Number of the area that a value of the whole tensor lies in, areas counted row by row. */
export function areaNumber(
  { columns }: Matrix,
  span: Span,
  index: number,
): number {
  const perRow = Math.ceil(columns / span.columns);
  const row = Math.floor(index / columns), column = index % columns;
  return Math.floor(row / span.rows) * perRow +
    Math.floor(column / span.columns);
}

/** Index in the whole field, areas row by row, of a number of a tile's field. */
export function numberInTensor(
  tile: Tile,
  plan: FieldPlan,
  index: number,
): number {
  const { span, length = 1 } = plan;
  const areas = fieldAreas(tile, plan), area = Math.floor(index / length);
  const row = areas.row + Math.floor(area / areas.columns);
  const column = areas.column + area % areas.columns;
  const perRow = Math.ceil(tile.matrix.columns / span.columns);
  return (row * perRow + column) * length + index % length;
}

/** A stretch of a tile that shares the areas of a field. */
export interface Run {
  /** Index of the first value in the tile. */
  readonly first: number;
  /** How many values. */
  readonly count: number;
  /** Index of the area that they share, in the field. */
  readonly area: number;
}

/** The stretches of a tile in which one area of `span` holds, row by row. */
export function* runs(tile: Window, span: Span): Generator<Run, void> {
  const areas = areasOf(tile, span);
  for (let r = 0; r < tile.rows; r++) {
    const areaRow = Math.floor((tile.row + r) / span.rows) - areas.row;
    for (let c = 0; c < tile.columns;) {
      const column = tile.column + c;
      const index = Math.floor(column / span.columns);
      const end = Math.min(
        tile.columns,
        (index + 1) * span.columns - tile.column,
      );
      yield {
        first: r * tile.columns + c,
        count: end - c,
        area: areaRow * areas.columns + index - areas.column,
      };
      c = end;
    }
  }
}

/** Index in a tile of the first value of an area. */
export function firstOfArea(tile: Window, span: Span, area: number): number {
  for (const run of runs(tile, span)) {
    if (run.area === area) return run.first;
  }
  throw new Error(`A tile has no area ${area}`);
}
