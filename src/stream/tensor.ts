/**
 * A quantized tensor of which only windows are in memory.
 *
 * @module
 */
import { allocateParts } from "../core.ts";
import {
  type Cutting,
  cuttingOf,
  largestWindow,
  type Stretch,
  stretches,
  type Tensor,
  windows,
} from "../model/stages.ts";
import { gather, scatter, totalOf } from "../layouts/runs.ts";
import { decodeWindow, encodeWindow } from "../model/tensor.ts";
import { ScaleOverflow } from "../numeric/finite.ts";
import { ARRAYS } from "../words/dtypes.ts";
import type { Format, Part, Parts } from "../words/format.ts";
import {
  partBytes,
  type PartPlan,
  rangeOf,
  rangeWithin,
} from "../words/layout.ts";
import { type EncodeContext, groupOf } from "../words/scheme.ts";
import type { ResolvedSearchOptions } from "../words/search.ts";
import { areaNumber, areasOf } from "../words/tile.ts";
import { areaOf, type Matrix, whole, type Window } from "../words/window.ts";
import { ByteMemory, bytesOf, FloatMemory } from "./memory.ts";
import { carve, type WindowBytes } from "./window_bytes.ts";

/** A tensor in a format. */
export interface FormatTensor {
  /** The format. */
  readonly format: Format;
  /** The logical shape. */
  readonly shape: readonly number[];
  /** The options, filled in by {@linkcode Format.resolve}. */
  readonly options: object;
}

type Plans = Readonly<Record<string, PartPlan>>;

/** Heads of windows up to this many values are not worth a cut at every group. */
const SHORT_HEAD = 64 * 1024;
/** Bytes of runs together, so that a run of a layout in columns is worth a write. */
const RUN_BYTES = 4096;

const scratch = new FloatMemory();
/** Holds the parts of one window at a time, where they do not lie together. */
const copies = new ByteMemory();

/** Whether every window has the same bytes of a part: tables, numbers of the tensor, texts. */
function isShared({ unit, holds }: PartPlan, matrix: Matrix): boolean {
  return isTold({ holds }) ||
    !holds.some(({ kind }) => kind === "codes") &&
      unit.rows >= matrix.rows && unit.columns >= matrix.columns;
}

/** Whether a part tells of the whole tensor what no window has of its own, such as its shape. */
function isTold({ holds }: Pick<PartPlan, "holds">): boolean {
  return holds.some(({ kind }) => kind === "text" || kind === "constant");
}

/**
 * A tensor in a format, cut into windows: aligned ones are done by the format
 * as tensors of their own, the others by its scheme and layout.
 */
export class StreamTensor {
  /** What is cut. */
  readonly matrix: Matrix;
  /** Its parts. */
  readonly plans: readonly (readonly [name: string, plan: PartPlan])[];
  /** The parts that are the same for all windows. */
  readonly shared: ReadonlySet<string>;
  /** How finely it can be cut. */
  readonly cutting: Cutting;
  /** Rows that a window should have, so that bytes lie together. */
  readonly tall: number;
  /** What it is a tensor of. */
  readonly of: FormatTensor;
  readonly #tensor: Tensor;
  /** Whether a part tells of the whole tensor, so that no window is a tensor of its own. */
  readonly #isTold: boolean;
  /** Parts of a window as a tensor of its own. */
  readonly #own = { rows: -1, columns: -1, plans: {} as Plans };

  /** Takes a tensor. */
  constructor(whole: FormatTensor) {
    const { format, shape, options } = whole;
    const tensor: Tensor = {
      scheme: format.scheme(shape, options),
      layout: format.layout(shape, options),
    };
    this.of = whole;
    this.#tensor = tensor;
    this.matrix = tensor.layout.matrix;
    this.plans = Object.entries(tensor.layout.parts);
    this.shared = new Set(
      this.plans.filter(([, plan]) => isShared(plan, this.matrix))
        .map(([name]) => name),
    );
    this.cutting = cuttingOf(tensor);
    this.tall = this.plans.reduce(
      (most, [, { order, unit, holds }]) =>
        order === "columns" && holds.some(({ kind }) => kind === "codes")
          ? Math.max(most, Math.ceil(RUN_BYTES / unit.bytes) * unit.rows)
          : most,
      1,
    );
    this.#isTold = this.plans.some(([, plan]) => isTold(plan));
  }

  /** What its numbers mean and where they lie. */
  get tensor(): Tensor {
    return this.#tensor;
  }

  /** What the numbers mean. */
  get scheme(): Tensor["scheme"] {
    return this.#tensor.scheme;
  }

  /** Bytes of all parts. */
  get byteLength(): number {
    return this.plans.reduce((sum, [, plan]) => sum + partBytes(plan), 0);
  }

  /** Takes memory for the parts of windows. */
  carve(areas: readonly Window[], memory: ByteMemory): WindowBytes[] {
    return carve(areas.map((area) => [this, [area]] as const), memory)
      .map((bytes, i) => ({ bytes, area: areas[i] }));
  }

