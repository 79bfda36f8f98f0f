/** Norms of sixteen bits: kept with a warning, or mended; what is mended runs. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createFile } from "../../src/files/file_sink.ts";
import { planGguf, writeGgufFrame } from "../../src/files/gguf_write.ts";
import { ggmlTypes } from "../../src/ggml/mod.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { writeTinyLlama } from "../peers/tiny_llama.ts";
import { openModel, quantizeHere, typesOf } from "./judge.ts";

const llama = await openLlama();
const ignore = llama === undefined;

/** Writes a model with every tensor in another type. */
async function recast(from: string, to: string, dtype: string): Promise<void> {
  const file = await openModel(from);
  const { quantize } = ggmlTypes.get(dtype)!;
  const plan = planGguf(
    file.values,
    file.tensors.map((tensor) => ({ ...tensor, dtype })),
  );
  const sink = await createFile(to);
  await writeGgufFrame(sink, plan);
  for (const [i, { offset, byteLength }] of plan.tensors.entries()) {
    const bytes = new Uint8Array(file.tensors[i].byteLength);
    await file.source.read(file.tensors[i].offset, bytes);
    const values = new Float32Array(bytes.buffer);
    const out = new Uint8Array(byteLength);
    quantize!(values, out, values.length);
    await sink.write(offset, out);
  }
  await sink.commit();
  await file.source.close();
}

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
