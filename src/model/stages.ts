/**
 * How a tensor is cut into windows that can be worked on one after another.
 *
 * @module
 */
import { grainOf, type Layout, type PartPlan } from "../words/layout.ts";
import { groupOf, type Scheme } from "../words/scheme.ts";
import {
  areaOf,
  cut,
  type Grain,
  type Matrix,
  whole,
  type Window,
} from "../words/window.ts";

/** A tensor: what its numbers mean and where its bytes lie. */
export interface Tensor {
  /** What the numbers mean. */
  readonly scheme: Scheme;
  /** Where the bytes lie. */
  readonly layout: Layout<Record<string, PartPlan>>;
}

/** The tensor that shape and options describe. */
export type TensorOf<R> = (shape: readonly number[], options: R) => Tensor;

/** How finely a tensor can be cut. */
export interface Cutting {
  /** Rows that stay together. */
  readonly rows: number;
  /** Columns that hold whole groups and whole bytes. */
  readonly columns: number;
  /** Columns that hold whole bytes: a group may be cut there, once its numbers are known. */
  readonly unit: number;
  /** Columns of a group. */
  readonly group: number;
  /** Whether groups can be cut, each having numbers of its own. */
  readonly fine: boolean;
}

/** Finds how finely a tensor can be cut. */
export function cuttingOf({ scheme, layout }: Tensor): Cutting {
  const { fields, together, groupedBy, byRange = false } = scheme;
  const { rows, columns } = grainOf(layout, fields, false, together);
  const fine = grainOf(layout, fields, true, together);
  return {
    rows,
    columns,
    unit: fine.columns,
    group: Math.max(1, groupOf(scheme, layout.matrix).columns),
    fine: byRange && !fields[groupedBy]?.shared,
  };
}

/** Whether whole groups fit in windows of `capacity` values, or have to be taken whole all the same. */
export function fits(
  { rows, columns, fine }: Cutting,
  capacity: number,
): boolean {
  return !fine || rows * columns <= capacity;
}

/** Values in the largest window of a tensor that is cut for this capacity. */
export function largestWindow(
  cutting: Cutting,
  matrix: Matrix,
  capacity: number,
): number {
  const columns = fits(cutting, capacity) ? cutting.columns : cutting.unit;
  const least = Math.min(cutting.rows, matrix.rows) *
    Math.min(columns, matrix.columns);
  return Math.min(areaOf(whole(matrix)), Math.max(capacity, least));
}

/**
 * Cuts an area into windows that hold whole groups where they fit, and
 * otherwise lie within one group, but for the bytes that two groups share.
 *
 * @param area What to cut; starts at a multiple of `cutting.rows`.
 * @param cutting How finely it can be cut.
 * @param capacity Values in a window at most, if one grain is not more.
 * @param tall Rows of a window at least, where there are as many and capacity allows.
 */
export function* windows(
  area: Window,
  cutting: Cutting,
  capacity: number,
  tall = 1,
): Generator<Window, void> {
  if (fits(cutting, capacity)) {
    return yield* cutTall(area, cutting, capacity, tall);
  }
  const end = area.row + area.rows;
  for (let row = area.row; row < end; row += cutting.rows) {
    const rows = Math.min(cutting.rows, end - row);
    const room = capacity / rows;
    const columns = area.column + area.columns;
    for (const stretch of stretches(area.column, columns, cutting, room)) {
      yield { row, rows, ...stretch };
    }
  }
}

/** Windows of many rows: bytes of layouts in columns then lie together. */
function* cutTall(
  area: Window,
  grain: Grain,
  capacity: number,
  tall: number,
): Generator<Window, void> {
  const room = Math.min(area.rows, tall, capacity / grain.columns);
  const rows = Math.floor(room / grain.rows) * grain.rows;
  yield* cut(area, rows > grain.rows ? { ...grain, rows } : grain, capacity);
}

/** Columns of a row. */
export interface Stretch {
  /** The first. */
  readonly column: number;
  /** How many. */
  readonly columns: number;
}

/**
 * Cuts a stretch of a row where groups and bytes end.
 *
 * @param from The first column.
 * @param to The column behind the last.
 * @param cutting How finely rows can be cut.
 * @param room Columns that fit.
 * @returns Stretches that hold whole groups, lie within one group at a byte, or,
 * where groups end amid bytes and where `from` lies amid a byte, have one unit at most.
 */
export function* stretches(
  from: number,
  to: number,
  { columns: grain, unit, group }: Cutting,
  room: number,
): Generator<Stretch, void> {
  const many = (step: number) => Math.max(1, Math.floor(room / step)) * step;
  for (let at = from; at < to;) {
    let end: number;
    if (grain <= room && at % grain === 0) {
      end = room === Infinity ? to : at + many(grain);
    } else {
      const groupEnd = Math.floor(at / group + 1) * group;
      const bytesEnd = Math.floor(groupEnd / unit) * unit;
      if (at % unit !== 0) end = nextMultiple(at, unit);
      else if (bytesEnd > at) end = Math.min(bytesEnd, at + many(unit));
      else end = at + unit;
      if (grain <= room) end = Math.min(end, nextMultiple(at, grain));
    }
    end = Math.min(end, to);
    yield { column: at, columns: end - at };
    at = end;
  }
}

function nextMultiple(at: number, step: number): number {
  return (Math.floor(at / step) + 1) * step;
}

/** An area that is quantized after all of it was measured, or needs no measuring. */
export interface Stage {
  /** The area. */
  readonly area: Window;
  /** Its windows, in order. */
  windows(): Iterable<Window>;
  /** Whether the ranges of its groups have to be measured first: they are longer than a window. */
  readonly measured: boolean;
}

/**
 * How a tensor is quantized in windows of at most `capacity` values: groups that
 * fit in a window are kept whole, longer ones are measured first.
 *
 * @param matrix The tensor.
 * @param cutting How finely it can be cut.
 * @param capacity Values in a window.
 * @param tall See {@linkcode windows}.
 */
export function* stages(
  matrix: Matrix,
  cutting: Cutting,
  capacity: number,
  tall = 1,
): Generator<Stage, void> {
  const measured = !fits(cutting, capacity);
  const areas = measured ? cut(whole(matrix), cutting, 0) : [whole(matrix)];
  for (const area of areas) {
    yield {
      area,
      measured,
      windows: () => windows(area, cutting, capacity, tall),
    };
  }
}
