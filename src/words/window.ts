/**
 * Windows: areas of a tensor that are worked on one at a time.
 *
 * A tensor is seen as a matrix, its last axis being the columns. Layouts whose
 * groups run across the ends of rows see it as one long row.
 *
 * @module
 */

/** A tensor as rows and columns. */
export interface Matrix {
  /** Product of all axes but the last; 1 where groups run across rows. */
  readonly rows: number;
  /** Length of the last axis; of the whole tensor where groups run across rows. */
  readonly columns: number;
}

/** Some rows, and a stretch of columns in each. */
export interface Window {
  /** The first row. */
  readonly row: number;
  /** How many rows. */
  readonly rows: number;
  /** The first column. */
  readonly column: number;
  /** How many columns. */
  readonly columns: number;
}

/** Where windows of a layout may start: at the multiples of these. Only the end of the matrix cuts one short. */
export interface Grain {
  /** Rows that share a byte or a word. */
  readonly rows: number;
  /** Columns that share a byte, a word or a field. */
  readonly columns: number;
}

/** The window that covers a matrix. */
export function whole({ rows, columns }: Matrix): Window {
  return { row: 0, rows, column: 0, columns };
}

/** How many values a window has. */
export function areaOf({ rows, columns }: Window): number {
  return rows * columns;
}

/** Whether a window holds whole rows of the matrix. */
export function hasWholeRows(window: Window, matrix: Matrix): boolean {
  return window.column === 0 && window.columns === matrix.columns;
}

/**
 * Cuts an area of a matrix into windows of at most `capacity` values, or of one
 * grain where that is more.
 *
 * @param matrix What the grain is counted in.
 * @param area What to cut; starts at a multiple of the grain.
 * @param grain Where windows may start.
 * @param capacity Values that fit in a window.
 * @returns The windows, row by row.
 */
export function* cut(
  area: Window,
  grain: Grain,
  capacity: number,
): Generator<Window, void> {
  if (areaOf(area) === 0) return;
  const columns = columnsThatFit(area, grain, capacity);
  const rows = columns === area.columns
    ? multiple(capacity / columns, grain.rows)
    : grain.rows;
  const endRow = area.row + area.rows, endColumn = area.column + area.columns;
  for (let row = area.row; row < endRow; row += rows) {
    for (let column = area.column; column < endColumn; column += columns) {
      yield {
        row,
        rows: Math.min(rows, endRow - row),
        column,
        columns: Math.min(columns, endColumn - column),
      };
    }
  }
}

function columnsThatFit(area: Window, grain: Grain, capacity: number): number {
  const room = capacity / Math.min(grain.rows, area.rows);
  if (area.columns <= room) return area.columns;
  return Math.min(area.columns, multiple(room, grain.columns));
}

/** The largest multiple of `step` up to `most`, and one step at least. */
function multiple(most: number, step: number): number {
  return Math.max(1, Math.floor(most / step)) * step;
}

/** Values of a row from which on a call that copies it is quicker than a loop. */
const LONG_ROW = 64;

/** Copies the values of a window out of a whole matrix, or gives a view where they lie together. */
export function valuesOf(
  values: Float32Array,
  matrix: Matrix,
  window: Window,
  scratch: (length: number) => Float32Array,
): Float32Array {
  const { row, rows, column, columns } = window;
  const first = row * matrix.columns + column;
  if (rows === 1 || hasWholeRows(window, matrix)) {
    return values.subarray(first, first + rows * columns);
  }
  const copy = scratch(rows * columns).subarray(0, rows * columns);
  for (let r = 0; r < rows; r++) {
    const from = first + r * matrix.columns;
    if (columns >= LONG_ROW) {
      copy.set(values.subarray(from, from + columns), r * columns);
      continue;
    }
    const to = r * columns;
    for (let c = 0; c < columns; c++) copy[to + c] = values[from + c];
  }
  return copy;
}

/** Least common multiple of positive whole numbers. */
export function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return a / x * b;
}
