/** Shards: one file of them, or as many again, as llama.cpp writes them. */
import { assertEquals } from "@std/assert";
import { createFile } from "../../src/files/file_sink.ts";
import { GgufValue } from "../../src/files/gguf_value.ts";
import { planGguf, writeGgufFrame } from "../../src/files/gguf_write.ts";
import { writeRecipeFile } from "../../src/files/quantize_gguf.ts";
import { planRecipeFiles } from "../../src/files/recipe_plan.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { openModel, quantizeHere } from "./judge.ts";
import { matrix, valuesOf, weights } from "./models.ts";

const llama = await openLlama();
const ignore = llama === undefined;

const model = {
  architecture: "llama",
  layers: 8,
  heads: 8,
  keyHeads: 2,
  tensors: [],
};
/** Not in the order of layers: rules that count see another order in shards. */
const shards = [
  [matrix("token_embd", [16, 256]), matrix("blk.7.attn_v", [4, 256])],
  [matrix("blk.3.attn_v", [4, 256]), matrix("blk.0.ffn_down", [4, 512])],
  [
    matrix("blk.1.attn_v", [4, 256]),
    matrix("blk.5.ffn_down", [4, 512]),
    matrix("blk.4.attn_v", [4, 256]),
    matrix("output", [16, 256]),
  ],
];
const count = shards.flat().length;

/** Path of a shard, counted from 0. */
const shard = (stem: string, no: number, of = shards.length) =>
  `${stem}-0000${no + 1}-of-0000${of}.gguf`;

async function writeShards(stem: string, first = 0): Promise<void> {
  const own = shards.slice(first);
  for (const [no, tensors] of own.entries()) {
    const plan = planGguf(
      new Map([
        ...(no === 0 ? valuesOf(model) : []),
        ["split.no", GgufValue.of("u16", no)],
        ["split.count", GgufValue.of("u16", own.length)],
        ["split.tensors.count", GgufValue.of("i32", own.flat().length)],
      ]),
      tensors,
    );
    const sink = await createFile(shard(stem, no, own.length));
    await writeGgufFrame(sink, plan);
    for (const [i, { offset, shape }] of plan.tensors.entries()) {
      const values = weights(10 * no + i, shape[0] * shape[1], shape[1]);
      await sink.write(offset, new Uint8Array(values.buffer));
    }
    await sink.commit();
  }
}

Deno.test(
  "a split model becomes one file as llama.cpp writes it",
  { ignore },
  async () => {
    await withFolder(async (inFolder) => {
      await writeShards(inFolder("m"));
      const from = shard(inFolder("m"), 0);
      llama!.quantize(from, inFolder("theirs.gguf"), 15);
      await quantizeHere(from, inFolder("ours.gguf"), "Q4_K_M");
      assertEquals(
        await Deno.readFile(inFolder("ours.gguf")),
        await Deno.readFile(inFolder("theirs.gguf")),
      );
    });
  },
);

Deno.test("with keepSplit it becomes as many files as llama.cpp writes", {
  ignore,
}, async () => {
  await withFolder(async (inFolder) => {
    await writeShards(inFolder("m"));
    const from = shard(inFolder("m"), 0);
    llama!.quantize(from, inFolder("theirs"), 15, { keepSplit: true });
    const file = await openModel(from);
    const { files } = planRecipeFiles(file, "Q4_K_M", { keepSplit: true });
    assertEquals(files.length, shards.length);
    for (const [no, own] of files.entries()) {
      const sink = await createFile(shard(inFolder("ours"), no));
      await writeRecipeFile(file.source, own, sink);
      await sink.commit();
      assertEquals(
        await Deno.readFile(shard(inFolder("ours"), no)),
        await Deno.readFile(shard(inFolder("theirs"), no)),
      );
    }
    await file.source.close();
    const again = await openModel(shard(inFolder("ours"), 1));
    await again.source.close();
    assertEquals(again.tensors.length, count);
  });
});

Deno.test("keepSplit makes one file of a model that is in one", async () => {
  await withFolder(async (inFolder) => {
    await writeShards(inFolder("m"), 2);
    const file = await openModel(shard(inFolder("m"), 0, 1));
    const { files } = planRecipeFiles(file, "Q4_0", { keepSplit: true });
    await file.source.close();
    assertEquals(files.length, 1);
    assertEquals(
      files[0].tasks.map(({ name }) => name),
      shards[2].map(({ name }) => name),
    );
  });
});
