/**
 * How much of an exact search each choice of options finds, and how fast.
 *
 * @module
 */
import {
  type MatrixOptions,
  type Metric,
  type Neighbours,
  PackedMatrix,
  type Precision,
} from "../search/mod.ts";

/** Options that are measured, and what to call them. */
export interface Choice {
  /** What to call it. */
  readonly name: string;
  /** How rows are quantized. */
  readonly options: Omit<MatrixOptions, "dimension">;
  /** How fine queries are. */
  readonly precision?: Precision;
  /** Whether the best get a second look. */
  readonly rescore?: boolean;
}

/** Every option beside the default. */
export const CHOICES: readonly Choice[] = [
  { name: "default", options: {} },
  { name: "scale absmax", options: { scale: "absmax" } },
  { name: "scale fast", options: { scale: "fast" } },
  {
    name: "scale absmax, not rotated",
    options: { scale: "absmax", rotate: false },
  },
  { name: "not rotated", options: { rotate: false } },
  { name: "centred", options: { center: true } },
  { name: "least squares", options: { estimator: "least-squares" } },
  { name: "query int8", options: {}, precision: "int8" },
  { name: "query float32", options: {}, precision: "float32" },
  { name: "groups of 32", options: { groupSize: 32 } },
  { name: "lloyd", options: { grid: "lloyd" } },
  { name: "lloyd, centred", options: { grid: "lloyd", center: true } },
  {
    name: "lloyd, centred, groups of 32",
    options: { grid: "lloyd", center: true, groupSize: 32 },
  },
  { name: "default, rescored ×4", options: {}, rescore: true },
];

/** How many neighbours recall is told for. */
export const DEPTHS = [1, 10, 100] as const;

/** What a choice came to. */
export interface Standing {
  /** What it is called. */
  readonly name: string;
  /** The fraction of the exact k that are among the k found, by k. */
  readonly recall: ReadonlyMap<number, number>;
  /** Milliseconds for a query. */
  readonly milliseconds: number;
  /** Milliseconds to add all rows. */
  readonly adding: number;
  /** Bytes that a vector takes. */
  readonly bytes: number;
}

/** What is searched. */
export interface Subject {
  readonly rows: Float32Array;
  readonly queries: Float32Array;
  readonly dimension: number;
  readonly metric: Metric;
}

/** The depths that there are rows for. */
export function depthsOf({ rows, dimension }: Subject): number[] {
  return DEPTHS.filter((k) => k <= rows.length / dimension);
}

/** The exact search, in float64; and how long it takes. */
export function searchExactly(
  subject: Subject,
): { found: Uint32Array[]; standing: Standing } {
  const { rows, queries, dimension } = subject;
  const start = performance.now(), count = queries.length / dimension;
  const most = Math.max(...depthsOf(subject));
  const norms = squares(rows, dimension);
  const found = Array.from({ length: count }, (_, i) => {
    const query = queries.subarray(i * dimension, (i + 1) * dimension);
    return nearest(exactKeys(subject, query, norms), most);
  });
  const recall = new Map(depthsOf(subject).map((k) => [k, 1]));
  const milliseconds = (performance.now() - start) / count;
  const bytes = dimension * 4;
  return {
    found,
    standing: {
      name: "exact, float32",
      recall,
      milliseconds,
      adding: 0,
      bytes,
    },
  };
}

function squares(rows: Float32Array, dimension: number): Float64Array {
  return Float64Array.from({ length: rows.length / dimension }, (_, row) => {
    let sum = 0;
    for (let i = row * dimension; i < (row + 1) * dimension; i++) {
      sum += rows[i] * rows[i];
    }
    return sum;
  });
}

/** Larger is better. */
function exactKeys(
  { rows, dimension, metric }: Subject,
  query: Float32Array,
  norms: Float64Array,
): Float64Array {
  return norms.map((norm, row) => {
    let a = 0, b = 0, i = 0;
    const at = row * dimension;
    for (; i + 1 < dimension; i += 2) {
      a += rows[at + i] * query[i];
      b += rows[at + i + 1] * query[i + 1];
    }
    if (i < dimension) a += rows[at + i] * query[i];
    const dot = a + b;
    if (metric === "dot") return dot;
    if (metric === "cosine") return norm > 0 ? dot / Math.sqrt(norm) : 0;
    return 2 * dot - norm;
  });
}

function nearest(keys: Float64Array, k: number): Uint32Array {
  const bound = keys.slice().sort()[keys.length - k];
  const best: number[] = [];
  keys.forEach((key, id) => {
    if (key >= bound) best.push(id);
  });
  best.sort((a, b) => keys[b] - keys[a] || a - b);
  return Uint32Array.from(best.slice(0, k));
}

/** Measures one choice against the exact search. */
export function measure(
  { name, options, precision, rescore }: Choice,
  subject: Subject,
  exact: readonly Uint32Array[],
): Standing {
  const { rows, queries, dimension, metric } = subject;
  const depths = depthsOf(subject), most = Math.max(...depths);
  const matrix = new PackedMatrix({ ...options, dimension });
  const begun = performance.now();
  matrix.add(rows);
  const adding = performance.now() - begun, start = performance.now();
  const look = (k: number) =>
    matrix.searchMany(queries, {
      k,
      metric,
      precision,
      rescore: rescore ? { factor: 4, rows } : undefined,
    });
  const found = look(most);
  const milliseconds = (performance.now() - start) / found.length;
  // A second look takes in a multiple of k, so each k has a search of its own.
  const recall = new Map(depths.map((k) => {
    const own = rescore && k !== most ? look(k) : found;
    return [k, recallOf(own, exact, k)];
  }));
  const bytes = matrix.toFile().size / matrix.size;
  return { name, recall, milliseconds, adding, bytes };
}

/** The fraction of the exact k that are among the k that were found. */
export function recallOf(
  found: readonly Neighbours[],
  exact: readonly Uint32Array[],
  k: number,
): number {
  let hits = 0;
  for (const [i, ids] of exact.entries()) {
    const wanted = new Set(ids.subarray(0, k));
    for (const id of found[i].ids.subarray(0, k)) {
      hits += Number(wanted.has(id));
    }
  }
  return hits / (k * exact.length);
}
