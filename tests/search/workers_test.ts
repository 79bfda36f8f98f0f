/** Workers give the answer of one thread, to the bit. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { backend } from "../../mod.ts";
import { PackedMatrix, startWorkers } from "../../src/search/mod.ts";
import { gaussianRows, printedSeed } from "./support.ts";

const seed = printedSeed("workers_test");
const DIMENSION = 64, ROWS = 20000;
const rows = gaussianRows(ROWS, DIMENSION, seed);
const query = gaussianRows(1, DIMENSION, seed + 1);
const ignore = backend() !== "wasm";

Deno.test({
  name: "workers find what one thread finds, as rows come and go",
  ignore,
  async fn() {
    const matrix = new PackedMatrix({ dimension: DIMENSION, workers: 3 });
    const workers = await startWorkers(matrix);
    try {
      assertEquals(workers.count, 3);
      await assertRejects(() => workers.search(query), RangeError, "no rows");
      const check = async () => {
        for (const metric of ["dot", "cosine", "euclidean"] as const) {
          for (const precision of ["int16", "float32"] as const) {
            const options = { k: 25, metric, precision };
            assertEquals(
              await workers.search(query, options),
              matrix.search(query, options),
            );
          }
        }
      };
      matrix.add(rows.subarray(0, 40 * DIMENSION));
      await check();
      matrix.add(rows.subarray(40 * DIMENSION));
      await check();
      for (const id of matrix.search(query, { k: 9 }).ids) matrix.remove(id);
      await check();
      const rescore = { factor: 3, rows };
      assertEquals(
        await workers.search(query, { k: 5, rescore }),
        matrix.search(query, { k: 5, rescore }),
      );
      const both = await Promise.all([
        workers.search(query, { k: 1 }),
        workers.search(query, { k: 2 }),
      ]);
      assertEquals(both.map(({ ids }) => ids.length), [1, 2]);
      await assertRejects(
        () => workers.search(query, { k: ROWS + 1 }),
        RangeError,
        "Cannot use k",
      );
      await assertRejects(
        () => workers.search(query, { filter: () => true } as never),
        TypeError,
        "with a filter",
      );
    } finally {
      workers.close();
    }
    await assertRejects(() => workers.search(query), Error, "were closed");
  },
});

Deno.test({
  name: "a matrix in shared memory is stored and opened like any other",
  ignore,
  async fn() {
    const shared = new PackedMatrix({ dimension: DIMENSION, workers: 1 });
    const plain = new PackedMatrix({ dimension: DIMENSION });
    for (const matrix of [shared, plain]) matrix.add(rows);
    assertEquals(shared.toBytes(), plain.toBytes());
    const again = await PackedMatrix.open(new Blob([plain.toBytes()]), {
      workers: 2,
    });
    const workers = await startWorkers(again);
    assertEquals(await workers.search(query), plain.search(query));
    workers.close();
  },
});

Deno.test("workers that there is no room for are refused", async () => {
  const matrix = new PackedMatrix({ dimension: DIMENSION });
  await assertRejects(
    () => startWorkers(matrix),
    RangeError,
    "without the option workers",
  );
  for (const workers of [-1, 65, 1.5]) {
    assertThrows(
      () => new PackedMatrix({ dimension: DIMENSION, workers }),
      RangeError,
      "Cannot use workers",
    );
  }
  if (ignore) {
    assertThrows(
      () => new PackedMatrix({ dimension: DIMENSION, workers: 1 }),
      Error,
      "takes WebAssembly",
    );
  }
});

Deno.test({
  name: "a worker that cannot start is an error, not a wait",
  ignore,
  async fn() {
    const matrix = new PackedMatrix({ dimension: DIMENSION, workers: 1 });
    await assertRejects(
      () =>
        startWorkers(matrix, () => {
          const worker: Record<string, unknown> = {
            terminate() {},
            postMessage() {
              (worker.onerror as (event: object) => void)({ message: "no" });
            },
          };
          return worker as never;
        }),
      Error,
      "Cannot search by workers",
    );
  },
});
