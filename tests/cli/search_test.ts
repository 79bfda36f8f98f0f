/** index, search and recall: from files to what is printed. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { readFile, writeFile } from "node:fs/promises";
import { PackedMatrix } from "../../src/search/mod.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { gaussianRows } from "../search/support.ts";
import { run, safetensorsBytes, writeNpy } from "./support.ts";

const DIMENSION = 64, ROWS = 300, SEED = 11;
const rows = gaussianRows(ROWS, DIMENSION, SEED);
const queries = rows.slice(5 * DIMENSION, 8 * DIMENSION);

/** A folder with vectors, queries and names. */
function withVectorFiles(
  work: (path: (name: string) => string) => Promise<void>,
): Promise<void> {
  return withFolder(async (path) => {
    await writeNpy(path("vectors.npy"), rows, [ROWS, DIMENSION]);
    await writeNpy(path("queries.npy"), queries, [3, DIMENSION]);
    const names = Array.from({ length: ROWS }, (_, i) => `row ${i}\x1b[2J`);
    await writeFile(path("names.txt"), names.join("\r\n") + "\n");
    await work(path);
  });
}

/** Runs a command that has to succeed. */
async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await run(...args);
  assertEquals([code, err], [0, ""]);
  return out;
}

/** Runs a command that has to fail; returns what it said. */
async function failed(code: number, ...args: string[]): Promise<string> {
  const outcome = await run(...args);
  assertEquals([outcome.code, outcome.out], [code, ""]);
  assertMatch(outcome.err, /^nibblewise: [^\n]+\n$/);
  return outcome.err;
}

