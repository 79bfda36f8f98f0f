/**
 * Prepasses that find ranges of whole columns or of a whole tensor with less squared
 * error than those from the smallest to the largest value, which grow with every value
 * that is looked at: rows are sampled, and ranges of them fitted as any scale and bias.
 *
 * @module
 */
import type { Prepass, Ranges } from "../words/scheme.ts";
import type { ResolvedSearchOptions, ScaleSearch } from "../words/search.ts";
import {
  type AffineNumbers,
  type AffineStore,
  fitAffineGroup,
  momentsAt,
} from "./affine_fit.ts";
import { columnRanges } from "./extremes.ts";
import type { Group } from "./ladder.ts";
import type { RangeSought } from "./sought.ts";

const { fround, max, min } = Math;

/** What ranges are of. */
type RangePlan = Omit<RangeSought, "kind">;

/**
 * Finds ranges by a search.
 *
 * @param plan What of.
 * @param options How.
 */
export function rangePrepass(
  plan: RangePlan,
  options: ResolvedSearchOptions,
): Prepass {
  const { columns, together, prepare } = plan;
  const exact = columnRanges(columns, together), sample = new Sample(plan);
  return {
    add(given): void {
      const values = prepare ? given.slice() : given;
      for (let at = 0; at < values.length; at += columns) {
        const row = values.subarray(at, at + columns);
        prepare?.(row);
        sample.add(row);
      }
      exact.add(values);
    },
    result() {
      const ranges = exact.result().ranges!;
      search(plan, options, ranges, sample);
      return { ranges };
    },
  };
}

/** Rows that are kept at most, for what a column has in common, and values in all for what they all have. */
const MOST_ROWS = 4096, MOST_TOGETHER = 65536;

/** What all rows that are kept may hold, and how few rows are a sample all the same. */
const MOST_VALUES = 2 ** 22, LEAST_ROWS = 16;

/** Every so many-th row of a tensor, whatever windows it comes in. */
class Sample {
  /** The rows. */
  readonly rows: Float32Array[] = [];
  /** One of how many is kept. */
  stride = 1;
  readonly #most: number;
  #next = 0;

  constructor({ columns, together }: RangePlan) {
    const wanted = together ? MOST_TOGETHER / columns : MOST_ROWS;
    this.#most = max(LEAST_ROWS, min(wanted, MOST_VALUES / columns));
  }

  add(row: Float32Array): void {
    if (this.#next++ % this.stride > 0) return;
    this.rows.push(row.slice());
    if (this.rows.length <= this.#most) return;
    this.stride *= 2;
    const kept = this.rows.filter((_, i) => i % 2 === 0);
    this.rows.splice(0, Infinity, ...kept);
  }
}

/** Puts better ranges in the place of exact ones. */
function search(
  plan: RangePlan,
  { search, importance }: ResolvedSearchOptions,
  { min, max }: Ranges,
  sample: Sample,
): void {
  // In a column all count the same, and everywhere where nothing counts.
  const isWeighed = plan.together && importance?.some((weight) => weight > 0);
  const weights = isWeighed ? importance : undefined;
  for (let k = 0; k < min.length; k++) {
    const group = groupOf(plan, sample, weights, k, [min[k], max[k]]);
    const start = exactNumbers(plan, min[k], max[k]);
    const found = rangeOf(group, start, search!);
    if (!found) continue;
    const low = fround(found.bias - plan.offset * found.scale);
    const high = fround(low + 15 * found.scale);
    // Twice the width, as the last level may lie beyond it.
    if (!Number.isFinite(fround(low + 2 * (high - low)))) continue;
    min[k] = low;
    max[k] = high;
  }
}

/** What codes stand for in a range. */
function exactNumbers(
  { offset }: RangePlan,
  low: number,
  high: number,
): AffineNumbers {
  const scale = (high - low) / 15;
  return { scale, bias: low + offset * scale };
}

/**
 * The sampled values that share a range, and its ends, which count as the single
 * values that they are, however few of the others were sampled.
 */
function groupOf(
  { columns, together }: RangePlan,
  { rows, stride }: Sample,
  importance: Float32Array | undefined,
  column: number,
  ends: readonly number[],
): Group {
  const perRow = together ? columns : 1, count = rows.length * perRow;
  const all = stride > 1 ? count + ends.length : count;
  const values = new Float32Array(all), weights = new Float32Array(all);
  rows.forEach((row, r) => {
    for (let i = 0; i < perRow; i++) {
      const at = together ? i : column;
      values[r * perRow + i] = row[at];
      weights[r * perRow + i] = importance?.[at] ?? 1;
    }
  });
  if (stride > 1) {
    values.set(ends, count);
    weights.fill(1 / stride, count);
  }
  return { values, weights };
}

const STORE: AffineStore = {
  scale: (exact) => max(0, fround(exact)),
  bias: (exact) => fround(exact),
};

/** What part of the values lies below or above a range at first. */
const CUTS = [0, 0.0005, 0.002, 0.006, 0.015, 0.03];

/** From how many of these ranges and codes are fitted to each other. */
const FOLLOWED = 3;

/** A range has to leave so much less error than the exact one to take its place: less are roundings. */
const LESS = 1 - 1e-6;

/** The best range that is found; undefined where none is better than the exact one. */
function rangeOf(
  group: Group,
  start: AffineNumbers,
  search: ScaleSearch,
): AffineNumbers | undefined {
  const sorted = group.values.slice().sort(), last = sorted.length - 1;
  const starts = [start];
  for (const below of CUTS) {
    for (const above of search === "fast" ? [below] : CUTS) {
      const low = sorted[Math.round(below * last)];
      const high = sorted[Math.round((1 - above) * last)];
      starts.push({ scale: (high - low) / 15, bias: low });
    }
  }
  const judged = starts.filter(({ scale }) => scale > 0)
    .map((numbers) => ({ ...numbers, error: momentsAt(group, numbers).error }))
    .sort((a, b) => a.error - b.error);
  const best = search === "fast"
    ? judged[0]
    : fitAffineGroup(group, STORE, judged.slice(0, FOLLOWED));
  if (!(start.scale > 0)) return undefined;
  const bound = momentsAt(group, start).error * LESS;
  return best && best.error < bound ? best : undefined;
}
