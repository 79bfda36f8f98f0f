/**
 * Files of vectors: a matrix of floats, read some rows at a time.
 *
 * @module
 */
import { printable, quote } from "../files/errors.ts";
import { holdsValues, readFloats } from "../files/floats.ts";
import type { TensorEntry } from "../files/tensors.ts";
import type {
  Estimator,
  GridName,
  MatrixOptions,
  Metric,
  Precision,
  RowScale,
} from "../search/mod.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import { choice } from "./flags.ts";
import { withFile } from "./input.ts";

/** Vectors in a file, row after row. */
export interface Vectors {
  /** What to call the file in messages. */
  readonly name: string;
  /** How many vectors there are. */
  readonly rows: number;
  /** Values in each. */
  readonly dimension: number;
  /** Reads some of them. */
  read(first: number, count: number): Promise<Float32Array>;
}

/** Which tensor of a file holds the vectors. */
export const TENSOR_FLAG: Flag = {
  name: "tensor",
  takes: "NAME",
  help: "which tensor holds the vectors, where the file has several",
};

/** What scores are. */
export const METRIC_FLAG: Flag = {
  name: "metric",
  takes: "METRIC",
  help: "what scores are: cosine (the default), dot or euclidean",
};

/** How fine queries are. */
export const PRECISION_FLAG: Flag = {
  name: "precision",
  takes: "PRECISION",
  help: "how finely queries are rounded: int16 (the default), int8 or float32",
};

/** How rows are quantized. */
export const ROW_FLAGS: readonly Flag[] = [
  { name: "grid", takes: "GRID", help: "uniform (the default) or lloyd" },
  {
    name: "scale",
    takes: "RULE",
    help: "how scales are found: optimal (the default), fast or absmax",
  },
  {
    name: "rotate",
    takes: "SEED",
    help: "the seed of the rotation, or none",
  },
  { name: "center", help: "subtract the mean of the first rows" },
  {
    name: "group-size",
    takes: "N",
    help: "values that share a scale: row (the default) or a multiple of 32",
  },
  {
    name: "estimator",
    takes: "NAME",
    help: "unbiased (the default) or least-squares",
  },
];

/**
 * Opens a file of vectors and does something with them.
 *
 * @param call The call; may know `--tensor` and `--dtype`.
 * @param path The file.
 * @param work What to do.
 * @returns What `work` returns.
 * @throws {RangeError} If it holds no matrix of floats, or several.
 */
export function withVectors<T>(
  call: Call,
  path: string,
  work: (vectors: Vectors) => Promise<T>,
): Promise<T> {
  return withFile(call, path, (file) => {
    const { name } = file.source;
    const entry = chooseTensor(call, name, file.tensors);
    const [rows, dimension] = entry.shape.length === 1
      ? [1, entry.shape[0]]
      : entry.shape;
    return work({
      name,
      rows,
      dimension,
      async read(first, count) {
        const values = new Float32Array(count * dimension);
        await readFloats(file, entry, first * dimension, values);
        return values;
      },
    });
  });
}

function chooseTensor(
  call: Call,
  file: string,
  tensors: readonly TensorEntry[],
): TensorEntry {
  const wanted = call.get("tensor");
  const found = tensors.filter((tensor) => {
    const { name, shape } = tensor;
    return holdsValues(tensor) && (shape.length === 2 || shape.length === 1) &&
      (wanted === undefined || name === wanted || tensors.length === 1);
  });
  const matrices = found.filter(({ shape }) => shape.length === 2);
  const [entry] = matrices.length > 0 ? matrices : found;
  if (entry === undefined) {
    const which = wanted === undefined ? "" : ` named ${quote(wanted)}`;
    throw new RangeError(
      `Cannot read vectors from ${file}: it has no matrix of floats${which}`,
    );
  }
  if (matrices.length > 1) {
    const names = matrices.slice(0, 3).map(({ name }) => quote(name));
    throw new RangeError(
      `Cannot read vectors from ${file}: it has ${matrices.length} matrices (${
        names.join(", ")
      }${matrices.length > 3 ? ", …" : ""}); choose one with --tensor NAME`,
    );
  }
  return entry;
}

/** The metric that a call names. */
export function metricOf(call: Call): Metric {
  return choice<Metric>(call, "metric", ["cosine", "dot", "euclidean"]) ??
    "cosine";
}

/** The precision that a call names. */
export function precisionOf(call: Call): Precision {
  return choice<Precision>(call, "precision", ["int16", "int8", "float32"]) ??
    "int16";
}

/** A flag that is a whole number from 1 on. */
export function countOf(call: Call, name: string, otherwise: number): number {
  const given = call.get(name);
  if (given === undefined) return otherwise;
  if (/^[1-9][0-9]{0,8}$/.test(given)) return Number(given);
  throw new UsageError(
    `Flag --${name} cannot be ${
      printable(given)
    }: it is a whole number from 1 on`,
  );
}

/** The options of a matrix that a call asks for. */
export function matrixOptions(call: Call, dimension: number): MatrixOptions {
  const group = call.get("group-size") ?? "row";
  return {
    dimension,
    grid: choice<GridName>(call, "grid", ["uniform", "lloyd"]),
    scale: choice<RowScale>(call, "scale", ["optimal", "fast", "absmax"]),
    rotate: seedOf(call),
    center: call.has("center"),
    groupSize: group === "row" ? "row" : countOf(call, "group-size", 0),
    estimator: choice<Estimator>(call, "estimator", [
      "unbiased",
      "least-squares",
    ]),
  };
}

function seedOf(call: Call): number | false | undefined {
  const given = call.get("rotate");
  if (given === undefined) return undefined;
  if (given === "none") return false;
  if (/^[0-9]{1,10}$/.test(given) && Number(given) < 2 ** 32) {
    return Number(given);
  }
  throw new UsageError(
    `Flag --rotate cannot be ${
      printable(given)
    }: it is none or a whole number below 2^32`,
  );
}

/** Rows that are read at a time: some MiB of them. */
export function batchRows(dimension: number): number {
  return Math.max(1, Math.floor((1 << 20) / dimension));
}
