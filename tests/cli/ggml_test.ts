// Tensors of ggml's types beside four bits through the command line.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { openTensorFile } from "../../src/files/open.ts";
import type { TensorFile } from "../../src/files/tensors.ts";
import { planGguf, writeGgufFrame } from "../../src/files/gguf_write.ts";
import { createFile } from "../../src/files/file_sink.ts";
import { ggmlTypes } from "../../src/ggml/mod.ts";
import { quantize } from "../../src/quantize.ts";
import { bits } from "../adversarial.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openGgml } from "../peers/ggml.ts";
import { openLlama } from "../peers/llama.ts";
import { writeTinyLlama } from "../peers/tiny_llama.ts";
import { json, run, weightLike } from "./support.ts";

const vector = (name: string) =>
  new URL(`../vectors/${name}.gguf`, import.meta.url).pathname;
const mixed = vector("gguf_mixed");
const type144 = vector("gguf_type144");

async function bytesOf(file: TensorFile, name: string): Promise<Uint8Array> {
  const { offset, byteLength } = file.tensors.find((t) => t.name === name)!;
  const bytes = new Uint8Array(byteLength);
  await file.source.read(offset, bytes);
  return bytes;
}

Deno.test("dequantize opens a mixture of ggml's types", async () => {
  await withFolder(async (path) => {
    const { tensors, copied } = await json(
      ...["dequantize", mixed, "-o", path("floats.safetensors")],
    );
    assertEquals(
      tensors.map(({ format }: { format: string }) => format),
      ["Q6_K", "Q4_K", "Q6_K", "Q5_0", "Q8_0", "Q5_K", "Q3_K", "IQ3_S"],
    );
    assertEquals(copied.length, 1);
    const before = await openTensorFile(mixed);
    const after = await openTensorFile(path("floats.safetensors"));
    for (const { name, dtype } of before.tensors) {
      const actual = new Float32Array((await bytesOf(after, name)).buffer);
      const expected = new Float32Array(actual.length);
      ggmlTypes.get(dtype)!.dequantize(await bytesOf(before, name), expected);
      assertEquals(bits(actual), bits(expected), name);
    }
    await before.source.close();
    await after.source.close();
  });
});

Deno.test("compare measures them against their values", async () => {
  await withFolder(async (path) => {
    const floats = path("floats.safetensors");
    await json("dequantize", mixed, "-o", floats);
    const { tensors } = await json("compare", mixed, floats);
    assertEquals(tensors.length, 9);
    for (const { maxError } of tensors) assertEquals(maxError, 0);
  });
});

Deno.test("quantize and convert take them as a source", async () => {
  await withFolder(async (path) => {
    for (const command of ["quantize", "convert"]) {
      const out = path(`${command}.gguf`);
      const { code, err } = await run(
        ...[command, mixed, "-o", out, "--format", "q4_0", "--requantize"],
      );
      assertEquals(code, 0, err);
      assertStringIncludes(err, "8 tensors were quantized before");
      const source = await openTensorFile(mixed);
      const target = await openTensorFile(out);
      const { shape } = source.tensors[0];
      const values = new Float32Array(shape[0] * shape[1]);
      ggmlTypes.get("Q6_K")!.dequantize(
        await bytesOf(source, "token_embd.weight"),
        values,
      );
      const { parts } = quantize(values, { format: "q4_0", shape });
      assertEquals(
        await bytesOf(target, "token_embd.weight"),
        parts.blocks.data,
      );
      await source.source.close();
      await target.source.close();
    }
  });
});

Deno.test("a tensor of many blocks is read in pieces, cut between blocks", async () => {
  await withFolder(async (path) => {
    // More than a piece of either command, in rows that no piece holds whole.
    const columns = 256 * 9000, rows = 2;
    const values = weightLike(rows, columns);
    const type = ggmlTypes.get("Q6_K")!;
    const blocks = new Uint8Array(values.length / 256 * type.blockBytes);
    type.quantize!(values, blocks, columns);
    const plan = planGguf(new Map(), [
      { name: "long", dtype: "Q6_K", shape: [rows, columns] },
    ]);
    const sink = await createFile(path("long.gguf"));
    await writeGgufFrame(sink, plan);
    await sink.write(plan.tensors[0].offset, blocks);
    await sink.commit();
    const out = path("long.safetensors");
    await json("dequantize", path("long.gguf"), "-o", out);
    const file = await openTensorFile(out);
    const expected = new Float32Array(values.length);
    type.dequantize(blocks, expected);
    assertEquals(
      new Float32Array((await bytesOf(file, "long")).buffer),
      expected,
    );
    await file.source.close();
  });
});

Deno.test("inspect shows the number of a type that is not known, and everything else", async () => {
  const { code, out } = await run("inspect", type144);
  assertEquals(code, 0);
  assertStringIncludes(out, "type 144");
  const { tensors } = await json("inspect", type144);
  assertEquals(
    tensors.map(({ name, dtype }: Record<string, string>) => [name, dtype]),
    [["ik", "type 144"], ["w", "F32"]],
  );
});

Deno.test("only work on a tensor of a type that is not known fails", async () => {
  await withFolder(async (path) => {
    const call = ["quantize", type144, "-o", path("m.gguf"), "--format"];
    const { code } = await run(...call, "q4_0", "--all");
    assertEquals(code, 0);
    const before = await openTensorFile(type144);
    const after = await openTensorFile(path("m.gguf"));
    assertEquals(await bytesOf(after, "ik"), await bytesOf(before, "ik"));
    assertEquals(
      after.tensors.map(({ name, dtype }) => [name, dtype]),
      [["ik", "type 144"], ["w", "Q4_0"]],
    );
    await before.source.close();
    await after.source.close();

    const floats = path("m.safetensors");
    const refused = await run("dequantize", path("m.gguf"), "-o", floats);
    assertEquals(refused.code, 1);
    assertStringIncludes(
      refused.err,
      'Cannot dequantize tensor "ik": its ggml type 144 is not known here; leave it out with --skip',
    );
    const rest = await run(
      ...["dequantize", path("m.gguf"), "-o", floats, "--skip", "ik"],
    );
    assertEquals(rest.code, 0, rest.err);
  });
});

const llama = await openLlama();
const ggml = await openGgml();

Deno.test({
  name:
    "a Q4_K_M of llama.cpp's own opens with the values that native ggml reads",
  ignore: llama === undefined || ggml === undefined,
  fn: () =>
    withFolder(async (path) => {
      await writeTinyLlama(path("f32.gguf"));
      const q4KM = 15;
      llama!.quantize(path("f32.gguf"), path("q4_k_m.gguf"), q4KM);
      await json(
        ...["dequantize", path("q4_k_m.gguf"), "-o", path("m.safetensors")],
      );
      const before = await openTensorFile(path("q4_k_m.gguf"));
      const after = await openTensorFile(path("m.safetensors"));
      const dtypes = new Set(before.tensors.map(({ dtype }) => dtype));
      assert(dtypes.has("Q4_K") && dtypes.has("Q6_K"), [...dtypes].join());
      for (const { name, dtype } of before.tensors) {
        const actual = new Float32Array((await bytesOf(after, name)).buffer);
        if (dtype === "F32") continue;
        const expected = new Float32Array(actual.length);
        ggml!.dequantize(
          dtype,
          Uint8Array.from(await bytesOf(before, name)),
          expected,
        );
        assertEquals(bits(actual), bits(expected), name);
      }
      await before.source.close();
      await after.source.close();
    }),
});
