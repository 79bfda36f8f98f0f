/**
 * The ranges of groups that do not fit in memory: all of a group is measured,
 * window by window, before any of it is quantized.
 *
 * @module
 */
import { measureRange } from "../kernels/grouped.ts";
import { firstNonFinite } from "../numeric/finite.ts";
import type { Ranges } from "../words/scheme.ts";
import { areasOf, type Run, runs, type Span } from "../words/tile.ts";
import { areaOf, type Window } from "../words/window.ts";

/** What is known of one group. */
class Extent {
  min = Infinity;
  max = -Infinity;
  nan = false;
  plus = false;
  minus = false;

  /** Takes values that are all finite; throws a RangeError where they are not. */
  add(values: Float32Array): void {
    if (values.length > 0) this.#widen(...measureRange(values));
  }

  addAny(values: Float32Array): void {
    for (const x of values) {
      if (Number.isFinite(x)) this.#widen(x, x);
      else if (Number.isNaN(x)) this.nan = true;
      else if (x > 0) this.plus = true;
      else this.minus = true;
    }
  }

  #widen(min: number, max: number): void {
    this.min = Math.min(this.min, min);
    this.max = Math.max(this.max, max);
  }

  /** Largest finite magnitude; what infinities become. */
  get largest(): number {
    return Math.max(0, -this.min, this.max);
  }

  /** Smallest and largest value, after clamping. */
  range(): [min: number, max: number] {
    const all = [this.min, this.max].filter(Number.isFinite);
    if (this.nan) all.push(0);
    if (this.plus) all.push(this.largest);
    if (this.minus) all.push(-this.largest);
    return all.length === 0 ? [0, 0] : [Math.min(...all), Math.max(...all)];
  }
}

/** Measures the groups of an area of a tensor. */
export class GroupRanges {
  readonly #areas: Window;
  readonly #span: Span;
  readonly #clamp: boolean;
  readonly #extents: Extent[];

  /**
   * @param area The area: it holds all of its groups.
   * @param span What a group is.
   * @param clamp Whether NaN and infinities are allowed, and taken as
   * {@linkcode GroupRanges.clean} makes them.
   */
  constructor(area: Window, span: Span, clamp = false) {
    this.#areas = areasOf(area, span);
    this.#span = span;
    this.#clamp = clamp;
    this.#extents = Array.from(
      { length: areaOf(this.#areas) },
      () => new Extent(),
    );
  }

  /** Takes a window of the area. Throws a RangeError at a NaN or an infinity, if they are not allowed. */
  add(values: Float32Array, window: Window): void {
    const any = this.#clamp && firstNonFinite(values) >= 0;
    for (const { run, extent } of this.#runs(window)) {
      const stretch = values.subarray(run.first, run.first + run.count);
      if (any) extent.addAny(stretch);
      else extent.add(stretch);
    }
  }

  /** The ranges of the groups that a window of the area touches. */
  ranges(window: Window): Ranges {
    const { row, rows, column, columns } = areasOf(window, this.#span);
    const min: number[] = [], max: number[] = [];
    for (let r = row; r < row + rows; r++) {
      for (let c = column; c < column + columns; c++) {
        const [low, high] = this.#extentAt(r, c).range();
        min.push(low);
        max.push(high);
      }
    }
    return { min: Float32Array.from(min), max: Float32Array.from(max) };
  }

  /** Writes 0 over NaN and the largest finite magnitude of the group over infinities. */
  clean(values: Float32Array, window: Window): void {
    if (firstNonFinite(values) < 0) return;
    for (const { run: { first, count }, extent } of this.#runs(window)) {
      for (let i = first; i < first + count; i++) {
        if (Number.isNaN(values[i])) values[i] = 0;
        else if (!Number.isFinite(values[i])) {
          values[i] = Math.sign(values[i]) * extent.largest;
        }
      }
    }
  }

  *#runs(window: Window): Generator<{ run: Run; extent: Extent }, void> {
    const areas = areasOf(window, this.#span);
    for (const run of runs(window, this.#span)) {
      const row = areas.row + Math.floor(run.area / areas.columns);
      const column = areas.column + run.area % areas.columns;
      yield { run, extent: this.#extentAt(row, column) };
    }
  }

  #extentAt(row: number, column: number): Extent {
    const { row: firstRow, column: firstColumn, columns } = this.#areas;
    return this.#extents[(row - firstRow) * columns + column - firstColumn];
  }
}