Deno.test("vectors are indexed, and found by queries, with their names", async () => {
  await withVectorFiles(async (path) => {
    const index = path("index.safetensors");
    const said = await done(
      "index",
      path("vectors.npy"),
      "-o",
      index,
      "--ids",
      path("names.txt"),
    );
    assertMatch(said, /^300 vectors of 64 values: 75 kiB of float32 to /);
    const text = await done(
      "search",
      index,
      "--query",
      path("queries.npy"),
      "-k",
      "2",
    );
    const lines = text.trim().split("\n");
    assertEquals(lines.length, 2 + 3 * 2);
    assertMatch(lines[2], /^ +0 +5 +(1\.0|0\.9)\d+ +row 5\\u\{1b\}\[2J$/);
    const json = JSON.parse(
      await done(
        "search",
        index,
        "--query",
        path("queries.npy"),
        "-k",
        "2",
        "--json",
      ),
    );
    const matrix = await PackedMatrix.fromBytes(await readFile(index));
    const found = matrix.searchMany(queries, { k: 2 });
    assertEquals(
      json.queries.map((q: { neighbours: { id: number }[] }) =>
        q.neighbours.map(({ id }) => id)
      ),
      found.map(({ ids }) => [...ids]),
    );
    assertEquals(json.queries[1].neighbours[0].name, "row 6\x1b[2J");
  });
});

Deno.test("a second look takes the vectors from their file", async () => {
  await withVectorFiles(async (path) => {
    const index = path("index.safetensors"), vectors = path("vectors.npy");
    await done("index", vectors, "-o", index, "--scale", "absmax");
    const json = JSON.parse(
      await done(
        ...["search", index, "--query", path("queries.npy"), "--json"],
        ...[
          "--rescore",
          vectors,
          "--factor",
          "5",
          "-k",
          "3",
          "--metric",
          "dot",
        ],
      ),
    );
    const matrix = await PackedMatrix.fromBytes(await readFile(index));
    const found = matrix.searchMany(queries, {
      k: 3,
      metric: "dot",
      rescore: { rows, factor: 5 },
    });
    assertEquals(
      json.queries[2].neighbours,
      [0, 1, 2].map((i) => ({
        id: found[2].ids[i],
        score: found[2].scores[i],
      })),
    );
  });
});

Deno.test("flags of index become the options of the matrix", async () => {
  await withVectorFiles(async (path) => {
    const index = path("index.safetensors");
    await done(
      ...["index", path("vectors.npy"), "-o", index, "--grid", "lloyd"],
      ...["--rotate", "none", "--center", "--group-size", "32"],
      ...["--estimator", "least-squares", "--scale", "fast"],
    );
    const matrix = new PackedMatrix({
      dimension: DIMENSION,
      grid: "lloyd",
      rotate: false,
      center: true,
      groupSize: 32,
      estimator: "least-squares",
      scale: "fast",
    });
    matrix.add(rows);
    assertEquals(new Uint8Array(await readFile(index)), matrix.toBytes());
  });
});

Deno.test("recall prints a table, JSON, and a page of its own", async () => {
  await withVectorFiles(async (path) => {
    const call = [
      "recall",
      path("vectors.npy"),
      "--queries",
      path("queries.npy"),
    ];
    const text = await done(...call);
    assertMatch(text, /exact, float32 +1\.0000 +1\.0000 +1\.0000/);
    assertMatch(text, /lloyd, centred, groups of 32/);
    const page = path("<b>.html");
    const json = JSON.parse(await done(...call, "--json", "-o", page));
    const rescored = json.choices.at(-1);
    assert(rescored.recall[10] > 0.9, JSON.stringify(rescored));
    assert(rescored.bytesPerVector < 64);
    const html = await readFile(page, "utf8");
    assertMatch(html, /^<!doctype html>/);
    assertMatch(html, /<circle [^>]+><title>lloyd<\/title>/);
    assert(!/https?:|<script|<b>/.test(html), "the page needs something else");
    assertMatch(await failed(1, ...call, "-o", page), /pass --force/);
    await done(...call, "-o", page, "--force", "--quiet");
  });
});

Deno.test("wrong calls say what is wrong, and leave nothing behind", async () => {
  await withVectorFiles(async (path) => {
    const vectors = path("vectors.npy"), index = path("index.safetensors");
    await done("index", vectors, "-o", index);
    const out = path("out.safetensors"), q = path("queries.npy");
    await writeFile(path("short.txt"), "one\ntwo\n");
    await writeFile(path("latin1.txt"), Uint8Array.of(0xe4, 10));
    await writeNpy(path("narrow.npy"), rows.subarray(0, 30), [1, 30]);
    await writeNpy(path("nan.npy"), rows.slice(0, 64).fill(NaN), [1, 64]);
    await writeFile(
      path("two.safetensors"),
      safetensorsBytes([
        { name: "a", dtype: "F32", shape: [1, 64], data: rows.subarray(0, 64) },
        {
          name: "b",
          dtype: "F32",
          shape: [2, 64],
          data: rows.subarray(0, 128),
        },
      ]),
    );
    const cases: [code: number, args: string[], message: string][] = [
      [2, ["index", vectors], "No output is named"],
      [2, ["index", vectors, "-o", path("x.npy")], "must end in .safetensors"],
      [2, ["index", vectors, "-o", out, "--grid", "nf4"], "uniform or lloyd"],
      [2, ["index", vectors, "-o", out, "--rotate", "-1"], "--rotate"],
      [
        2,
        ["index", vectors, "-o", out, "--group-size", "x"],
        "--group-size cannot be x",
      ],
      [
        1,
        ["index", vectors, "-o", out, "--group-size", "48"],
        "Cannot use groupSize 48",
      ],
      [1, [
        "index",
        vectors,
        "-o",
        vectors.replace("npy", "safetensors"),
        "--ids",
        path("short.txt"),
      ], "2 lines for 300 vectors"],
      [
        1,
        ["index", vectors, "-o", out, "--ids", path("latin1.txt")],
        "not UTF-8",
      ],
      [
        1,
        ["index", path("nan.npy"), "-o", out],
        "rows 0 to 0: Cannot take NaN",
      ],
      [1, ["index", path("two.safetensors"), "-o", out], "--tensor NAME"],
      [
        1,
        ["index", path("two.safetensors"), "-o", out, "--tensor", "c"],
        'named "c"',
      ],
      [2, ["search", index], "--query FILE"],
      [2, ["search", index, "--query", q, "-k", "0"], "--count cannot be 0"],
      [1, ["search", index, "--query", q, "-k", "301"], "from 1 to 300"],
      [1, ["search", index, "--query", path("narrow.npy")], "64 dimensions"],
      [1, ["search", vectors, "--query", q], "Cannot read"],
      [
        1,
        ["search", path("two.safetensors"), "--query", q],
        "nibblewise.matrix",
      ],
      [
        1,
        ["search", index, "--query", q, "--rescore", q],
        "Cannot rescore with",
      ],
      [2, ["recall", vectors], "--queries FILE"],
      [
        2,
        ["recall", vectors, "--queries", q, "-o", "x.pdf"],
        "must end in .html",
      ],
      [
        1,
        ["recall", vectors, "--queries", path("narrow.npy")],
        "values, not 64",
      ],
    ];
    for (const [code, args, message] of cases) {
      const said = await failed(code, ...args);
      assert(said.includes(message), `${args.slice(0, 1)}: ${said}`);
    }
    await done("index", path("two.safetensors"), "-o", out, "--tensor", "b");
    const left: string[] = [];
    for await (const { name } of Deno.readDir(path("."))) left.push(name);
    assert(left.every((name) => !name.endsWith(".tmp")), left.join());
    assertEquals(left.filter((name) => name === "vectors.safetensors"), []);
  });
});