  /** The smallest window around another one whose bytes tell its values: whole units of codes. */
  around(window: Window): Window {
    const { unit } = this.cutting;
    const column = window.column - window.column % unit;
    const end = window.column + window.columns;
    const last = Math.min(end + headOf(end, unit), this.matrix.columns);
    return { ...window, column, columns: last - column };
  }

  /** The bytes of its parts where it has no values. */
  empty(): Record<string, Uint8Array> {
    const { format, shape, options } = this.of;
    const parts = allocateParts(this.#tensor.layout.parts);
    format.quantize(new Float32Array(0), shape, options, parts);
    return Object.fromEntries(
      Object.entries(parts).map(([name, { data }]) => [name, bytesOf(data)]),
    );
  }

  /** Values in the largest window for this capacity. */
  largest(capacity: number): number {
    return largestWindow(this.cutting, this.matrix, capacity);
  }

  // ---- dequantizing ----

  /**
   * Dequantizes any window.
   *
   * @param parts The bytes of an area that {@linkcode around} gives, or a larger one.
   * @param window The window.
   * @param out One float32 for each value, row by row.
   */
  decode(parts: WindowBytes, window: Window, out: Float32Array): void {
    for (const piece of this.#pieces(window)) {
      const first = (piece.row - window.row) * window.columns +
        piece.column - window.column;
      if (piece.columns === window.columns || piece.rows === 1) {
        this.#decodePiece(
          parts,
          piece,
          out.subarray(first, first + areaOf(piece)),
        );
        continue;
      }
      const values = scratch.take(areaOf(piece));
      this.#decodePiece(parts, piece, values);
      for (let r = 0; r < piece.rows; r++) {
        const row = values.subarray(
          r * piece.columns,
          (r + 1) * piece.columns,
        );
        out.set(row, first + r * window.columns);
      }
    }
  }

  #decodePiece(parts: WindowBytes, piece: Window, out: Float32Array): void {
    const plans = this.#ownPlans(piece);
    if (!plans) {
      decodeWindow(this.#tensor, parts, piece, out);
      return;
    }
    const { format, options } = this.of;
    const own = this.#take(parts, piece, plans);
    try {
      format.dequantize(own, [piece.rows, piece.columns], options, out);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // It tells of a window; this tells of the tensor.
      decodeWindow(this.#tensor, parts, piece, out);
    }
  }

  /** Cuts a window so that most of it can be done by the format itself. */
  *#pieces(window: Window): Generator<Window, void> {
    const first = Math.min(
      headOf(window.row, this.cutting.rows),
      window.rows,
    );
    const bands: Pick<Window, "row" | "rows">[] = [
      { row: window.row, rows: first },
      { row: window.row + first, rows: window.rows - first },
    ];
    for (const band of bands) {
      if (band.rows === 0) continue;
      for (const stretch of this.#stretches(window)) {
        yield { ...band, ...stretch };
      }
    }
  }

