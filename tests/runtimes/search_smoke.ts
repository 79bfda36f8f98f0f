/**
 * Searches that every runtime runs: a hash of the file and of the scores for each
 * way to pack rows, from data that only whole numbers make.
 *
 * @module
 */

/** The modules under test, however they were loaded. */
export type Search = typeof import("../../src/search/mod.ts");

/** Ways to pack rows. */
const VARIANTS = [
  {},
  { grid: "lloyd", center: true },
  { groupSize: 32 },
  { grid: "lloyd", groupSize: 64, scale: "fast" },
  { rotate: false, scale: "absmax", estimator: "least-squares" },
] as const;

/** Numbers from −1 to 1 by a generator of whole numbers. */
function numbers(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/** FNV-1a of the bytes. */
function hash(array: ArrayBufferView): string {
  let state = 0x811c9dc5;
  const { buffer, byteOffset, byteLength } = array;
  for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) {
    state = Math.imul(state ^ byte, 0x01000193);
  }
  return (state >>> 0).toString(16);
}

/** A hash by variant and metric. */
export function searchSmoke({ PackedMatrix }: Search): Record<string, string> {
  const hashes: Record<string, string> = {};
  for (const dimension of [64, 200, 384]) {
    const rows = numbers(70 * dimension, 5), query = numbers(dimension, 9);
    for (const variant of VARIANTS) {
      const options = { ...variant, dimension };
      if (dimension === 200 && "groupSize" in options) continue;
      const matrix = new PackedMatrix(options);
      matrix.add(rows);
      const name = `${dimension} ${JSON.stringify(variant)}`;
      hashes[name] = hash(matrix.toBytes());
      for (const metric of ["dot", "cosine", "euclidean"] as const) {
        for (const precision of ["int16", "int8", "float32"] as const) {
          const scores = matrix.scores(query, { metric, precision });
          hashes[`${name} ${metric} ${precision}`] = hash(scores);
        }
      }
    }
  }
  return hashes;
}

/** What workers find, and whether it is what one thread finds. */
export async function workersSmoke(
  { PackedMatrix, startWorkers }: Search,
  make?: () => never,
): Promise<boolean> {
  const matrix = new PackedMatrix({ dimension: 64, workers: 2 });
  matrix.add(numbers(9000 * 64, 5));
  const query = numbers(64, 9), workers = await startWorkers(matrix, make);
  try {
    const found = await workers.search(query, { k: 20 });
    const own = matrix.search(query, { k: 20 });
    return found.ids.join() === own.ids.join() &&
      found.scores.join() === own.scores.join();
  } finally {
    workers.close();
  }
}
