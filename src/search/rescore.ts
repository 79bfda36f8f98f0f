/**
 * A second look at the best candidates, with the rows as they were.
 *
 * @module
 */
import { f16ToF32 } from "../numeric/f16.ts";
import { describe, typedArrayKind } from "../numeric/arguments.ts";
import type { Float16Values } from "../numeric/floats.ts";
import { Best, type Neighbours } from "./best.ts";
import type { Metric } from "./query.ts";

/** Rows one after another: float32, or float16 as numbers or as their bits. */
export type FloatRows = Float32Array | Uint16Array | Float16Values;

/** Fetches the rows of these ids, in their order. */
export type FetchRows = (
  ids: Uint32Array,
) => FloatRows | Promise<FloatRows>;

/** How a search looks twice. */
export interface Rescore<Rows = FloatRows | FetchRows> {
  /** How many times k candidates are looked at; 4 by default. */
  readonly factor?: number;
  /** The rows of all ids one after another, or a function that fetches some. */
  readonly rows: Rows;
}

/**
 * Ranks candidates by their exact scores.
 *
 * @param ids The candidates.
 * @param rows Their rows, in the order of `at`.
 * @param at Where in `rows` candidate i lies, counted in rows.
 * @param query The query as it came.
 * @param metric What scores are.
 * @param k How many to keep.
 * @returns The best; sums are float64 in order, scores rounded to float32 once.
 */
function rank(
  ids: Uint32Array,
  rows: FloatRows,
  at: (i: number) => number,
  query: Float32Array,
  metric: Metric,
  k: number,
): Neighbours {
  const dimension = query.length, read = readerOf(rows);
  const best = new Best(Math.min(k, ids.length));
  const sign = metric === "euclidean" ? -1 : 1;
  ids.forEach((id, i) => {
    const from = at(i) * dimension;
    if (from + dimension > rows.length) {
      throw new RangeError(
        `Cannot rescore row ${id}: ${rows.length} values were given, which end before it`,
      );
    }
    const key = Math.fround(sign * exactScore(read, from, query, metric));
    if (Number.isNaN(key)) {
      throw new RangeError(
        `Cannot rescore row ${id}: it holds a NaN or an infinity`,
      );
    }
    if (best.takes(key, id)) best.add(key, id);
  });
  return signed(best.take(), metric);
}

/** Turns keys, of which larger is better, into scores. */
export function signed(found: Neighbours, metric: Metric): Neighbours {
  if (metric === "euclidean") {
    found.scores.forEach((key, i) => found.scores[i] = -key);
  }
  return found;
}

function readerOf(rows: FloatRows): (i: number) => number {
  const kind = typedArrayKind(rows);
  if (kind === "Uint16Array") return (i) => f16ToF32(rows[i]);
  if (kind === "Float32Array" || kind === "Float16Array") return (i) => rows[i];
  throw new TypeError(
    `Cannot rescore with ${
      describe(rows)
    }: rows are a Float32Array, a Float16Array, or a Uint16Array of float16 bits`,
  );
}

function exactScore(
  read: (i: number) => number,
  from: number,
  query: Float32Array,
  metric: Metric,
): number {
  let dot = 0, row = 0, own = 0, apart = 0;
  for (let i = 0; i < query.length; i++) {
    const x = read(from + i), q = query[i];
    dot += x * q;
    row += x * x;
    own += q * q;
    apart += (x - q) * (x - q);
  }
  if (metric === "euclidean") return apart;
  if (metric === "dot") return dot;
  return row === 0 ? 0 : dot / Math.sqrt(own * row);
}

/** Ranks what was found by exact scores. */
export function lookAgain(
  { ids }: Neighbours,
  query: Float32Array,
  metric: Metric,
  k: number,
  { rows }: Rescore,
): Neighbours | Promise<Neighbours> {
  if (typeof rows !== "function") {
    return rank(ids, rows, (i) => ids[i], query, metric, k);
  }
  return Promise.resolve(rows(ids)).then((fetched) =>
    rank(ids, fetched, (i) => i, query, metric, k)
  );
}
