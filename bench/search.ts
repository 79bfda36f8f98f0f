/**
 * Search in packed vectors: recall beside other libraries on real embeddings,
 * and speed on a million rows beside native ggml.
 * `deno task bench:search [--rows N] [--rounds N] [--only recall|peers|speed|products]`
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { quantize } from "../mod.ts";
import {
  CHOICES,
  measure,
  recallOf,
  searchExactly,
} from "../src/cli/recall_measure.ts";
import {
  matmul,
  type MatrixOptions,
  PackedMatrix,
  type SearchOptions,
} from "../src/search/mod.ts";
import { clustered, miniLm } from "../tests/search/embeddings.ts";
import { gaussianRows } from "../tests/search/support.ts";
import {
  type Contender,
  contender,
  type Contest,
  hold,
  standingsTable,
} from "./contest.ts";
import { openDot } from "./peers/ggml_dot.ts";
import { openSearchPeers } from "./peers/search.ts";
import { environment, table } from "./table.ts";

const DIMENSION = 384;
const BATCH = 8192;
const K = 10;

/** recall@10 and milliseconds a query on MiniLM, everybody in turn. */
async function recall(): Promise<void> {
  const subject = await miniLm();
  if (!subject) {
    console.log(
      "\nno MiniLM embeddings beside the checkout: recall is left out",
    );
    return;
  }
  const { found: exact } = searchExactly(subject);
  const rows = CHOICES.map((choice) => {
    const { name, recall, milliseconds, bytes } = measure(
      choice,
      subject,
      exact,
    );
    return [
      `nibblewise, ${name}`,
      recall.get(K)!.toFixed(4),
      milliseconds.toFixed(3),
      bytes.toFixed(0),
    ];
  });
  const { peers, close } = await openSearchPeers(subject);
  const count = exact.length;
  try {
    for (const peer of peers) {
      await peer.search(1, K); // builds the index
      const { ids, nanoseconds } = await peer.search(count, K);
      const found = ids.map((list) => ({
        ids: Uint32Array.from(list),
        scores: new Float32Array(list.length),
      }));
      rows.push([
        peer.name,
        recallOf(found, exact, K).toFixed(4),
        (nanoseconds / 1e6 / count).toFixed(3),
        "",
      ]);
    }
  } finally {
    await close();
  }
  const [vectors, queries] = [subject.rows, subject.queries].map((array) =>
    array.length / subject.dimension
  );
  console.log(
    `\nMiniLM, ${vectors} × ${subject.dimension}, ${queries} queries at once, cosine\n${
      table(["", "recall@10", "ms a query", "bytes"], rows, 1)
    }`,
  );
}

function filled(
  options: Omit<MatrixOptions, "dimension">,
  rows: number,
  dimension = DIMENSION,
): PackedMatrix {
  const some = gaussianRows(BATCH, dimension, 1);
  const matrix = new PackedMatrix({ ...options, dimension });
  matrix.reserve(rows);
  while (matrix.size < rows) {
    const count = Math.min(BATCH, rows - matrix.size);
    matrix.add(some.subarray(0, count * dimension));
  }
  return matrix;
}

/** A single query through all rows. */
function* scans(rows: number): Generator<Contender> {
  const query = gaussianRows(1, DIMENSION, 2);
  const kinds: [string, Omit<MatrixOptions, "dimension">, SearchOptions][] = [
    ["uniform, int16 query", {}, {}],
    ["uniform, float32 query", {}, { precision: "float32" }],
    ["lloyd, int16 query", { grid: "lloyd" }, {}],
    ["lloyd, groups of 32", { grid: "lloyd", groupSize: 32 }, {}],
  ];
  for (const [name, options, search] of kinds) {
    const matrix = filled({ ...options, scale: "absmax" }, rows);
    const into = new Float32Array(rows);
    if (name.startsWith("uniform, int16")) {
      yield contender("scores only, uniform, int16 query", "reused", () => {
        matrix.scores(query, { into });
      });
    }
    yield contender(`top ${K}, ${name}`, "reused", () => {
      matrix.search(query, { ...search, k: K });
    });
  }
}

