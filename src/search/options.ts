/**
 * How the rows of a matrix are quantized: the options, checked.
 *
 * @module
 */
import { oneOf, plainOptions, wholeNumber } from "../numeric/arguments.ts";
import type { FloatValues } from "../numeric/floats.ts";
import { type GridName, GRIDS, type SearchGrid } from "./grid.ts";

/** Dimensions that a matrix may have: an int32 holds the sums of so many. */
export const MOST_DIMENSIONS = 65536;

/** Rows are stored in multiples of this many codes: one vector of a SIMD register. */
export const LANE_CODES = 32;

/** How a row's scale is found: `"absmax"`, `"fast"` or `"optimal"`. */
export type RowScale = "absmax" | "fast" | "optimal";

/** What a row's scale is made to get right: `"least-squares"` or `"unbiased"`. */
export type Estimator = "least-squares" | "unbiased";

/**
 * How a {@linkcode PackedMatrix} quantizes its rows.
 *
 * The recall@10 behind each option is that of 500 queries over 24,000 sentence
 * embeddings (MiniLM, 384 dimensions, cosine), ±0.003.
 */
export interface MatrixOptions {
  /** Values in a row, from 1 to 65,536. */
  readonly dimension: number;
  /**
   * What the sixteen codes stand for. `"uniform"` (the default) is scanned
   * fastest; `"lloyd"`, whose levels suit normally distributed values, finds a
   * little more and is scanned at two thirds of the speed.
   */
  readonly grid?: GridName;
  /**
   * How the scale of a row is found: from its largest magnitude (`"absmax"`), as
   * the best of nine (`"fast"`), or as the best of all (`"optimal"`, the
   * default), which maximises the cosine between a row and its codes. It costs
   * time when rows are added, none when they are searched.
   */
  readonly scale?: RowScale;
  /**
   * The seed of a rotation that spreads values over dimensions before they are
   * rounded, or `false`. On by default: it is worth much where few dimensions
   * hold most (clusters, a spectrum that falls), little elsewhere, and costs one
   * turn of each query.
   */
  readonly rotate?: number | false;
  /**
   * A vector that is subtracted from all rows before they are rounded, such as
   * their mean; `true` takes the mean of the first rows that are added; `false`
   * is the default. Scores are those of the rows themselves.
   */
  readonly center?: boolean | FloatValues;
  /**
   * Values that share a scale: the whole `"row"` (the default, 4 bits a value
   * and 8 bytes a row), or a multiple of 32 with a float16 scale each.
   */
  readonly groupSize?: "row" | number;
  /**
   * Whether scales minimise the squared error of values (`"least-squares"`), or
   * are a little larger, so that dot products are right on average
   * (`"unbiased"`).
   */
  readonly estimator?: Estimator;
  /**
   * Workers that {@linkcode startWorkers} may start; 0 by default. With any, rows
   * lie in memory that threads share, which browsers allow to pages that are
   * cross-origin isolated.
   */
  readonly workers?: number;
}

/** Workers that a matrix may have: each takes some MiB of its memory. */
export const MOST_WORKERS = 64;

/** The options with everything filled in. */
export interface Settings {
  readonly dimension: number;
  readonly grid: SearchGrid;
  readonly scale: RowScale;
  readonly rotate: number | false;
  readonly groupSize: "row" | number;
  readonly estimator: Estimator;
}

/** The seed where the caller gives none. */
const DEFAULT_SEED = 8;

/** A value for a message: short, and on one line. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? `"${value}"` : String(value);
  return text.length > 40 ? text.slice(0, 40) + "…" : text;
}

/** Fills in and checks everything but the centre. */
export function resolveOptions(options: MatrixOptions): Settings {
  plainOptions(options, "the options of a matrix");
  const { rotate = DEFAULT_SEED, groupSize = "row" } = options;
  const dimension = wholeNumber(
    options.dimension,
    "dimension",
    1,
    MOST_DIMENSIONS,
  );
  return {
    dimension,
    grid: GRIDS[
      oneOf(options.grid ?? "uniform", ["uniform", "lloyd"], "grid")
    ],
    scale: oneOf(
      options.scale ?? "optimal",
      ["absmax", "fast", "optimal"],
      "scale",
    ),
    rotate: rotate === false
      ? false
      : wholeNumber(rotate, "rotate", 0, 2 ** 32 - 1),
    groupSize: groupSize === "row"
      ? "row"
      : checkGroup(groupSize, paddedLength(dimension)),
    estimator: oneOf(options.estimator ?? "unbiased", [
      "least-squares",
      "unbiased",
    ], "estimator"),
  };
}

function checkGroup(given: unknown, length: number): number {
  const size = wholeNumber(given, "groupSize", LANE_CODES, length);
  if (size % LANE_CODES === 0 && length % size === 0) return size;
  throw new RangeError(
    `Cannot use groupSize ${size}: it must be "row" or a multiple of ${LANE_CODES} that divides ${length}, the length of a row in memory`,
  );
}

/** Codes that a row takes in memory: a multiple of 32. */
export function paddedLength(dimension: number): number {
  return Math.ceil(dimension / LANE_CODES) * LANE_CODES;
}
