/**
 * What a search is called with, checked.
 *
 * @module
 */
import {
  oneOf,
  plainOptions,
  typedArray,
  wholeNumber,
} from "../numeric/arguments.ts";
import { shown } from "./options.ts";
import type { Metric, Precision } from "./query.ts";
import type { FetchRows, FloatRows, Rescore } from "./rescore.ts";
import type { Wanted } from "./scan.ts";

/** How scores are computed. */
export interface ScoreOptions {
  /** What a score is: `"cosine"` (the default), `"dot"`, or `"euclidean"`, the squared distance. */
  readonly metric?: Metric;
  /** How finely the query is rounded: `"int16"` (the default), `"int8"`, or `"float32"` at half the speed. */
  readonly precision?: Precision;
}

/** What a search looks for. */
export interface SearchOptions extends ScoreOptions {
  /** How many rows to find; 10 by default. */
  readonly k?: number;
  /** Whether a row may be found; asked of candidates only, in no order. */
  readonly filter?: (id: number) => boolean;
  /** A second look at the best with rows as they were. */
  readonly rescore?: Rescore<FloatRows>;
}

/** The same, with rows that have to be fetched. */
export interface FetchingSearchOptions extends Omit<SearchOptions, "rescore"> {
  /** A second look at the best with rows that a function fetches. */
  readonly rescore: Rescore<FetchRows>;
}

const DEFAULT_K = 10;
const DEFAULT_FACTOR = 4;

/** The metric that is asked for. */
export function metricOf({ metric }: ScoreOptions): Metric {
  return oneOf(metric ?? "cosine", ["dot", "cosine", "euclidean"], "metric");
}

/** The precision that is asked for. */
export function precisionOf({ precision }: ScoreOptions): Precision {
  return oneOf(precision ?? "int16", ["int16", "int8", "float32"], "precision");
}

/** The array to write to, of the right length. */
export function intoOf(
  into: Float32Array | undefined,
  length: number,
): Float32Array {
  if (into === undefined) return new Float32Array(length);
  const array = typedArray(into, ["Float32Array"], "into");
  if (array.length === length) return array;
  throw new RangeError(
    `Cannot use into: it has ${array.length} elements, and must have ${length}`,
  );
}

/**
 * What a scan has to find for a search.
 *
 * @param options The options.
 * @param size Rows that there are.
 * @returns k, and what the scan looks for: more than k where there is a second look.
 */
export function wantedOf(
  options: SearchOptions | FetchingSearchOptions,
  size: number,
): { k: number; wanted: Wanted; rescore?: Rescore } {
  plainOptions(options, "the options of a search");
  const { filter, rescore } = options;
  if (size === 0) {
    throw new RangeError("Cannot search: the matrix has no rows");
  }
  const k = wholeNumber(options.k ?? Math.min(DEFAULT_K, size), "k", 1, size);
  if (!rescore) return { k, wanted: { k, filter } };
  const factor = rescore.factor ?? DEFAULT_FACTOR;
  if (!(factor >= 1 && factor < Infinity)) {
    throw new RangeError(
      `Cannot use rescore.factor ${
        shown(factor)
      }: it must be a number from 1 on`,
    );
  }
  const candidates = Math.min(size, Math.ceil(factor * k));
  return { k, wanted: { k: candidates, filter }, rescore };
}
