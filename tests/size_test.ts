import { assert } from "@std/assert";
import { join } from "node:path";
import { rootUrl } from "./modules.ts";

/**
 * What `import "nibblewise"` may cost a page: mod.ts bundled, minified and
 * gzipped. Raise it only together with the formats or the checks that need it.
 */
const SIZE_BUDGET_BYTES = 38 * 1024;

async function gzippedSize(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const stream = new Blob([bytes]).stream().pipeThrough(
    new CompressionStream("gzip"),
  );
  return (await new Response(stream).arrayBuffer()).byteLength;
}

Deno.test(`mod.ts bundled, minified and gzipped stays within ${SIZE_BUDGET_BYTES} bytes`, async () => {
  const folder = await Deno.makeTempDir({ prefix: "nibblewise-size-" });
  try {
    const output = join(folder, "mod.js");
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--minify",
        "--platform=browser",
        "-o",
        output,
        "mod.ts",
      ],
      cwd: rootUrl,
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const size = await gzippedSize(await Deno.readFile(output));
    console.log(`mod.ts: ${size} bytes bundled, minified and gzipped`);
    assert(size > 1024, `a bundle of ${size} bytes cannot be the module`);
    assert(
      size <= SIZE_BUDGET_BYTES,
      `${size} bytes are ${size - SIZE_BUDGET_BYTES} over the budget`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
