/** What a matrix of packed rows finds, judged by its own rows in float64. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { type Metric, PackedMatrix } from "../../src/search/mod.ts";
import { dot, gaussianRows, printedSeed, VARIANTS } from "./support.ts";

const seed = printedSeed("matrix_test");
const DIMENSION = 192, ROWS = 300;
const rows = gaussianRows(ROWS, DIMENSION, seed);
const query = gaussianRows(1, DIMENSION, seed + 1);

function row(id: number): Float32Array {
  return rows.subarray(id * DIMENSION, (id + 1) * DIMENSION);
}

function filled(options: object = {}): PackedMatrix {
  const matrix = new PackedMatrix({ dimension: DIMENSION, ...options });
  matrix.add(rows);
  return matrix;
}

/** The score of a row as its codes tell it. */
function scoreOf(matrix: PackedMatrix, id: number, metric: Metric): number {
  const product = dot(matrix.get(id), query);
  const norm = Math.sqrt(dot(row(id), row(id)));
  const length = Math.sqrt(dot(query, query));
  if (metric === "dot") return product;
  if (metric === "cosine") return product / norm / length;
  return norm * norm + length * length - 2 * product;
}

for (const options of VARIANTS) {
  const name = JSON.stringify(options);
  const matrix = filled(options);

  Deno.test(`${name}: rows come back nearly as they were`, () => {
    for (let id = 0; id < ROWS; id++) {
      const got = matrix.get(id), own = row(id);
      const cosine = dot(got, own) /
        Math.sqrt(dot(got, got) * dot(own, own));
      assert(cosine > 0.975, `row ${id}: cosine ${cosine}`);
    }
  });

  for (const metric of ["dot", "cosine", "euclidean"] as const) {
    for (const precision of ["float32", "int16", "int8"] as const) {
      Deno.test(`${name}: ${metric} scores with a query in ${precision}`, () => {
        const scores = matrix.scores(query, { metric, precision });
        const error = { float32: 3e-6, int16: 3e-4, int8: 4e-2 }[precision];
        const unit = metric === "cosine" ? 1 : DIMENSION;
        for (let id = 0; id < ROWS; id++) {
          assertAlmostEquals(
            scores[id],
            scoreOf(matrix, id, metric),
            error * unit,
          );
        }
      });
    }

    Deno.test(`${name}: the nearest by ${metric} are those of the sorted scores`, () => {
      const scores = matrix.scores(query, { metric });
      const sign = metric === "euclidean" ? -1 : 1;
      const order = [...scores.keys()].sort((a, b) =>
        sign * (scores[b] - scores[a]) || a - b
      );
      for (const k of [1, 7, ROWS]) {
        const found = matrix.search(query, { metric, k });
        assertEquals([...found.ids], order.slice(0, k));
        assertEquals(
          [...found.scores],
          order.slice(0, k).map((i) => scores[i]),
        );
      }
    });
  }

  for (const precision of ["int16", "int8", "float32"] as const) {
    Deno.test(`${name}: many queries in ${precision} find what each finds alone`, () => {
      const choices = [
        {},
        { metric: "dot", filter: (id: number) => id % 3 !== 1 },
        { metric: "euclidean", rescore: { factor: 2, rows } },
      ] as const;
      // Fewer than are multiplied at a time, odd ones left over, and more than are held at once.
      for (const count of [1, 2, 3, 5, 64]) {
        const queries = gaussianRows(count, DIMENSION, seed + 2);
        for (const choice of choices) {
          const options = { ...choice, k: 9, precision };
          const found = matrix.searchMany(queries, options);
          assertEquals(found.length, count);
          found.forEach((neighbours, i) => {
            const own = queries.subarray(i * DIMENSION, (i + 1) * DIMENSION);
            assertEquals(neighbours, matrix.search(own, options));
          });
        }
      }
    });
  }
}

