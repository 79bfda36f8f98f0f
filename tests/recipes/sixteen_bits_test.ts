/** Norms of sixteen bits: kept with a warning, or mended; what is mended runs. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { writeTinyLlama } from "../peers/tiny_llama.ts";
import { quantizeHere, typesOf } from "./judge.ts";
import { recast } from "./recast.ts";

const llama = await openLlama();
const ignore = llama === undefined;

for (const dtype of ["BF16", "F16"]) {
  Deno.test(`norms of ${dtype} are kept with a warning, or mended`, async () => {
    await withFolder(async (inFolder) => {
      await writeTinyLlama(inFolder("f32.gguf"));
      await recast(inFolder("f32.gguf"), inFolder("half.gguf"), dtype);
      const [kept, mended] = [inFolder("kept.gguf"), inFolder("mended.gguf")];
      const [warning, ...rest] = await quantizeHere(
        inFolder("half.gguf"),
        kept,
        "Q4_K_M",
      );
      assertEquals(rest, []);
      assertStringIncludes(warning, "--mend-norms");
      assertStringIncludes(warning, "5 tensors");
      assertEquals((await typesOf(kept)).get("output_norm.weight"), dtype);
      const warnings = await quantizeHere(
        inFolder("half.gguf"),
        mended,
        "Q4_K_M",
        {
          mendNorms: true,
        },
      );
      assertEquals(warnings, []);
      assertEquals((await typesOf(mended)).get("output_norm.weight"), "F32");
    });
  });
}

Deno.test(
  "what was mended runs in llama.cpp, and norms of float32 need no mending",
  { ignore },
  async () => {
    await withFolder(async (inFolder) => {
      const plain = inFolder("f32.gguf");
      await writeTinyLlama(plain);
      assertEquals(
        await quantizeHere(plain, inFolder("plain.gguf"), "Q4_K_M"),
        [],
      );
      const tokens = llama!.tokenize(plain, "the zebra\n");
      for (const dtype of ["BF16", "F16"]) {
        await recast(plain, inFolder(dtype), dtype);
        const path = inFolder(`${dtype}.mended.gguf`);
        await quantizeHere(inFolder(dtype), path, "Q4_K_M", {
          mendNorms: true,
        });
        const logits = llama!.logits(path, tokens);
        assert(logits.every((row) => row.every(Number.isFinite)));
        assert(new Set(logits[0]).size > 100);
      }
    });
  },
);
