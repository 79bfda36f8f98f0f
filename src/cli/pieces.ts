/**
 * Cuts tensors of any size into pieces that fit in memory, and knows where the
 * parts of each piece lie among the parts of the tensor.
 *
 * A piece is some whole rows, or a stretch of one row. Parts are in row-major
 * order, so those of a piece lie where the parts of all that comes before it end.
 *
 * @module
 */
import { dtypeBytes } from "../numeric/dtypes.ts";
import { rowLength, sizeOf, withLastAxis } from "../numeric/shape.ts";
import type { Format, PartSpec } from "../types.ts";

/** Values that one piece holds at most, if nothing forces more: 16 MiB of float32. */
export const PIECE_VALUES = 4 * 1024 * 1024;

/**
 * Stretches of a long row or of a long group start at the multiples of this many
 * values; a piece can hold that many at least.
 */
export const FREE_STEP = 64;

/** A piece of a tensor. */
export interface Piece {
  /** Index of its first value. */
  readonly first: number;
  /** How many values it has. */
  readonly count: number;
  /** Its own shape: some rows, or a stretch of one. */
  readonly shape: readonly number[];
}

/** A tensor in a format; options filled in by {@linkcode Format.resolve}. */
export interface Layout {
  /** The format. */
  readonly format: Format;
  /** The logical shape. */
  readonly shape: readonly number[];
  /** The resolved options. */
  readonly options: object;
}

/** Where the bytes of a piece's part lie. */
export interface PartRange extends PartSpec {
  /** Bytes of the tensor's part that come before. */
  readonly offset: number;
}

/** Bytes of a part. */
export function partBytes({ dtype, shape }: PartSpec): number {
  return sizeOf(shape) * dtypeBytes(dtype);
}

/** Bytes of all parts of a tensor. */
export function layoutBytes({ format, shape, options }: Layout): number {
  const specs: PartSpec[] = Object.values(format.parts(shape, options));
  return specs.reduce((sum, spec) => sum + partBytes(spec), 0);
}

/** How a tensor may be cut. */
export interface Grain {
  /** Values that a piece must be able to hold at least. */
  readonly least: number;
  /** Pieces of a row start at the multiples of this many values, counted from the last fence. */
  readonly step: number;
  /** No piece of a row may reach across a multiple of this many values. */
  readonly fence: number;
}

const ANY_GRAIN: Grain = { least: 1, step: 1, fence: Infinity };

/**
 * Finds how a tensor may be cut.
 *
 * @param layout The tensor; undefined for plain values, which may be cut anywhere.
 * @param capacity Values that fit in memory at a time.
 * @returns What pieces have to obey.
 */
export function grainOf(layout: Layout | undefined, capacity: number): Grain {
  if (!layout) return ANY_GRAIN;
  const { format, shape, options } = layout;
  const columns = rowLength(shape);
  const span = format.span(shape, options);
  if (span <= capacity) return { ...ANY_GRAIN, step: Math.min(span, columns) };
  if (isLong(layout, capacity)) {
    return { least: 1, step: FREE_STEP, fence: Math.min(span, columns) };
  }
  return { ...ANY_GRAIN, least: span };
}

/** Whether groups are too long to fit, but can be quantized in pieces once they are measured. */
function isLong({ format, shape, options }: Layout, capacity: number): boolean {
  const span = format.span(shape, options);
  return span > capacity && format.within !== undefined &&
    format.group(shape, options) === span;
}

/** What pieces have to obey to suit both grains. */
export function bothGrains(a: Grain, b: Grain): Grain {
  const step = a.step / gcd(a.step, b.step) * b.step;
  return {
    least: Math.max(a.least, b.least),
    step,
    fence: Math.min(a.fence, b.fence),
  };
}

function gcd(a: number, b: number): number {
  return b === 0 ? Math.max(1, a) : gcd(b, a % b);
}

/**
 * Cuts a tensor.
 *
 * @param shape Its shape.
 * @param capacity Values that fit in memory at a time.
 * @param grain What the pieces have to obey.
 * @returns The pieces in order; one of no values where the tensor has none.
 */
