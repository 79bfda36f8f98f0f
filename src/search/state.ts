/**
 * What a matrix is made of, for the modules that work on it.
 *
 * @module
 */
import { backend } from "../kernels/engine.ts";
import { floatValues, wholeNumber } from "../numeric/arguments.ts";
import { firstNonFinite } from "../numeric/finite.ts";
import type { FloatValues } from "../numeric/floats.ts";
import { chunkRowsFor, type Engine, type RowShape } from "./engine.ts";
import { Ids } from "./ids.ts";
import { MOST_WORKERS, paddedLength, type Settings } from "./options.ts";
import { PlainEngine } from "./plain_engine.ts";
import { makeRotation } from "./rotation.ts";
import { sumOfSquares } from "./rows.ts";
import { WasmEngine } from "./wasm_engine.ts";

/** The rows of a matrix and all that is known of them. */
export interface MatrixState {
  readonly shape: RowShape;
  readonly engine: Engine;
  /** What is subtracted from rows. */
  center: Float32Array | undefined;
  /** Whether the first rows that are added make the centre. */
  centerFromRows: boolean;
  ids: Ids;
}

/** Longest vector: squares, and sums of a few of them, stay finite in float32. */
export const LONGEST = 1e18;

/** Ids are 32-bit numbers. */
export const MOST_IDS = 2 ** 31 - 1;

/** A matrix without rows, on the backend in force. */
export function emptyState(settings: Settings, workers = 0): MatrixState {
  const shape = rowShape(settings);
  return {
    shape,
    engine: makeEngine(shape, workers),
    center: undefined,
    centerFromRows: false,
    ids: new Ids(),
  };
}

/** What rows of these settings look like in memory. */
export function rowShape(settings: Settings): RowShape {
  const { dimension, groupSize, rotate } = settings;
  const length = paddedLength(dimension);
  return {
    ...settings,
    length,
    groups: groupSize === "row" ? 0 : length / groupSize,
    chunkRows: chunkRowsFor(length),
    rotation: rotate === false ? undefined : makeRotation(length, rotate),
  };
}

function makeEngine(shape: RowShape, workers: number): Engine {
  wholeNumber(workers, "workers", 0, MOST_WORKERS);
  if (backend() === "wasm") {
    if (workers > 0 && typeof SharedArrayBuffer === "undefined") {
      throw new Error(
        "Cannot share rows with workers: there is no SharedArrayBuffer here; a page has it when it is cross-origin isolated",
      );
    }
    return new WasmEngine(shape, workers);
  }
  if (workers === 0) return new PlainEngine(shape);
  throw new Error(
    "Cannot share rows with workers: that takes WebAssembly; leave workers at 0",
  );
}

/**
 * Vectors as float32, checked.
 *
 * @param what What to call them in messages: `rows`, `query`.
 * @param given The vectors, one after another.
 * @param dimension Values in each.
 * @returns The values, and the length of each vector.
 * @throws {RangeError} If they do not divide into vectors, or one is not finite or too long.
 */
export function checkVectors(
  what: string,
  given: FloatValues,
  dimension: number,
): { values: Float32Array; norms: Float32Array } {
  const values = floatValues(given, what);
  const count = values.length / dimension;
  if (!Number.isInteger(count)) {
    throw new RangeError(
      `Cannot take ${values.length} values as ${what}: the matrix has ${dimension} dimensions, and ${values.length} is no multiple of that`,
    );
  }
  const norms = Float32Array.from({ length: count }, (_, row) => {
    return Math.sqrt(sumOfSquares(values, row * dimension, dimension));
  });
  // A sum of squares in float64 is finite where its values are.
  if (!norms.every(Number.isFinite)) rejectNonFinite(what, values);
  const long = norms.findIndex((norm) => norm > LONGEST);
  if (long >= 0) {
    throw new RangeError(
      `Cannot take vector ${long} of the ${what}: its length ${
        norms[long]
      } is above ${LONGEST}, and scores would not fit in float32; scale it down`,
    );
  }
  return { values, norms };
}

function rejectNonFinite(what: string, values: Float32Array): void {
  const bad = firstNonFinite(values);
  if (bad < 0) return;
  throw new RangeError(
    `Cannot take ${
      values[bad]
    } at index ${bad} of the ${what}: values must be finite`,
  );
}

/** The same for one vector. */
export function checkVector(
  what: string,
  given: FloatValues,
  dimension: number,
): { values: Float32Array; norm: number } {
  const { values, norms } = checkVectors(what, given, dimension);
  if (norms.length === 1) return { values, norm: norms[0] };
  throw new RangeError(
    `Cannot take ${values.length} values as ${what}: the matrix has ${dimension} dimensions`,
  );
}
