/**
 * The rules of the structure, held by machine: imports go one way, formats
 * never import each other, and the core reaches nothing outside itself.
 */
import { assert, assertEquals } from "@std/assert";
import { type Module, reachable, rootUrl, sourcesUnder } from "./modules.ts";

/** Rooms from the bottom up; a module imports from its own room or from rooms below. */
const rooms: readonly { readonly name: string; readonly holds: RegExp }[] = [
  { name: "numeric", holds: /^src\/numeric\// },
  { name: "words", holds: /^src\/words\// },
  { name: "kernels", holds: /^src\/kernels\// },
  { name: "layouts", holds: /^src\/layouts\// },
  { name: "schemes", holds: /^src\/schemes\// },
  { name: "model", holds: /^src\/model\// },
  { name: "formats", holds: /^src\/formats\// },
  { name: "ggml", holds: /^src\/ggml\// },
  { name: "quantize", holds: /^src\/[a-z0-9_]+\.ts$/ },
  { name: "entries", holds: /^(src\/entries\/[a-z0-9_]+|mod)\.ts$/ },
  { name: "stream", holds: /^src\/stream\// },
  { name: "files", holds: /^src\/files\// },
  { name: "hf", holds: /^src\/hf\// },
  { name: "search", holds: /^src\/search\// },
  { name: "cli", holds: /^(src\/cli\/.*\.(ts|js)|cli\.ts)$/ },
];

/** Layouts and schemes stand side by side in the design; their order here only rules out cycles. */
function roomOf(path: string): number {
  const room = rooms.findIndex(({ holds }) => holds.test(path));
  assert(
    room >= 0,
    `${path} is in no room: put it in one, or extend the list in this test`,
  );
  return room;
}

const core = await reachable("mod.ts");

/** All entry points, as deno.json names them. */
const { exports }: { exports: Record<string, string> } = JSON.parse(
  await Deno.readTextFile(new URL("deno.json", rootUrl)),
);
const all = new Map(core);
for (const entry of Object.values(exports)) {
  for (const [path, module] of await reachable(entry)) all.set(path, module);
}

const search = await reachable("src/search/mod.ts");

/** What runs anywhere: the core, and what is exported beside it. */
const portable = new Map([...core, ...await reachable("src/ggml/mod.ts")]);

/** Every import of one project module by another. */
function* edges(
  modules: Iterable<Module>,
): Generator<[from: string, to: string]> {
  for (const { path, imports } of modules) {
    for (const target of imports) if (all.has(target)) yield [path, target];
  }
}

Deno.test("the command line has the WebAssembly kernels and the searches", async () => {
  const modules = await reachable("cli.ts");
  assert(modules.has("src/model/install.ts"));
  assert(modules.has("src/model/install_searches.ts"));
  const made = (await sourcesUnder("src/kernels")).filter((path) =>
    /^src\/kernels\/\w*module\.ts$/.test(path)
  );
  assert(made.length > 5);
  for (const path of made) {
    assert(modules.has(path), `the command line lacks ${path}`);
  }
});

Deno.test("tests that ask which backend is in force have the WebAssembly kernels", async () => {
  // Without them the answer is "js", and all that such a test says of kernels is left out in silence.
  const asking: string[] = [];
  for (const path of await sourcesUnder("tests")) {
    // Those of entry points bring along what they ask for themselves.
    if (!path.endsWith("_test.ts") || path.startsWith("tests/entries/")) {
      continue;
    }
    const text = await Deno.readTextFile(new URL(path, rootUrl));
    if (/\bbackend\(\)/.test(text)) asking.push(path);
  }
  assert(asking.includes("tests/search/engine_test.ts"));
  for (const path of asking) {
    const modules = await reachable(path);
    assert(modules.has("src/model/install.ts"), `${path} lacks the kernels`);
  }
});

Deno.test("tests that judge by the generic way have it", async () => {
  // Without it the reference of a format of blocks is its own plain JS.
  const judging: string[] = [];
  for (const path of await sourcesUnder("tests")) {
    if (!path.endsWith("_test.ts")) continue;
    const text = await Deno.readTextFile(new URL(path, rootUrl));
    if (/\w\.reference\b/.test(withoutComments(text))) judging.push(path);
  }
  assert(judging.includes("tests/parity_test.ts"));
  for (const path of judging) {
    const modules = await reachable(path);
    const installed = modules.has("src/model/install_searches.ts");
    assert(installed, `${path} has no generic way to judge by`);
  }
});

Deno.test("every module under src is reachable from an entry point", async () => {
  // Tools, and what they make committed modules of: the kernels in AssemblyScript, the bundle of @std/*.
  const apart = /^src\/(kernels\/(wasm\/|build\.ts$)|cli\/std\/)/;
  const orphans = (await sourcesUnder("src")).filter((path) =>
    !apart.test(path) && !all.has(path)
  );
  assertEquals(orphans, []);
});

Deno.test("imports go one way: cli, files, stream, quantize, formats, model, then schemes, layouts, kernels, words and numeric", () => {
  const upward = [...edges(all.values())].filter(([from, to]) =>
    roomOf(to) > roomOf(from)
  );
  assertEquals(upward.map((edge) => edge.join(" imports ")), []);
});

Deno.test("no module imports itself through others", () => {
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    assert(!trail.includes(path), `a cycle: ${[...trail, path].join(" → ")}`);
    if (done.has(path)) return;
    for (const target of all.get(path)?.imports ?? []) {
      if (all.has(target)) visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of all.keys()) visit(path, []);
  assert(done.size > 10);
});

Deno.test("formats never import each other; only the registry knows them", () => {
  const between = [...edges(all.values())].filter(([from, to]) =>
    from.startsWith("src/formats/") && to.startsWith("src/formats/") &&
    from !== "src/formats/registry.ts"
  );
  assertEquals(between, []);
});

Deno.test("formats with kernels of their own bring them along from ./formats, and from nowhere in ./js", async () => {
  const entry = await Deno.readTextFile(
    new URL("src/entries/formats.ts", rootUrl),
  );
  const withKernels = [...all.values()].filter(({ path, imports }) =>
    path.startsWith("src/formats/") &&
    imports.includes("src/kernels/modules.ts")
  ).map(({ path }) => path.slice("src/formats/".length, -".ts".length));
  // Those of tiles, which formats share, are held to what is called by tests/entries/kernels_test.ts.
  const ofTiles = /\bown\.(TILES|TURNED|RANKS|STEPS|E2M1_TILES)\b/g;
  const lists = entry.matchAll(
    /with(?:Block|Tile)?Kernels\(\s*plain\.(\w+),\s*\[([^\]]*)\]/g,
  );
  const bringing = [...lists].filter(([, , list]) =>
    list.replace(ofTiles, "").includes("own.")
  ).map(([, name]) => name);
  assertEquals(bringing.sort(), withKernels.sort());
  assert(withKernels.includes("q4_0"));
  for (const plain of ["js", "js_formats"]) {
    const modules = await reachable(`src/entries/${plain}.ts`);
    const brought = [...modules.keys()].filter((path) =>
      /module\.ts$/.test(path)
    );
    assertEquals(brought, []);
  }
});

Deno.test("no format carries the searches for better bytes", async () => {
  for (const entry of ["core", "formats", "js"]) {
    const modules = await reachable(`src/entries/${entry}.ts`);
    const searching = [...modules.keys()].filter((path) =>
      /schemes\/(searche[ds]|search_kernel|scale_search)\.ts$/.test(path)
    );
    assertEquals(searching, [], entry);
  }
  assert(all.has("src/schemes/searched.ts"));
});

Deno.test("the core imports nothing but its own files", () => {
  const outside = [...portable.values()].flatMap(({ path, imports }) =>
    imports.filter((target) => !portable.has(target)).map((target) =>
      `${path} imports ${target}`
    )
  );
  assertEquals(outside, []);
  const rooms = [...portable.keys()];
  assert(rooms.every((path) => !/^src\/(files|cli)\//.test(path)));
});

Deno.test("the core does not load ggml's other types", () => {
  const loaded = [...core.keys()].filter((path) =>
    path.startsWith("src/ggml/")
  );
  assertEquals(loaded, []);
  assert(portable.has("src/ggml/grids.ts"));
});

Deno.test("the core carries nothing of searching, and searching nothing that browsers lack", () => {
  assert(
    [...core.keys()].every((path) =>
      !/^src\/search\/|search_module/.test(path)
    ),
  );
  const outside = [...search.values()].flatMap(({ path, imports }) =>
    imports.filter((target) => !search.has(target)).map((target) =>
      `${path} imports ${target}`
    )
  );
  assertEquals(outside, []);
});

Deno.test("the command line imports nothing that would have to be installed", () => {
  const outside = [...all.values()].flatMap(({ path, imports }) =>
    imports.filter((target) => !all.has(target) && !target.startsWith("node:"))
      .map((target) => `${path} imports ${target}`)
  );
  assertEquals(outside, []);
  assert(all.has("src/cli/std/bundle.js"), "the bundle was not looked at");
});

Deno.test("the core touches no runtime, network or storage", async () => {
  const forbidden =
    /\b(Deno|Bun|process|Buffer|navigator|localStorage|indexedDB|require)\s*[.([]|\b(fetch|XMLHttpRequest|WebSocket|Worker|eval|Function)\s*\(/;
  const found: string[] = [];
  for (const path of portable.keys()) {
    const code = withoutComments(
      await Deno.readTextFile(new URL(path, rootUrl)),
    );
    code.split("\n").forEach((line, i) => {
      if (forbidden.test(line)) found.push(`${path}:${i + 1}: ${line.trim()}`);
    });
  }
  assertEquals(found, []);
  assert(
    forbidden.test("Deno.readFile(path)") && forbidden.test("await fetch(url)"),
    "the pattern finds nothing",
  );
});

/** Blanks comments, keeping lines; strings with `//` in them lose their tail, which hides nothing executable. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/\/\/.*$/gm, "");
}
