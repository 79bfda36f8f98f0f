/**
 * `search`: the nearest of packed vectors to queries.
 *
 * @module
 */
import { type Neighbours, PackedMatrix } from "../../search/mod.ts";
import { type Call, type Command, DONE, show, UsageError } from "../command.ts";
import { DTYPE_FLAG, withFile } from "../input.ts";
import { namesOf } from "../names.ts";
import { table } from "../table.ts";
import type { Io } from "../terminal.ts";
import {
  countOf,
  METRIC_FLAG,
  metricOf,
  PRECISION_FLAG,
  precisionOf,
  TENSOR_FLAG,
  type Vectors,
  withVectors,
} from "../vectors.ts";

/** The command. */
export const searchCommand: Command = {
  name: "search",
  summary: "Find the packed vectors that are nearest to queries",
  operands: "INDEX --query QUERIES",
  count: 1,
  flags: [
    {
      name: "query",
      takes: "FILE",
      help: "the queries, a vector each",
      reads: (path) => path,
    },
    { name: "count", short: "k", takes: "K", help: "how many to find (10)" },
    METRIC_FLAG,
    PRECISION_FLAG,
    {
      name: "rescore",
      takes: "FILE",
      help: "the vectors as they were, for a second look at the best",
      reads: (path) => path,
    },
    {
      name: "factor",
      takes: "N",
      help: "how many times K that second look takes in (4)",
    },
    TENSOR_FLAG,
    DTYPE_FLAG,
  ],
  examples: [
    [
      "search embeddings.safetensors --query queries.npy -k 5",
      "The five nearest to each query",
    ],
    [
      "search embeddings.safetensors --query queries.npy --rescore embeddings.npy --json",
      "The same as an exact search, from a fraction of the memory",
    ],
  ],
  run,
};

interface Found {
  readonly names: readonly string[] | undefined;
  readonly results: readonly Neighbours[];
}

function run(call: Call, io: Io): Promise<number> {
  const [input] = call.operands, queryPath = call.get("query");
  if (queryPath === undefined) {
    throw new UsageError("No queries are named: give them with --query FILE");
  }
  return withFile(call, input, async (file) => {
    const matrix = await PackedMatrix.open(file.source);
    const names = await namesOf(file, matrix.nextId);
    const results = await withVectors(call, queryPath, async (queries) => {
      const values = await queries.read(0, queries.rows);
      return await searchAll(call, matrix, values);
    });
    const found = { names, results };
    show(
      call,
      io.out,
      () => resultsJson(found),
      (columns) => resultsText(found, columns),
    );
    return DONE;
  });
}

function searchAll(
  call: Call,
  matrix: PackedMatrix,
  queries: Float32Array,
): Neighbours[] | Promise<Neighbours[]> {
  const options = {
    k: countOf(call, "count", Math.min(10, Math.max(1, matrix.size))),
    metric: metricOf(call),
    precision: precisionOf(call),
  };
  const path = call.get("rescore"), factor = countOf(call, "factor", 4);
  if (path === undefined) return matrix.searchMany(queries, options);
  return withVectors(call, path, async (vectors) => {
    checkSame(matrix, vectors);
    return await matrix.searchMany(queries, {
      ...options,
      rescore: { factor, rows: (ids) => fetchRows(vectors, ids) },
    });
  });
}

function checkSame(matrix: PackedMatrix, vectors: Vectors): void {
  const { name, rows, dimension } = vectors;
  if (rows === matrix.nextId && dimension === matrix.dimension) return;
  throw new RangeError(
    `Cannot rescore with ${name}: it has ${rows} vectors of ${dimension} values, and the index ${matrix.nextId} of ${matrix.dimension}`,
  );
}

async function fetchRows(
  { read, dimension }: Vectors,
  ids: Uint32Array,
): Promise<Float32Array> {
  const rows = new Float32Array(ids.length * dimension);
  for (let i = 0; i < ids.length; i++) {
    rows.set(await read(ids[i], 1), i * dimension);
  }
  return rows;
}

/** What was found for one query, by rank. */
function entries({ ids, scores }: Neighbours, names: Found["names"]) {
  return Array.from(ids, (id, i) => ({
    id,
    name: names?.[id],
    score: scores[i],
  }));
}

function resultsJson({ names, results }: Found): object {
  return {
    queries: results.map((found) => ({ neighbours: entries(found, names) })),
  };
}

function resultsText({ names, results }: Found, columns?: number): string[] {
  const rows = results.flatMap((found, query) =>
    entries(found, names).map(({ id, name, score }) => [
      String(query),
      String(id),
      score.toFixed(4),
      ...name === undefined ? [] : [name],
    ])
  );
  return table(
    ["query", "id", "score", ...names ? ["name"] : []],
    rows,
    ["right", "right", "right", "left"],
    columns,
  );
}