  *#stretches({ column, columns }: Window): Generator<Stretch, void> {
    const { cutting } = this, end = column + columns;
    if (cutting.rows * cutting.columns > SHORT_HEAD) {
      return yield* stretches(column, end, cutting, Infinity);
    }
    const head = Math.min(headOf(column, cutting.columns), columns);
    if (head > 0) yield { column, columns: head };
    if (head < columns) {
      yield { column: column + head, columns: columns - head };
    }
  }

  // ---- quantizing ----

  /**
   * Quantizes a window.
   *
   * @param values Its values, row by row.
   * @param window One of those that the tensor can be cut into.
   * @param parts Receives the bytes: those of the window, or of an area around it.
   * @param context What was measured before.
   */
  encode(
    values: Float32Array,
    window: Window,
    parts: WindowBytes,
    context: EncodeContext,
  ): void {
    // Where groups are measured, formats take one to a row, and none that
    // would seem to end where the window does.
    const { columns } = areasOf(window, groupOf(this.scheme, this.matrix));
    const cutsGroups = context.ranges && (columns > 1 || this.scheme.padded);
    const plans = cutsGroups || !this.#hasAllWeights(window)
      ? undefined
      : this.#ownPlans(window);
    if (!plans) {
      encodeWindow(this.#tensor, values, window, parts, context);
      return;
    }
    const { format, options } = this.of;
    const own = this.#take(parts, window, plans);
    try {
      const shape = [window.rows, window.columns];
      format.quantize(values, shape, options, own, context);
    } catch (error) {
      throw this.#located(error, window);
    }
    this.#putBack(own, window, parts);
  }

  /** The same error with the numbers of the whole tensor. */
  #located(error: unknown, window: Window): unknown {
    if (!(error instanceof ScaleOverflow)) return error;
    const index = this.indexOf(error.first, window);
    const span = groupOf(this.scheme, this.matrix);
    const group = areaNumber(this.matrix, span, index);
    return new ScaleOverflow(group, index, error.stored);
  }

  /** Index in the tensor of a value of a window. */
  indexOf(i: number, { row, column, columns }: Window): number {
    const r = row + Math.floor(i / columns);
    return r * this.matrix.columns + column + i % columns;
  }

  /** The windows of an area. */
  windows(area: Window, capacity: number): Iterable<Window> {
    return windows(area, this.cutting, capacity, this.tall);
  }

  // ---- windows as tensors of their own ----

  /** Whether the format does all of it in one go, and so measures what it has to. */
  get isOwn(): boolean {
    const all = whole(this.matrix);
    return this.#hasAllWeights(all) && this.#ownPlans(all) !== undefined;
  }

  /** Whether weights of columns are those of the window's columns: a tensor of its own knows of no others. */
  #hasAllWeights({ column, columns }: Window): boolean {
    const { importance } = this.of.options as ResolvedSearchOptions;
    return importance === undefined ||
      column === 0 && columns === this.matrix.columns &&
        columns === importance.length;
  }

  /** What parts a window has as a tensor of its own; undefined where it cannot be one. */
  #ownPlans(window: Window): Plans | undefined {
    if (this.#isTold || !this.#isAligned(window)) return undefined;
    const { format, options } = this.of;
    const { rows, columns } = window, own = this.#own;
    if (own.rows !== rows || own.columns !== columns) {
      own.rows = rows;
      own.columns = columns;
      own.plans = format.layout([rows, columns], options).parts;
    }
    const { plans } = own;
    const same = this.plans.every(([name, plan]) =>
      Object.hasOwn(plans, name) &&
      partBytes(plans[name]) === totalOf(rangeOf(plan, this.matrix, window))
    );
    return same ? plans : undefined;
  }

  /** Whether a window starts where units and groups start, or lies within one group. */
  #isAligned(window: Window): boolean {
    const { row, rows, column, columns } = window;
    const { fields } = this.scheme;
    const from = (start: number, step: number) => start % step === 0;
    const inside = (start: number, count: number, step: number) =>
      from(start, step) || Math.floor(start / step) ===
        Math.floor((start + count - 1) / step);
    for (const [, { unit, holds, wholeRows }] of this.plans) {
      if (wholeRows && columns !== this.matrix.columns) return false;
      const whole = holds.some((item) =>
        item.kind === "codes" ||
        item.kind === "field" && !fields[item.role].shared &&
          item.codec.areas.rows * item.codec.areas.columns > 1
      );
      if (whole && !(from(row, unit.rows) && from(column, unit.columns))) {
        return false;
      }
    }
    return Object.values(fields).every(({ span, shared }) =>
      // What is said of every column counts columns of the whole.
      shared
        ? columns === this.matrix.columns || span.columns >= this.matrix.columns
        : inside(row, rows, span.rows) && inside(column, columns, span.columns)
    );
  }

  /** The parts of a window: views where its bytes lie together, copies where not. */
  #take(
    { bytes, area }: WindowBytes,
    window: Window,
    plans: Plans,
  ): Parts {
    const wanted = this.plans.map(([name, plan]) => {
      const range = rangeWithin(plan, this.matrix, area, window);
      const { dtype, shape } = plans[name], from = bytes[name];
      const start = from.byteOffset + range.offset;
      const apart = range.count > 1 ||
        start % ARRAYS[dtype].BYTES_PER_ELEMENT !== 0;
      return { name, range, dtype, shape, from, apart };
    });
    const far = wanted.filter(({ apart }) => apart);
    if (far.length > 0) {
      const total = far.reduce((sum, { range }) => sum + totalOf(range), 0);
      copies.reset(total, far.length);
    }
    const parts: Record<string, Part> = {};
    for (const { name, range, dtype, shape, from, apart } of wanted) {
      const { offset, length } = range;
      const view = apart
        ? copies.take(totalOf(range))
        : from.subarray(offset, offset + length);
      if (apart) gather(from, range, view);
      const data = new ARRAYS[dtype](
        view.buffer as ArrayBuffer,
        view.byteOffset,
        view.byteLength / ARRAYS[dtype].BYTES_PER_ELEMENT,
      );
      parts[name] = { dtype, shape, data } as Part;
    }
    return parts;
  }

  /** Puts the parts of a window where they belong, where they are copies. */
  #putBack(own: Parts, window: Window, { bytes, area }: WindowBytes): void {
    for (const [name, plan] of this.plans) {
      const data = bytesOf(own[name].data);
      const range = rangeWithin(plan, this.matrix, area, window);
      const { buffer, byteOffset } = bytes[name];
      const isView = data.buffer === buffer &&
        data.byteOffset === byteOffset + range.offset;
      if (isView) continue;
      scatter(data, range, bytes[name]);
    }
  }
}

/** How many steps are missing to the next multiple. */
function headOf(at: number, step: number): number {
  return at % step === 0 ? 0 : step - at % step;
}
