import { assert } from "@std/assert";
import { join } from "node:path";
import { rootUrl } from "./modules.ts";

/**
 * What an import may cost a page: bundled, minified, gzipped. Raise a budget only
 * together with what needs it.
 *
 * `mod.ts` holds 34 formats, which cost 1 to 3 KiB each with the conventions of
 * their checkpoints. One format alone brings the generic packing, which any of
 * them may need at the edges of a tensor, and the search of scales: the aims for it, 8 and 30 KiB, are missed.
 */
const BUDGETS: readonly {
  readonly what: string;
  readonly code: string;
  readonly bytes: number;
}[] = [
  { what: "mod.ts", code: 'export * from "./mod.ts";', bytes: 112 * 1024 },
  {
    what: "packInt4ToInt8 in plain JS",
    code: 'export { packInt4ToInt8 } from "./src/entries/js.ts";',
    bytes: 8 * 1024,
  },
  {
    what: "one format in plain JS",
    code: 'export { dequantize, quantize } from "./src/entries/js.ts";' +
      'export { q4_0 } from "./src/formats/q4_0.ts";',
    bytes: 23 * 1024,
  },
  {
    what: "one format with WebAssembly",
    code: 'export { dequantize, quantize } from "./src/entries/core.ts";' +
      'export { q4_0 } from "./src/formats/q4_0.ts";',
    bytes: 46 * 1024,
  },
];

async function gzippedSize(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const stream = new Blob([bytes]).stream().pipeThrough(
    new CompressionStream("gzip"),
  );
  return (await new Response(stream).arrayBuffer()).byteLength;
}

for (const { what, code, bytes } of BUDGETS) {
  Deno.test(`${what} bundled, minified and gzipped stays within ${bytes} bytes`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "nibblewise-size-" });
    try {
      const entry = join(folder, "entry.ts"), output = join(folder, "out.js");
      const root = rootUrl.href;
      await Deno.writeTextFile(entry, code.replaceAll("./", root));
      const { success, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "bundle",
          "--minify",
          "--platform=browser",
          "-o",
          output,
          entry,
        ],
        cwd: rootUrl,
      }).output();
      assert(success, new TextDecoder().decode(stderr));
      const size = await gzippedSize(await Deno.readFile(output));
      console.log(`${what}: ${size} bytes bundled, minified and gzipped`);
      assert(size > 512, `a bundle of ${size} bytes cannot be all`);
      assert(
        size <= bytes,
        `${size} bytes are ${size - bytes} over the budget`,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
