/**
 * Values seen with the last two axes of their tensor swapped.
 *
 * @module
 */
import type { Matrix, Window } from "../words/window.ts";
import { allocateSlots, type Slot } from "./memory.ts";
import type { Values } from "./values.ts";

/** The shape with its last two axes swapped. */
export function swapAxes(shape: readonly number[]): number[] {
  const [rows, columns] = shape.slice(-2);
  return [...shape.slice(0, -2), columns, rows];
}

/** Values of the transposes of a stack of matrices. */
export class SwappedValues implements Values {
  readonly matrix: Matrix;
  readonly tall = 1;
  readonly #inner: Values;
  /** Rows and columns of each matrix as it lies. */
  readonly #rows: number;
  readonly #columns: number;

  /**
   * @param inner The values as they lie.
   * @param shape Their shape; the last two axes are those of the matrices.
   */
  constructor(inner: Values, shape: readonly number[]) {
    const [rows, columns] = shape.slice(-2);
    this.#inner = inner;
    this.#rows = rows;
    this.#columns = columns;
    const matrices = inner.matrix.rows / Math.max(1, rows);
    this.matrix = { rows: matrices * columns, columns: rows };
  }

  *windows(capacity: number): Generator<Window, void> {
    for (
      const { row, rows, column, columns } of this.#inner.windows(capacity)
    ) {
      for (const { matrix, first, count } of split(row, rows, this.#rows)) {
        yield {
          row: matrix * this.#columns + column,
          rows: columns,
          column: first,
          columns: count,
        };
      }
    }
  }

  largest(capacity: number): number {
    return this.#inner.largest(capacity);
  }

  async read(
    { row, rows, column, columns }: Window,
    matrix: Matrix,
    { values, busy }: Slot,
  ): Promise<() => Float32Array> {
    if (matrix.columns !== this.matrix.columns) {
      throw new Error("Swapped values are read in rows of their own only");
    }
    await busy;
    const out = values.subarray(0, rows * columns);
    const [slot] = allocateSlots(1, rows * columns);
    let done = 0;
    for (const { matrix, first, count } of split(row, rows, this.#columns)) {
      const window = {
        row: matrix * this.#rows + column,
        rows: columns,
        column: first,
        columns: count,
      };
      const read = await this.#inner.read(window, this.#inner.matrix, slot);
      transpose(read(), columns, out.subarray(done * columns));
      done += count;
    }
    return () => out;
  }
}

/** Rows of a stack of matrices by the matrix that they are in. */
function* split(row: number, rows: number, each: number) {
  for (let at = row; at < row + rows;) {
    const first = at % each, count = Math.min(each - first, row + rows - at);
    yield { matrix: Math.floor(at / each), first, count };
    at += count;
  }
}

/** Columns as rows, in squares that the cache holds. */
function transpose(from: Float32Array, rows: number, to: Float32Array): void {
  const columns = from.length / rows, side = 32;
  for (let top = 0; top < rows; top += side) {
    const bottom = Math.min(rows, top + side);
    for (let c = 0; c < columns; c++) {
      for (let r = top; r < bottom; r++) {
        to[c * rows + r] = from[r * columns + c];
      }
    }
  }
}
