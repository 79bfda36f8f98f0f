/**
 * Searching in Node, Bun and Chromium: the same bits as here, with WebAssembly
 * and without, and workers where threads may share memory.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { backend, useBackend } from "../../mod.ts";
import * as search from "../../src/search/mod.ts";
import { visit, withoutChromium } from "./chromium.ts";
import { searchSmoke } from "./search_smoke.ts";
import { available, bundle, noteSkip, root, succeed } from "./workshop.ts";

const withoutNpm = noteSkip(
  !(await available("npm", ["--version"])),
  "npm is not installed",
);

function expected(): Record<string, string> {
  const before = backend();
  try {
    const [wasm, js] = (["wasm", "js"] as const).map((name) => {
      useBackend(name);
      return searchSmoke(search);
    });
    assertEquals(js, wasm);
    assert(Object.keys(wasm).length > 100);
    return wasm;
  } finally {
    useBackend(before);
  }
}

const script = `
import * as search from "nibblewise/search";
import { searchSmoke, workersSmoke } from "./search_smoke.js";
const hashes = searchSmoke(search);
const workers = process.argv[2] === "workers" ? await workersSmoke(search) : undefined;
console.log(JSON.stringify({ hashes, workers }));
process.exit(0);
`;

const withoutWasm = `
delete globalThis.WebAssembly;
const search = await import("nibblewise/search");
const { searchSmoke } = await import("./search_smoke.js");
console.log(JSON.stringify({ hashes: searchSmoke(search) }));
`;

Deno.test(
  { name: "searching with the packed module", ignore: withoutNpm },
  async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "nibblewise-search-" });
    const write = (name: string, text: string) =>
      Deno.writeTextFile(join(folder, name), text);
    try {
      const tarball = join(folder, "nibblewise.tgz");
      await succeed(Deno.execPath(), [
        "run",
        "-A",
        ".ci/pack.ts",
        "-o",
        tarball,
      ], {
        cwd: root,
      });
      await bundle(
        "tests/runtimes/search_smoke.ts",
        join(folder, "search_smoke.js"),
      );
      await write("package.json", JSON.stringify({ type: "module" }));
      await write("run.js", script);
      await write("run_without_wasm.js", withoutWasm);
      const packages = ["./nibblewise.tgz", "bun@1.4.5"];
      await succeed(
        "npm",
        ["install", "--no-audit", "--no-fund", ...packages],
        {
          cwd: folder,
        },
      );
      const bun = join(folder, "node_modules", "bun", "bin", "bun.exe");
      const run = async (program: string, ...args: string[]) =>
        JSON.parse(await succeed(program, args, { cwd: folder }));
      for (const [name, program] of Object.entries({ node: "node", bun })) {
        await t.step(`gives the same bits under ${name}`, async () => {
          assertEquals((await run(program, "run.js")).hashes, expected());
          const plain = await run(program, "run_without_wasm.js");
          assertEquals(plain.hashes, expected());
        });
      }
      await t.step("searches by workers under node", async () => {
        assertEquals((await run("node", "run.js", "workers")).workers, true);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

/** The README's example of a page: the block that opens a matrix. */
async function readmeExample(): Promise<string> {
  const text = await Deno.readTextFile(join(root, "README.md"));
  const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)];
  const [found] = blocks.filter(([, code]) =>
    code.includes("PackedMatrix.open(")
  );
  assert(found, "the README has no example of searching");
  assert(
    found[1].trim().split("\n").length <= 20,
    "it has more than twenty lines",
  );
  return found[1];
}

Deno.test(
  { name: "searching in Chromium", ignore: withoutChromium },
  async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "nibblewise-search-" });
    try {
      const entries = {
        "/search.js": "src/search/mod.ts",
        "/worker.js": "src/search/worker.ts",
        "/smoke.js": "tests/runtimes/search_smoke.ts",
      };
      const scripts: Record<string, string> = {};
      for (const [name, entry] of Object.entries(entries)) {
        const path = join(folder, name);
        await bundle(entry, path, "--minify");
        scripts[name] = await Deno.readTextFile(path);
      }
      const policy =
        "default-src 'self' blob:; script-src 'self' 'wasm-unsafe-eval'";
      const csp = "content-security-policy";

      await t.step("runs the README's example", async () => {
        const example = (await readmeExample()).replace(
          "@nibblewise/nibblewise/search",
          "/search.js",
        );
        const page = `${example}\nreport({ results: [...ids] });`;
        const ids = await visit({ ...scripts, "/page.js": page }, {
          [csp]: policy,
        });
        assertEquals((ids as number[]).length, 3);
        assertEquals((ids as number[])[0], 7);
      });

      const smoke = `
      import * as search from "/search.js";
      import { searchSmoke } from "/smoke.js";
      report({ results: searchSmoke(search) });`;
      await t.step(
        "gives the same bits, with WebAssembly and without",
        async () => {
          const page = { ...scripts, "/page.js": smoke };
          const strict = "default-src 'self'; script-src 'self'";
          for (const one of [policy, strict]) {
            assertEquals(await visit(page, { [csp]: one }), expected());
          }
        },
      );

      await t.step("searches by workers in an isolated page", async () => {
        const page = `
        import * as search from "/search.js";
        import { workersSmoke } from "/smoke.js";
        const make = () => new Worker("/worker.js", { type: "module" });
        report({ results: await workersSmoke(search, make) });`;
        const isolated = {
          [csp]: policy,
          "cross-origin-opener-policy": "same-origin",
          "cross-origin-embedder-policy": "require-corp",
        };
        assertEquals(
          await visit({ ...scripts, "/page.js": page }, isolated),
          true,
        );
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