async function speed(rows: number, rounds: number): Promise<void> {
  const query = gaussianRows(1, DIMENSION, 2);
  const native = await openDot(gaussianRows(BATCH, DIMENSION, 1), query, rows);
  const peers = native
    ? [contender(native.name, "reused", () => void native.run())]
    : [];
  await show({
    title: `one query, ${rows} × ${DIMENSION}`,
    values: rows * DIMENSION,
    contenders: [...peers, ...scans(rows)],
  }, rounds);
  native?.close();
  const matrix = filled({ scale: "absmax" }, rows);
  const many = gaussianRows(64, DIMENSION, 3);
  await show({
    title: `64 queries, ${rows} × ${DIMENSION}`,
    values: 64 * rows * DIMENSION,
    contenders: [
      contender("search, one after another", "reused", () => {
        for (let i = 0; i < 64; i++) {
          matrix.search(many.subarray(i * DIMENSION, (i + 1) * DIMENSION));
        }
      }),
      contender("searchMany", "reused", () => void matrix.searchMany(many)),
    ],
  }, Math.min(rounds, 3));
  await adding(rounds);
}

async function adding(rounds: number): Promise<void> {
  const rows = gaussianRows(BATCH, DIMENSION, 1);
  const kinds: Omit<MatrixOptions, "dimension">[] = [
    { scale: "absmax", rotate: false },
    { scale: "absmax" },
    { scale: "fast" },
    {},
    { grid: "lloyd" },
    { grid: "lloyd", groupSize: 32 },
  ];
  await show({
    title: `adding ${BATCH} × ${DIMENSION}`,
    values: rows.length,
    contenders: kinds.map((options) =>
      contender(`${JSON.stringify(options)}`, "fresh", () => {
        new PackedMatrix({ ...options, dimension: DIMENSION }).add(rows);
      })
    ),
  }, rounds);
}

async function products(rounds: number): Promise<void> {
  const rows = 4096, columns = 4096;
  const some = gaussianRows(256, columns, 1);
  const weights = new Float32Array(rows * columns);
  for (let at = 0; at < weights.length; at += some.length) {
    weights.set(some, at);
  }
  const vector = gaussianRows(1, columns, 2), into = new Float32Array(rows);
  await show({
    title: `matmul, ${rows} × ${columns} times one vector`,
    values: rows * columns,
    contenders: ([
      { format: "int4", groupSize: 32 },
      { format: "int4", groupSize: 128 },
      { format: "q4_0" },
      { format: "q4_k" },
    ] as const).map((options) => {
      const q = quantize(weights, { ...options, shape: [rows, columns] });
      return contender(JSON.stringify(options), "reused", () => {
        matmul(q, vector, { into });
      });
    }),
  }, rounds);
}

/** Single queries of 10,000 × 1024, beside the libraries that are here. */
async function peers(rounds: number): Promise<void> {
  const dimension = 1024, rows = 10000;
  const subject = clustered(dimension, rows, 1, 7);
  const own = (["uniform", "lloyd"] as const).map((grid) => {
    const matrix = new PackedMatrix({ dimension, grid });
    matrix.add(subject.rows);
    return contender(`nibblewise, ${grid}`, "reused", () => {
      matrix.search(subject.queries, { k: K });
    });
  });
  const { peers, close } = await openSearchPeers(subject);
  const others = peers.map((peer): Contender => ({
    name: peer.name,
    memory: "reused",
    time: async () => (await peer.search(1, K)).nanoseconds,
  }));
  try {
    await show({
      title: `one query, ${rows} × ${dimension}`,
      values: rows * dimension,
      contenders: [...own, ...others],
    }, rounds);
  } finally {
    await close();
  }
}

async function show(contest: Contest, rounds: number): Promise<void> {
  const standings = await hold(contest, rounds);
  console.log(`\n${contest.title}\n${standingsTable(standings)}`);
}

function usage(problem: string): never {
  console.error(
    `${problem}; call it as bench:search [--rows N] [--rounds N] [--only recall|peers|speed|products]`,
  );
  Deno.exit(2);
}

const args = parseArgs(Deno.args, {
  string: ["rows", "rounds", "only"],
  default: { rows: "1000000", rounds: "9" },
  unknown: (argument) => usage(`there is no ${argument}`),
});
const rows = Number(args.rows), rounds = Number(args.rounds);
if (!Number.isInteger(rows) || rows < BATCH) {
  usage(`--rows takes a whole number from ${BATCH} on, not ${args.rows}`);
}
if (!(Number.isInteger(rounds) && rounds > 0)) {
  usage(`--rounds takes a whole number, not ${args.rounds}`);
}
console.log(environment());
const only = args.only;
if (only === undefined || only === "recall") await recall();
if (only === undefined || only === "peers") await peers(rounds);
if (only === undefined || only === "speed") {
  await speed(Math.floor(rows / BATCH) * BATCH, rounds);
}
if (only === undefined || only === "products") await products(rounds);