Deno.test("rows added in batches of any size are those added at once", () => {
  // More rows than a chunk has, so that batches end and begin within chunks.
  const dimension = 40, count = 5000;
  const many = gaussianRows(count, dimension, seed);
  const once = new PackedMatrix({ dimension }),
    batches = new PackedMatrix({
      dimension,
    });
  assertEquals(once.add(many), 0);
  for (let from = 0, size = 1; from < count; from += size, size *= 3) {
    const some = many.subarray(from * dimension, (from + size) * dimension);
    assertEquals(batches.add(some), from);
  }
  assertEquals([batches.size, batches.nextId], [count, count]);
  const own = many.subarray(0, dimension);
  assertEquals(batches.scores(own), once.scores(own));
});

Deno.test("equal rows are found in the order of their ids", () => {
  const matrix = new PackedMatrix({ dimension: 32 });
  const one = gaussianRows(1, 32, seed);
  for (let i = 0; i < 20; i++) matrix.add(one);
  assertEquals([...matrix.search(one, { k: 5 }).ids], [0, 1, 2, 3, 4]);
  for (const id of [3, 0, 19]) matrix.remove(id);
  assertEquals([...matrix.search(one, { k: 5 }).ids], [1, 2, 4, 5, 6]);
});

Deno.test("removed rows are not found, and the ids of others stay", () => {
  const matrix = filled({ groupSize: 64 });
  const before = matrix.scores(query);
  const gone = new Set([0, 5, 17, 100, ROWS - 1]);
  for (const id of gone) matrix.remove(id);
  assertEquals(matrix.size, ROWS - gone.size);
  const after = matrix.scores(query);
  after.forEach((score, id) => {
    assertEquals(score, gone.has(id) ? NaN : before[id]);
  });
  const { ids } = matrix.search(query, { k: matrix.size });
  assertEquals(new Set(ids).size, matrix.size);
  assert(ids.every((id) => !gone.has(id)));
  const next = matrix.add(row(5));
  assertEquals([next, matrix.nextId], [ROWS, ROWS + 1]);
  assertEquals(matrix.scores(query)[next], before[5]);
  assertEquals(matrix.get(next), filled({ groupSize: 64 }).get(5));
  assertThrows(() => matrix.get(5), RangeError, "row 5: it was removed");
  assertThrows(() => matrix.remove(5), RangeError, "it was removed");
  for (const id of [-1, 0.5, ROWS + 1, NaN]) {
    assertThrows(
      () => matrix.get(id),
      RangeError,
      `whole numbers below ${ROWS + 1}`,
    );
  }
});

Deno.test("a filter leaves the best of what it lets through", () => {
  const matrix = filled();
  const all = [...matrix.search(query, { k: ROWS }).ids];
  const filter = (id: number) => id % 7 === 3;
  assertEquals(
    [...matrix.search(query, { k: 6, filter }).ids],
    all.filter(filter).slice(0, 6),
  );
  const few = matrix.search(query, { k: 6, filter: (id) => id === 4 });
  assertEquals([...few.ids], [4]);
});

Deno.test("a filter that throws stops the search, and the matrix works on", () => {
  const matrix = filled();
  const fault = new Error("no");
  const filter = () => {
    throw fault;
  };
  assertEquals(
    assertThrows(() => matrix.search(query, { filter })),
    fault,
  );
  assertEquals(matrix.search(query), filled().search(query));
});

Deno.test("a second look finds the exact order, from memory and fetched, float32 and float16", async () => {
  const matrix = filled();
  for (const metric of ["dot", "cosine", "euclidean"] as const) {
    const exact = (id: number) => {
      const product = dot(row(id), query), own = dot(row(id), row(id));
      const length = dot(query, query);
      if (metric === "dot") return product;
      if (metric === "cosine") return product / Math.sqrt(own * length);
      return -(own + length - 2 * product);
    };
    const order = [...Array(ROWS).keys()].sort((a, b) => exact(b) - exact(a));
    const options = { k: 5, metric } as const;
    const found = matrix.search(query, {
      ...options,
      rescore: { factor: 20, rows },
    });
    assertEquals([...found.ids], order.slice(0, 5));
    assertAlmostEquals(
      Math.abs(found.scores[0]),
      Math.abs(exact(order[0])),
      1e-3,
    );
    const asked: number[] = [];
    const fetched = await matrix.search(query, {
      ...options,
      rescore: {
        factor: 20,
        rows: (ids) => {
          asked.push(ids.length);
          const some = new Float32Array(ids.length * DIMENSION);
          ids.forEach((id, i) => some.set(row(id), i * DIMENSION));
          return Promise.resolve(some);
        },
      },
    });
    assertEquals(fetched, found);
    assertEquals(asked, [100]);
    const [many] = matrix.searchMany(query, {
      ...options,
      rescore: { factor: 20, rows },
    });
    assertEquals(many, found);
  }
});

