// `--format` for GGUF: what llama.cpp never quantizes stays float32, and columns have weights.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { writeFile } from "node:fs/promises";
import { openImportance } from "../../src/files/imatrix.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { writeTinyLlama } from "../peers/tiny_llama.ts";
import { ggufImportance } from "../recipes/imatrix_files.ts";
import { openModel, theirs, typesOf } from "../recipes/judge.ts";
import { matrix, type Model, writeModel } from "../recipes/models.ts";
import { recast } from "../recipes/recast.ts";
import { json, run, safetensorsBytes } from "./support.ts";

const llama = await openLlama();
const ignore = llama === undefined;

const model: Model = {
  architecture: "llama",
  layers: 1,
  heads: 8,
  keyHeads: 2,
  experts: 3,
  tensors: [
    matrix("token_embd", [8, 256]),
    matrix("output_norm", [1, 256], "F16"),
    matrix("output", [8, 256], "BF16"),
    matrix("position_embd", [8, 256], "F16"),
    matrix("blk.0.ffn_gate_inp", [3, 256], "BF16"),
    matrix("blk.0.attn_q", [8, 512]),
    matrix("blk.0.ffn_up_exps", [3, 4, 256], "F16"),
  ],
};

/** Sums of squares that differ from column to column. */
const sums = (columns: number, seed: number) =>
  Array.from({ length: columns }, (_, i) => 1 + (i * 7 + seed) % 13);

const measured = ggufImportance([
  ["token_embd.weight", [sums(256, 1)], [4]],
  ["output.weight", [sums(256, 2)], [4]],
  ["blk.0.attn_q.weight", [sums(512, 3)], [4]],
  [
    "blk.0.ffn_up_exps.weight",
    [sums(256, 4), sums(256, 5), sums(256, 6)],
    [4, 0, 2],
  ],
]);

/** The bytes of each tensor, by name. */
async function bytesOf(path: string): Promise<Map<string, Uint8Array>> {
  const file = await openModel(path);
  const tensors = new Map<string, Uint8Array>();
  for (const { name, offset, byteLength } of file.tensors) {
    const bytes = new Uint8Array(byteLength);
    await file.source.read(offset, bytes);
    tensors.set(name, bytes);
  }
  await file.source.close();
  return tensors;
}

Deno.test("what llama.cpp never quantizes becomes float32, and the report says why", async () => {
  await withFolder(async (path) => {
    await writeModel(path("m.gguf"), model);
    const call = ["quantize", path("m.gguf"), "--format", "q4_0", "-o"];
    const { copied } = await json(...call, path("a.gguf"));
    const reasons = new Map<string, [string, string]>(
      copied.map((t: Record<string, string>) => [t.name, [t.cast, t.reason]]),
    );
    const kept = [
      "blk.0.ffn_gate_inp.weight",
      "output_norm.weight",
      "position_embd.weight",
    ];
    assertEquals([...reasons.keys()].sort(), kept);
    const types = await typesOf(path("a.gguf"));
    for (const [name, [cast, reason]] of reasons) {
      assertEquals([name, cast, types.get(name)], [name, "F32", "F32"]);
      assertStringIncludes(reason, "llama.cpp never quantizes");
    }
    assertEquals(
      [...types.values()].filter((type) => type === "Q4_0").length,
      4,
    );
    const { out } = await run(...call, path("b.gguf"));
    assertStringIncludes(out, "as F32: embeddings of positions");

    const all = await json(...call, path("c.gguf"), "--all");
    assertEquals(all.copied, []);
    const named = await json(
      ...[...call, path("d.gguf"), "--tensors", "output_norm.weight"],
      ...["--tensors", "position_embd.weight"],
    );
    assertEquals(
      named.tensors.map(({ name }: { name: string }) => name).sort(),
      ["output_norm.weight", "position_embd.weight"],
    );
    // What is not chosen stays as it is, but for what has to be float32.
    const rest = await typesOf(path("d.gguf"));
    assertEquals(rest.get("blk.0.ffn_gate_inp.weight"), "F32");
    assertEquals(rest.get("output.weight"), "BF16");
  });
});

Deno.test("float32 is written whatever a safetensors file holds, and only for GGUF", async () => {
  await withFolder(async (path) => {
    const half = new Uint16Array(64 * 8).fill(0x3c00);
    const tensors = [
      { name: "w.weight", dtype: "BF16", shape: [8, 64], data: half },
      {
        ...{ name: "a_norm.weight", dtype: "F16", shape: [64] },
        data: half.subarray(0, 64),
      },
      {
        ...{ name: "b.bias", dtype: "F64", shape: [64] },
        data: new Float64Array(64).fill(0.1),
      },
    ];
    await writeFile(path("m.safetensors"), safetensorsBytes(tensors));
    const call = ["quantize", path("m.safetensors"), "--format", "q4_0", "-o"];
    await json(...call, path("a.gguf"), "--meta", "general.architecture=x");
    const bytes = await bytesOf(path("a.gguf"));
    const floats = (name: string) =>
      new Float32Array(bytes.get(name)!.slice().buffer);
    assertEquals(floats("a_norm.weight"), new Float32Array(64).fill(1));
    assertEquals(floats("b.bias"), new Float32Array(64).fill(0.1));
    const { copied } = await json(...call, path("a.safetensors"));
    assertEquals(
      copied.map((t: Record<string, string>) => [t.name, t.dtype, t.cast]),
      [["b.bias", "F64", undefined], ["a_norm.weight", "F16", undefined]],
    );
  });
});

