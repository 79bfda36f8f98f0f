/**
 * A query as whole numbers, laid out for a scan, and what turns sums into scores.
 *
 * @module
 */
import type { SearchGrid } from "./grid.ts";

/** How finely a query is rounded: to 8 or 16 bits, or as finely as a float32. */
export type Precision = "int8" | "int16" | "float32";

/** What a score is. */
export type Metric = "dot" | "cosine" | "euclidean";

/** A query, ready to be scanned. */
export interface PackedQuery {
  /** Whole numbers; times `step` they are the query. */
  readonly high: Int16Array;
  /** What `high` leaves: the query is (high · base + low) · step. Absent unless the precision is float32. */
  readonly low?: Int16Array;
  /** How much one of `high` counts in units of `low`; 1 without it. */
  readonly base: number;
  /** What a unit stands for, float32. */
  readonly step: number;
  /** What the centre adds to every dot product, float32. */
  readonly offset: number;
  /** What scores are. */
  readonly metric: Metric;
  /** ‖q‖² for distances, 1 / ‖q‖ for cosines, float32. */
  readonly norm: number;
}

const MOST_SUM = 2 ** 31 - 1;

const LARGEST: Readonly<Record<Precision, number>> = {
  int8: 127,
  int16: 32767,
  float32: 32767,
};

/** What a query is packed with. */
export interface QuerySettings {
  readonly grid: SearchGrid;
  readonly precision: Precision;
  readonly metric: Metric;
  /** ‖q‖ of the query as it came, before it was turned. */
  readonly length: number;
  /** ⟨q, centre⟩. */
  readonly offset: number;
}

/**
 * Packs a query.
 *
 * A sum over a row is at most Σ|q| times the largest number that the grid adds
 * up. Where that would not fit in an int32 (thousands of dimensions) the query
 * is rounded more coarsely, so that no sum overflows.
 *
 * @param values The query, finite, rotated as the rows are.
 * @param settings How, and for what.
 * @returns The query.
 */
export function packQuery(
  values: Float32Array,
  { grid, precision, metric, length, offset }: QuerySettings,
): PackedQuery {
  const count = values.length, plainest = Math.max(...grid.plain);
  let largest = 0, sum = 0;
  for (let i = 0; i < count; i++) {
    const magnitude = Math.abs(values[i]);
    largest = Math.max(largest, magnitude);
    sum += magnitude;
  }
  // Rounding adds up to a half to each; slope doubles sums of codes.
  const room = MOST_SUM / (2 * plainest) - count;
  const top = largest === 0
    ? 1
    : Math.min(LARGEST[precision], Math.floor(room / sum * largest));
  const fine = precision === "float32";
  // Halves of ± base / 2 fit in an int16, and their sums in an int32.
  const base = fine
    ? 2 ** Math.min(15, Math.floor(Math.log2(room / count)))
    : 1;
  const units = largest === 0 ? 0 : top / largest;
  const high = new Int16Array(count), low = new Int16Array(fine ? count : 0);
  for (let i = 0; i < count; i++) {
    const exact = values[i] * units;
    const coarse = Math.floor(exact + 0.5);
    high[i] = coarse;
    if (fine) low[i] = Math.floor((exact - coarse) * base + 0.5);
  }
  return {
    high,
    low: fine ? low : undefined,
    base,
    step: largest === 0 ? 0 : Math.fround(largest / top / base),
    offset: Math.fround(offset),
    metric,
    norm: Math.fround(
      metric === "euclidean"
        ? length * length
        : metric === "cosine"
        ? 1 / length
        : 1,
    ),
  };
}