export function* cut(
  shape: readonly number[],
  capacity: number,
  grain: Grain,
): Generator<Piece, void> {
  const count = sizeOf(shape), columns = rowLength(shape);
  const room = roomFor(shape, capacity, grain);
  if (count <= room) return yield { first: 0, count, shape };
  if (columns <= room) {
    for (let rest = count / columns, first = 0; rest > 0;) {
      const rows = Math.min(rest, Math.floor(room / columns));
      yield { first, count: rows * columns, shape: [rows, columns] };
      rest -= rows;
      first += rows * columns;
    }
    return;
  }
  const longest = Math.floor(room / grain.step) * grain.step;
  for (let row = 0; row < count; row += columns) {
    for (let at = 0; at < columns;) {
      const toFence = grain.fence === Infinity
        ? Infinity
        : grain.fence - at % grain.fence;
      const length = Math.min(longest, columns - at, toFence);
      yield { first: row + at, count: length, shape: [length] };
      at += length;
    }
  }
}

/** Values that the largest piece of a tensor may have. */
export function roomFor(
  shape: readonly number[],
  capacity: number,
  { least, step }: Grain,
): number {
  const needed = Math.max(least, Math.min(step, rowLength(shape)));
  return Math.min(sizeOf(shape), Math.max(capacity, needed));
}

/** How the pieces of one tensor are quantized, and where their parts lie. */
export class PieceLayout {
  readonly #layout: Layout;
  readonly #columns: number;
  readonly #span: number;
  /** Whether pieces lie within groups that have to be measured first. */
  readonly measured: boolean;

  /** Takes a tensor and how many values a piece has at most. */
  constructor(layout: Layout, capacity: number) {
    const { format, shape, options } = layout;
    this.#layout = layout;
    this.#columns = rowLength(shape);
    this.#span = format.span(shape, options);
    this.measured = sizeOf(shape) > capacity && isLong(layout, capacity);
  }

  /** Number of the group that a piece lies in; for measured tensors only. */
  groupOf({ first }: Piece): number {
    if (this.#span > this.#columns) return 0;
    const perRow = Math.ceil(this.#columns / this.#span);
    const row = Math.floor(first / this.#columns);
    return row * perRow + Math.floor(first % this.#columns / this.#span);
  }

  /** Options to quantize a piece with, given the range of its group where it has to be measured. */
  options(range: readonly [min: number, max: number] = [0, 0]): object {
    const { format, options } = this.#layout;
    return this.measured ? format.within!(options, ...range) : options;
  }

  /** What parts a piece has, and where they lie among the tensor's. */
  parts(piece: Piece): Record<string, PartRange> {
    const before = this.#before(piece);
    const specs: Record<string, PartSpec> = this.#layout.format.parts(
      piece.shape,
      this.options(),
    );
    return Object.fromEntries(
      Object.entries(specs).map(([name, spec]) => [
        name,
        { ...spec, offset: before[name] ?? 0 },
      ]),
    );
  }

  /** Bytes of each part that come before a piece; nothing where there are none. */
  #before({ first, count }: Piece): Record<string, number> {
    if (first === 0) return {};
    const columns = Math.max(1, this.#columns);
    const row = Math.floor(first / columns), at = first % columns;
    const offsets: Record<string, number> = {};
    if (!this.measured) {
      if (at % this.#span !== 0 && count > 0) {
        throw new Error(
          `Cannot cut a tensor at value ${first}: its groups have ${this.#span} values`,
        );
      }
      this.#addBytes(offsets, this.#layout.options, row, at);
      return offsets;
    }
    const perRow = this.#span <= this.#columns;
    const group = perRow ? Math.floor(at / this.#span) * this.#span : 0;
    if (perRow) this.#addBytes(offsets, this.#layout.options, row, group);
    this.#addBytes(offsets, this.options(), perRow ? 0 : row, at - group);
    return offsets;
  }

  /** Adds the bytes that `rows` whole rows and `columns` values of the next one take. */
  #addBytes(
    offsets: Record<string, number>,
    options: object,
    rows: number,
    columns: number,
  ): void {
    const { format } = this.#layout;
    const size = (shape: readonly number[]) =>
      Object.entries(format.parts(shape, options) as Record<string, PartSpec>)
        .map(([name, spec]): [string, number] => [name, partBytes(spec)]);
    // Nothing may take bytes too: the one scale of a tensor. It comes before no piece.
    const stretches = [
      [withLastAxis([rows, 0], this.#columns), [0, this.#columns]],
      [[columns], [0]],
    ];
    for (const [some, none] of stretches) {
      const empty = new Map(size(none));
      for (const [name, bytes] of size(some)) {
        offsets[name] = (offsets[name] ?? 0) + bytes - empty.get(name)!;
      }
    }
  }
}