for (const dtype of ["F32", "F16", "BF16"]) {
  Deno.test(`llama.cpp runs what becomes of ${dtype}`, { ignore }, async () => {
    await withFolder(async (path) => {
      await writeTinyLlama(path("f32.gguf"));
      await recast(path("f32.gguf"), path("m.gguf"), dtype);
      await json(
        ...["quantize", path("m.gguf"), "-o", path("q.gguf")],
        ...["--format", "q4_k"],
      );
      const tokens = llama!.tokenize(path("f32.gguf"), "the zebra\n");
      const logits = llama!.logits(path("q.gguf"), tokens);
      assert(logits.every((row) => row.every(Number.isFinite)));
      assert(new Set(logits[0]).size > 100);
    });
  });
}

for (const format of ["q4_0", "q4_1", "q4_k", "iq4_nl", "iq4_xs"]) {
  Deno.test(
    `${format} with importance is what llama.cpp makes, experts one by one`,
    {
      ignore,
    },
    async () => {
      await withFolder(async (path) => {
        // llama.cpp copies sixteen bits where this program mends them.
        const floats = model.tensors.map((t) => ({ ...t, dtype: "F32" }));
        await writeModel(path("m.gguf"), { ...model, tensors: floats });
        await writeFile(path("i.gguf"), measured);
        const call = ["quantize", path("m.gguf"), "--format", format, "-o"];
        const { warnings } = await json(
          ...[...call, path("a.gguf"), "--imatrix", path("i.gguf")],
        );
        assertEquals(warnings, []);
        const ours = await openModel(path("a.gguf"));
        const fileType = ours.values.get("general.file_type")!.value as number;
        assertEquals(
          ours.values.get("quantize.imatrix.chunks_count")?.value,
          5,
        );
        assertEquals(
          ours.values.get("quantize.imatrix.entries_count")?.value,
          4,
        );
        await ours.source.close();
        const importance = await openImportance(path("i.gguf"));
        llama!.quantize(path("m.gguf"), path("b.gguf"), fileType, {
          ...theirs({ importance }),
          pure: true,
        });
        assertEquals(
          await bytesOf(path("a.gguf")),
          await bytesOf(path("b.gguf")),
        );
        await json(...call, path("c.gguf"));
        const plain = await bytesOf(path("c.gguf"));
        const weighed = await bytesOf(path("a.gguf"));
        const name = "blk.0.ffn_up_exps.weight";
        assert(
          weighed.get(name)!.some((byte, i) => byte !== plain.get(name)![i]),
        );
      });
    },
  );
}

Deno.test("importance is refused where it cannot be used, or does not fit", async () => {
  await withFolder(async (path) => {
    await writeModel(path("m.gguf"), model);
    await writeFile(path("i.gguf"), measured);
    await writeFile(
      path("few.gguf"),
      ggufImportance([["blk.0.attn_q.weight", [sums(512, 1)], [1]]]),
    );
    const call = ["quantize", path("m.gguf"), "-o", path("o.gguf"), "--format"];
    for (
      const [code, args, message] of [
        [
          2,
          ["mxfp4", "--imatrix", path("i.gguf")],
          "one of iq4_nl, iq4_xs, q4_0",
        ],
        [2, ["q4_0", "--imatrix-partial"], "goes with --imatrix"],
        [1, ["q4_0", "--imatrix", path("m.gguf")], "is it a model"],
        [1, ["q4_0", "--imatrix", path("few.gguf")], "ffn_up_exps.weight"],
      ] as const
    ) {
      const refused = await run(...call, ...args);
      assertEquals([refused.code, refused.out], [code, ""], args.join(" "));
      assertStringIncludes(refused.err, message);
    }
    const input = await run(
      ...["quantize", path("i.gguf"), "-o", path("o.gguf"), "--format", "q4_0"],
    );
    assertEquals(input.code, 1);
    assertStringIncludes(input.err, "pass it with --imatrix beside one");
    // A search weighs where the reference of a format does not.
    const searched = await json(
      ...[...call, "mxfp4", "--search", "fast", "--imatrix", path("i.gguf")],
      "--force",
    );
    assertEquals(searched.tensors.length, 4);
    const partial = await run(
      ...[...call, "q4_0", "--imatrix", path("few.gguf"), "--imatrix-partial"],
      "--force",
    );
    assertEquals(partial.code, 0, partial.err);
    assertStringIncludes(partial.err, "quantized without importance");
  });
});

Deno.test("a value that cannot be weighed is told by its place among all experts", async () => {
  await withFolder(async (path) => {
    await writeFile(path("i.gguf"), measured);
    const values = new Float32Array(3 * 4 * 256).fill(1);
    const tensor = {
      name: "blk.0.ffn_up_exps.weight",
      dtype: "F32",
      shape: [3, 4, 256],
      data: values,
    };
    const call = [
      ...["quantize", path("m.safetensors"), "-o", path("o.gguf"), "--force"],
      ...["--format", "q4_0", "--imatrix", path("i.gguf")],
    ];
    for (
      const [bad, message] of [
        [7e5, "group 65, from index 2080 ([2, 0, 32])"],
        [NaN, "NaN at index 2085 ([2, 0, 37])"],
        [1, undefined],
      ] as const
    ) {
      values[2 * 4 * 256 + 37] = bad;
      await writeFile(path("m.safetensors"), safetensorsBytes([tensor]));
      const { code, err } = await run(...call);
      assertEquals(code, message === undefined ? 0 : 1, err);
      assertStringIncludes(err, message ?? "general.architecture is unknown");
    }
  });
});
