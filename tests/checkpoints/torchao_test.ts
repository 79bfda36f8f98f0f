// torchao finds tensors by __metadata__: a class for each, in every shard.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { readFile } from "node:fs/promises";
import { type Given, json, run, safetensorsBytes } from "../cli/support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { writeLlama } from "./llama_folder.ts";
import { writeFile } from "node:fs/promises";

async function metadataOf(path: string): Promise<Record<string, string>> {
  const bytes = await readFile(path);
  const size = Number(bytes.readBigUInt64LE(0));
  return JSON.parse(bytes.toString("utf8", 8, 8 + size)).__metadata__ ?? {};
}

async function done(...args: string[]): Promise<void> {
  const { code, err } = await run(...args);
  assertEquals(code, 0, err);
}

const UP = "model.layers.0.mlp.up_proj.weight", NORM = "model.norm.weight";
const SHARDS = [1, 2].map((n) => `model-0000${n}-of-00002.safetensors`);

Deno.test("torchao: every shard tells the class of every tensor, and nothing of it stays behind", async () => {
  await withFolder(async (path) => {
    await writeLlama(path("in"));
    await done(
      "quantize",
      path("in"),
      "-o",
      path("q/"),
      "--format",
      "mxfp4_torchao",
    );
    const [first, second] = await Promise.all(
      SHARDS.map((name) => metadataOf(path(`q/${name}`))),
    );
    const names = JSON.parse(first.tensor_names);
    assertEquals(names.length, 21);
    for (const name of ["tensor_names", ...names]) {
      assertEquals(first[name], second[name], name);
    }
    assertEquals(JSON.parse(first[NORM]), { _type: "Tensor" });
    const { _type, _data, _tensor_data_names } = JSON.parse(first[UP]);
    assertEquals(_type, "MXTensor");
    assertEquals(_data.orig_dtype, { _type: "torch.dtype", _data: "bfloat16" });
    assertEquals(_data.is_swizzled_scales, false);
    assertEquals(_tensor_data_names, ["qdata", "scale"]);
    const { metadata } = await json("inspect", path("q"));
    assertEquals(metadata, { format: "pt" });

    await done("dequantize", path("q"), "-o", path("f/"));
    assertEquals(await metadataOf(path(`f/${SHARDS[0]}`)), { format: "pt" });
    // What torchao itself says is replaced by what is so now.
    const to = ["--format", "nvfp4_torchao", "--requantize"];
    await done("convert", path("q"), "-o", path("n/"), ...to);
    const changed = await metadataOf(path(`n/${SHARDS[1]}`));
    assertEquals(JSON.parse(changed[UP])._type, "NVFP4Tensor");
    assertEquals(JSON.parse(changed[UP])._tensor_data_names, [
      "per_tensor_scale",
      "qdata",
      "scale",
    ]);
  });
});

Deno.test("metadata that only looks like torchao's is kept", async () => {
  await withFolder(async (path) => {
    const data = Float32Array.from({ length: 64 }, (_, i) => i);
    const tensors: Given[] = [
      { name: "a.weight", dtype: "F32", shape: [2, 32], data },
    ];
    const kept = { tensor_names: "not a list", "a.weight": "mine" };
    await writeFile(path("in.safetensors"), safetensorsBytes(tensors, kept));
    const call = ["quantize", path("in.safetensors"), "--format", "int4"];
    await done(...call, "-o", path("out.safetensors"));
    const { nibblewise: _, ...rest } = await metadataOf(
      path("out.safetensors"),
    );
    assertEquals(rest, kept);
  });
});

Deno.test("what a layer has beside its weight is warned of where the weight changes", async () => {
  await withFolder(async (path) => {
    const given = (name: string, ...shape: number[]): Given => ({
      name,
      dtype: "F32",
      shape,
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5),
    });
    const beside = [
      given("a.pre_quant_scale", 64),
      given("a.input_scale"),
      given("b.input_scale"),
    ];
    const plain = [given("a.weight", 2, 64), ...beside];
    await writeFile(path("in.safetensors"), safetensorsBytes(plain));
    const quantize = ["quantize", path("in.safetensors"), "-o"];
    const first = await run(
      ...[...quantize, path("q.safetensors"), "--format", "int4_modelopt"],
      ...["--group-size", "32"],
    );
    // Floats that are quantized never had a layer of that kind.
    assertEquals([first.code, first.err.includes("pre_quant_scale")], [
      0,
      false,
    ]);
    const back = await run(
      ...["dequantize", path("q.safetensors"), "-o", path("f.safetensors")],
    );
    assertStringIncludes(
      back.err,
      '"a.pre_quant_scale" copied: layers compute with pre_quant_scale beside their weights, and come out wrong where a loader does not know it',
    );
    assertStringIncludes(
      back.err,
      `"a.input_scale" copied: input_scale quantizes the inputs of layers that are in another format now; --drop '*.input_scale' leaves it out`,
    );
    assertEquals(back.err.includes("b.input_scale"), false);
    const without = await run(
      ...["dequantize", path("q.safetensors"), "-o", path("g.safetensors")],
      ...["--drop", "*.input_scale", "--drop", "*.pre_quant_scale"],
    );
    assertEquals([without.code, without.err], [0, ""]);
  });
});
