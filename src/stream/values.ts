/**
 * Values of tensors that are read window by window, whatever holds them.
 *
 * @module
 */
import { rangeOf } from "../words/layout.ts";
import {
  cut,
  hasWholeRows,
  type Matrix,
  whole,
  type Window,
} from "../words/window.ts";
import { matrixOf } from "../numeric/shape.ts";
import type { ByteReader } from "./bytes.ts";
import type { ByteMemory, Slot } from "./memory.ts";
import { readRange } from "./strided.ts";
import type { StreamTensor } from "./tensor.ts";
import type { WindowBytes } from "./window_bytes.ts";

/** Values of one tensor. */
export interface Values {
  /** The tensor as it is cut best. */
  readonly matrix: Matrix;
  /** Rows that windows should have, where these are not whole. */
  readonly tall: number;
  /** Windows of all of it, which are cheap to read. */
  windows(capacity: number): Iterable<Window>;
  /** Values of the largest of them. */
  largest(capacity: number): number;
  /**
   * Reads a window of any matrix of as many values.
   *
   * @param window The window.
   * @param matrix What it is a window of.
   * @param slot Where to; it has room for the values.
   * @returns Makes the values, which lie in the slot; may be called once.
   */
  read(
    window: Window,
    matrix: Matrix,
    slot: Slot,
  ): Promise<() => Float32Array>;
}

/** Values one after the other, as in files of floats. */
export interface Row {
  /** Reads values from number `first` on, as many as `out` has room for; what it gives makes them ready. */
  read(
    first: number,
    out: Float32Array,
    memory: ByteMemory,
  ): Promise<(() => void) | void>;
}

/** Values that can be read anywhere. */
export class PlainValues implements Values {
  readonly matrix: Matrix;
  readonly tall = 1;
  readonly #row: Row;
  readonly #step: number;

  /**
   * @param shape The shape.
   * @param row What reads it.
   * @param step Stretches that start at its multiples are cheap.
   */
  constructor(shape: readonly number[], row: Row, step = 1) {
    this.matrix = matrixOf(shape);
    this.#row = row;
    this.#step = step;
  }

