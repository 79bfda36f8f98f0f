/**
 * Vectors to measure recall on: real embeddings where they lie beside the
 * checkout, and made-up ones that are clustered and anisotropic.
 *
 * @module
 */
import { openFile } from "../../src/files/file_source.ts";
import { readFloats } from "../../src/files/floats.ts";
import { openNpy } from "../../src/files/npy.ts";
import type { Subject } from "../../src/cli/recall_measure.ts";
import { randomNumbers } from "./support.ts";

/** Where a folder of shared data may lie, from the root of the checkout. */
const PLACES = ["../shared/data/", "../../shared/data/"];

async function readMatrix(path: URL): Promise<[Float32Array, number]> {
  const source = await openFile(path.pathname);
  try {
    const file = await openNpy(source, "vectors", {});
    const [entry] = file.tensors, [rows, columns] = entry.shape;
    const values = new Float32Array(rows * columns);
    await readFloats(file, entry, 0, values);
    return [values, columns];
  } finally {
    await source.close();
  }
}

/** 24,000 sentences by MiniLM and 500 queries; undefined where they are missing. */
export async function miniLm(): Promise<Subject | undefined> {
  const root = new URL("../../", import.meta.url);
  for (const place of PLACES) {
    const at = (name: string) => new URL(place + name, root);
    try {
      const [rows, dimension] = await readMatrix(at("minilm-embeddings.npy"));
      const [queries] = await readMatrix(at("minilm-queries.npy"));
      return { rows, queries, dimension, metric: "cosine" };
    } catch (error) {
      if ((error as { cause?: { code?: string } }).cause?.code !== "ENOENT") {
        throw error;
      }
    }
  }
  return undefined;
}

const CLUSTERS = 100;

/** Vectors around a hundred centres, dimension i with a spread of (1 + i)^-0.4. */
export function clustered(
  dimension: number,
  count: number,
  queries: number,
  seed: number,
): Subject {
  const { normal, word } = randomNumbers(seed);
  const point = () =>
    Float64Array.from({ length: dimension }, (_, i) => {
      return normal() * (1 + i) ** -0.4;
    });
  const centers = Array.from({ length: CLUSTERS }, point);
  const make = (n: number) => {
    const rows = new Float32Array(n * dimension);
    for (let row = 0; row < n; row++) {
      const center = centers[word() % CLUSTERS];
      rows.set(point().map((x, i) => x + center[i]), row * dimension);
    }
    return rows;
  };
  return {
    rows: make(count),
    queries: make(queries),
    dimension,
    metric: "cosine",
  };
}
