import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { sideEffectsOf } from "../.ci/side_effects.ts";
import { rootUrl, sourcesUnder } from "./modules.ts";

/** What an import may cost. */
interface Budget {
  readonly what: string;
  readonly code: string;
  readonly bytes: number;
  /** WebAssembly modules in it. */
  readonly modules: number;
}

/** One format, in plain JS and with WebAssembly, in KiB. */
function oneFormat(
  name: string,
  most: { readonly js: number; readonly wasm: number },
  modules: number,
): Budget[] {
  const code = (operations: string, formats: string) =>
    `export { dequantize, quantize } from "./src/entries/${operations}.ts";` +
    `export { ${name} } from "./src/entries/${formats}.ts";`;
  return [
    {
      what: `${name} in plain JS`,
      code: code("js", "js_formats"),
      bytes: most.js * 1024,
      modules: 0,
    },
    {
      what: `${name} with WebAssembly`,
      code: code("core", "formats"),
      bytes: most.wasm * 1024,
      modules,
    },
  ];
}

/**
 * What an import may cost a page: bundled, minified, gzipped. Raise a budget only
 * together with what needs it.
 *
 * `mod.ts` holds 34 formats, which cost 1 to 3 KiB each with the conventions of
 * their checkpoints. `int4` and ggml's formats have ways of their own and need no
 * tiles; all others bring the generic way, with the kernels of tiles that they call.
 * The aims are 8 KiB for one format in plain JS, which `q4_0` meets, and 30 KiB with
 * WebAssembly, which formats of tiles miss by 4, and those with modes of many kinds, as
 * `mlx` is, by 15.
 */
const BUDGETS: readonly Budget[] = [
  {
    what: "mod.ts",
    code: 'export * from "./mod.ts";',
    bytes: 150 * 1024,
    modules: 20,
  },
  {
    what: "packInt4ToInt8 in plain JS",
    code: 'export { packInt4ToInt8 } from "./src/entries/js.ts";',
    bytes: 1.8 * 1024,
    modules: 0,
  },
  ...oneFormat("q4_0", { js: 8, wasm: 14.5 }, 2),
  ...oneFormat("int4", { js: 10.6, wasm: 17 }, 2),
  ...oneFormat("nf4", { js: 21, wasm: 33.6 }, 4),
  ...oneFormat("mlx", { js: 26.6, wasm: 44.6 }, 5),
];

async function gzippedSize(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const stream = new Blob([bytes]).stream().pipeThrough(
    new CompressionStream("gzip"),
  );
  return (await new Response(stream).arrayBuffer()).byteLength;
}

/** A copy of the sources as a package that says what may be dropped: what bundlers make of the one on npm. */
async function preparePackage(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "nibblewise-size-" });
  for (const path of ["mod.ts", ...await sourcesUnder("src")]) {
    await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
    await Deno.copyFile(new URL(path, rootUrl), join(folder, path));
  }
  const sideEffects = await sideEffectsOf(folder, ".ts");
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ sideEffects }),
  );
  return folder;
}

/** Bundles and minifies a module that stands in a folder. */
async function bundled(
  folder: string,
  code: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const entry = join(folder, "entry.ts"), output = join(folder, "out.js");
  await Deno.writeTextFile(entry, code);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--minify", "--platform=browser", "-o", output, entry],
    cwd: folder,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return await Deno.readFile(output);
}

/** How a WebAssembly module begins, in hexadecimal. */
const wasmStart = /0061736d01000000/g;

Deno.test("bundles of the package hold what they import, and stay within their budgets", async (t) => {
  const folder = await preparePackage();
  try {
    for (const { what, code, bytes, modules } of BUDGETS) {
      await t.step(
        `${what}: ${Math.floor(bytes)} bytes, minified and gzipped`,
        async () => {
          const bundle = await bundled(folder, code);
          const text = new TextDecoder().decode(bundle);
          assertEquals(text.match(wasmStart)?.length ?? 0, modules);
          const size = await gzippedSize(bundle);
          console.log(`${what}: ${size} bytes bundled, minified and gzipped`);
          assert(size > 512, `a bundle of ${size} bytes cannot be all`);
          assert(
            size <= bytes,
            `${size} bytes are ${size - bytes} over the budget`,
          );
        },
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