  windows(capacity: number): Iterable<Window> {
    const grain = { rows: 1, columns: this.#step };
    return cut(whole(this.matrix), grain, capacity);
  }

  largest(capacity: number): number {
    const { rows, columns } = this.matrix;
    return Math.min(rows * columns, Math.max(capacity, this.#step));
  }

  async read(
    window: Window,
    matrix: Matrix,
    { values, parts, busy }: Slot,
  ): Promise<() => Float32Array> {
    await busy;
    const out = values.subarray(0, window.rows * window.columns);
    const ready: (() => void)[] = [];
    for (const { first, at, count } of rowsOf(window, matrix)) {
      const finish = await this.#row.read(
        first,
        out.subarray(at, at + count),
        parts,
      );
      if (!finish) continue;
      // There is memory for one stretch.
      if (window.rows > 1) finish();
      else ready.push(finish);
    }
    return () => {
      for (const finish of ready) finish();
      return out;
    };
  }
}

/** A run of values: where it starts in the tensor, and where in the window. */
interface RowRun {
  readonly first: number;
  readonly at: number;
  readonly count: number;
}

/** The runs of values that a window consists of, counted through the tensor. */
function* rowsOf(window: Window, matrix: Matrix): Generator<RowRun, void> {
  const { row, rows, column, columns } = window;
  const first = row * matrix.columns + column;
  if (hasWholeRows(window, matrix)) {
    return yield { first, at: 0, count: rows * columns };
  }
  for (let r = 0; r < rows; r++) {
    yield {
      first: first + r * matrix.columns,
      at: r * columns,
      count: columns,
    };
  }
}

/** Where the bytes of a part are. */
export interface Place {
  /** Offset of the first. */
  readonly offset: number;
  /** How many. */
  readonly byteLength: number;
}

/** Values of a tensor in a format, whose parts lie somewhere in a file. */
export class StoredValues implements Values {
  readonly matrix: Matrix;
  readonly tall: number;
  readonly #tensor: StreamTensor;
  readonly #source: ByteReader;
  readonly #places: Readonly<Record<string, Place>>;
  readonly #shared = new Map<string, Uint8Array>();

  /**
   * @param tensor The tensor.
   * @param source What its parts lie in.
   * @param places Where each of them is.
   */
  constructor(
    tensor: StreamTensor,
    source: ByteReader,
    places: Readonly<Record<string, Place>>,
  ) {
    this.matrix = tensor.matrix;
    this.tall = tensor.tall;
    this.#tensor = tensor;
    this.#source = source;
    this.#places = places;
  }

  windows(capacity: number): Iterable<Window> {
    return this.#tensor.windows(whole(this.matrix), capacity);
  }

  largest(capacity: number): number {
    return this.#tensor.largest(capacity);
  }

  async read(
    window: Window,
    matrix: Matrix,
    { values, parts: memory, busy }: Slot,
  ): Promise<() => Float32Array> {
    await busy;
    const out = values.subarray(0, window.rows * window.columns);
    const places = [...this.#windowsOf(window, matrix)];
    const parts = this.#tensor.carve(
      places.map(({ window }) => this.#tensor.around(window)),
      memory,
    );
    for (const part of parts) await this.readParts(part);
    return () => {
      places.forEach(({ window, at }, i) => {
        const count = window.rows * window.columns;
        this.#tensor.decode(parts[i], window, out.subarray(at, at + count));
      });
      return out;
    };
  }

  /**
   * Reads the parts of a window of this tensor's own matrix.
   *
   * @param parts Where to: memory for a window that {@linkcode StreamTensor.around} gives. Parts that serve all windows get arrays of their own.
   */
  async readParts({ bytes, area }: WindowBytes): Promise<void> {
    const reading = this.#tensor.plans.map(async ([name, plan]) => {
      const { offset, byteLength } = this.#places[name];
      if (this.#tensor.shared.has(name)) {
        bytes[name] = await this.#readShared(name, offset, byteLength);
        return;
      }
      const range = rangeOf(plan, this.matrix, area);
      await readRange(this.#source, offset, range, bytes[name]);
    });
    // Nothing may touch the memory after this has failed.
    for (const result of await Promise.allSettled(reading)) {
      if (result.status === "rejected") throw result.reason;
    }
  }

  /** Reads a part that serves all windows; a text may be as long as it is. */
  async #readShared(
    name: string,
    offset: number,
    byteLength: number,
  ): Promise<Uint8Array> {
    const kept = this.#shared.get(name);
    if (kept) return kept;
    const bytes = new Uint8Array(byteLength);
    await this.#source.read(offset, bytes);
    this.#shared.set(name, bytes);
    return bytes;
  }

  /** The windows of this tensor's own matrix that a window of another one consists of. */
  *#windowsOf(
    window: Window,
    matrix: Matrix,
  ): Generator<{ window: Window; at: number }, void> {
    const { columns } = this.matrix;
    if (matrix.columns === columns) return yield { window, at: 0 };
    for (const { first, at, count } of rowsOf(window, matrix)) {
      let done = 0;
      for (const own of ownWindows(first, count, columns)) {
        yield { window: own, at: at + done };
        done += own.rows * own.columns;
      }
    }
  }
}

/** The windows that a stretch of values consists of: the end of a row, whole rows, the start of a row. */
function* ownWindows(
  first: number,
  count: number,
  columns: number,
): Generator<Window, void> {
  for (let at = first; at < first + count;) {
    const row = Math.floor(at / columns), column = at % columns;
    const left = first + count - at;
    if (column > 0 || left < columns) {
      const some = Math.min(left, columns - column);
      yield { row, rows: 1, column, columns: some };
      at += some;
    } else {
      const rows = Math.floor(left / columns);
      yield { row, rows, column: 0, columns };
      at += rows * columns;
    }
  }
}