Deno.test("rows that are too few, or hold a NaN, cannot rescore", async () => {
  const matrix = filled();
  const k = ROWS;
  assertThrows(
    () => matrix.search(query, { k, rescore: { rows: rows.subarray(1) } }),
    RangeError,
    `Cannot rescore row ${ROWS - 1}`,
  );
  const broken = rows.slice();
  broken[3] = NaN;
  assertThrows(
    () => matrix.search(query, { k, rescore: { rows: broken } }),
    RangeError,
    "row 0: it holds a NaN",
  );
  assertThrows(
    () => matrix.search(query, { k, rescore: { rows: [1, 2] as never } }),
    TypeError,
    "Cannot rescore with",
  );
  await assertRejects(
    () =>
      matrix.search(query, {
        k,
        rescore: { rows: () => Promise.reject(new Error("offline")) },
      }),
    Error,
    "offline",
  );
  assertEquals(matrix.search(query, { k, rescore: { rows } }).ids.length, k);
});

Deno.test("scores stay right at 65,536 dimensions, where sums are largest", () => {
  const dimension = 65536;
  const flat = new Float32Array(dimension).fill(1);
  const five = new Float32Array(5 * dimension).fill(1);
  for (const grid of ["uniform", "lloyd"] as const) {
    for (const groupSize of ["row", dimension / 2] as const) {
      const options = { dimension, grid, groupSize, rotate: false } as const;
      const matrix = new PackedMatrix({ ...options, scale: "absmax" });
      matrix.add(flat);
      matrix.add(flat.map((x) => -x));
      for (const precision of ["int16", "int8", "float32"] as const) {
        const choice = { precision, metric: "dot" } as const;
        const [up, down] = matrix.scores(flat, choice);
        assertAlmostEquals(up / dimension, 1, 1e-6);
        assertAlmostEquals(down / dimension, -1, 1e-6);
        for (const { ids, scores } of matrix.searchMany(five, choice)) {
          assertEquals([...ids], [0, 1]);
          assertEquals([...scores], [up, down]);
        }
      }
    }
  }
});

Deno.test("one dimension, odd ones, and rows of zeros", () => {
  for (const dimension of [1, 3, 31, 33, 100]) {
    const matrix = new PackedMatrix({ dimension });
    const some = gaussianRows(3, dimension, seed);
    matrix.add(some);
    matrix.add(new Float32Array(dimension));
    const own = some.subarray(dimension, 2 * dimension);
    const scores = matrix.scores(own);
    assert(scores[1] > 0.97, `${dimension}: ${scores}`);
    assertEquals(scores[3], 0);
    assertEquals(matrix.get(3), new Float32Array(dimension));
    assertEquals(matrix.scores(own, { metric: "dot" })[3], 0);
  }
});

Deno.test("the centre changes no score but by rounding", () => {
  const shifted = rows.map((x) => x + 3);
  const plain = new PackedMatrix({ dimension: DIMENSION });
  const centred = new PackedMatrix({ dimension: DIMENSION, center: true });
  const given = new PackedMatrix({
    dimension: DIMENSION,
    center: new Float32Array(DIMENSION).fill(3),
  });
  const error = (matrix: PackedMatrix) => {
    matrix.add(shifted);
    const scores = matrix.scores(query, { metric: "dot" });
    return scores.reduce((sum, score, id) => {
      const exact = dot(
        shifted.subarray(id * DIMENSION, (id + 1) * DIMENSION),
        query,
      );
      return sum + (score - exact) ** 2;
    }, 0);
  };
  const without = error(plain);
  assert(error(centred) < without / 4);
  assert(error(given) < without / 4);
});

Deno.test("options that cannot be are refused, and their neighbours taken", () => {
  const refused: [object, string][] = [
    [{ dimension: 0 }, "Cannot use dimension 0"],
    [{ dimension: 65537 }, "Cannot use dimension 65537"],
    [{ dimension: 1.5 }, "Cannot use dimension 1.5"],
    [{ dimension: 64, grid: "nf4" }, 'Unknown grid "nf4"'],
    [{ dimension: 64, scale: "best" }, 'Unknown scale "best"'],
    [{ dimension: 64, estimator: "mean" }, 'Unknown estimator "mean"'],
    [{ dimension: 64, rotate: -1 }, "Cannot use rotate -1"],
    [{ dimension: 96, groupSize: 64 }, "Cannot use groupSize 64"],
    [{ dimension: 96, groupSize: 16 }, "Cannot use groupSize 16"],
    [{ dimension: 64, center: [1, 2] }, "Cannot take 2 values as centre"],
  ];
  for (const [options, message] of refused) {
    assertThrows(
      () => new PackedMatrix(options as { dimension: number }),
      RangeError,
      message,
    );
  }
  for (
    const options of [{ dimension: "8" }, { dimension: 64, rotate: true }, 7]
  ) {
    assertThrows(
      () => new PackedMatrix(options as never),
      TypeError,
      "Cannot use",
    );
  }
  for (
    const options of [
      { dimension: 1 },
      { dimension: 65536 },
      { dimension: 96, groupSize: 96, rotate: 0, center: false },
      { dimension: 2, center: [1, 2] },
    ]
  ) assertEquals(new PackedMatrix(options).size, 0);
});

Deno.test("queries and rows that cannot be are refused, and change nothing", () => {
  const matrix = filled();
  const before = matrix.scores(query);
  const bad = query.slice();
  bad[7] = Infinity;
  assertThrows(
    () => matrix.add(bad),
    RangeError,
    "Infinity at index 7 of the rows",
  );
  assertThrows(() => matrix.add(query.subarray(1)), RangeError, "no multiple");
  assertThrows(
    () => matrix.add(query.map((x) => x * 1e18)),
    RangeError,
    "scale it down",
  );
  assertThrows(() => matrix.add("no" as never), TypeError, "Cannot use rows");
  bad[7] = NaN;
  assertThrows(
    () => matrix.search(bad),
    RangeError,
    "NaN at index 7 of the query",
  );
  assertThrows(
    () => matrix.scores(rows),
    RangeError,
    `${DIMENSION} dimensions`,
  );
  assertThrows(
    () => matrix.search(query.subarray(1)),
    RangeError,
    "Cannot take",
  );
  const zero = new Float32Array(DIMENSION);
  assertThrows(() => matrix.search(zero), RangeError, "query of zeros");
  assertEquals(matrix.search(zero, { metric: "dot", k: 2 }).ids.length, 2);
  assertThrows(
    () => matrix.search(query, { k: ROWS + 1 }),
    RangeError,
    `to ${ROWS}`,
  );
  assertEquals(matrix.search(query, { k: ROWS }).ids.length, ROWS);
  assertThrows(
    () => matrix.search(query, { k: 0 }),
    RangeError,
    "Cannot use k 0",
  );
  assertThrows(
    () => matrix.search(query, { metric: "manhattan" as never }),
    RangeError,
    "Unknown metric",
  );
  assertThrows(
    () => matrix.search(query, { precision: "int4" as never }),
    RangeError,
    "Unknown precision",
  );
  assertThrows(
    () => matrix.search(query, { rescore: { factor: 0.5, rows } }),
    RangeError,
    "Cannot use rescore.factor 0.5",
  );
  assertThrows(
    () => matrix.scores(query, { into: new Float32Array(3) }),
    RangeError,
    "it has 3 elements",
  );
  assertThrows(
    () => matrix.scores(query, { into: [] as never }),
    TypeError,
    "Cannot use into",
  );
  assertThrows(
    () => new PackedMatrix({ dimension: 4 }).search([1, 2, 3, 4]),
    RangeError,
    "the matrix has no rows",
  );
  const into = new Float32Array(ROWS);
  assertEquals(matrix.scores(query, { into }), before);
  assertEquals(matrix.scores(query, { into }), into);
  assertEquals([matrix.size, matrix.nextId], [ROWS, ROWS]);
});
