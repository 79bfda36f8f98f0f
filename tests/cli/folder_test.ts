// A folder in, a folder out: the same shards, index and config that fit, the
// other files beside them, and nothing at all where something fails.

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import {
  cp,
  mkdir,
  readdir,
  readFile,
  symlink,
  writeFile,
} from "node:fs/promises";
import { readFloats } from "../../src/files/floats.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { quantize } from "../../src/quantize.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { casePath, json, run, safetensorsBytes } from "./support.ts";

const INDEX = "model.safetensors.index.json";
const FIRST = "model-00001-of-00002.safetensors";
const SECOND = "model-00002-of-00002.safetensors";
const CONFIG = `{
  "architectures": [
    "LlamaForCausalLM"
  ],
  "rope_theta": 10000.0,
  "eps": 1e-05
}
`;

type Path = (name: string) => string;

/** A copy of a real folder of two shards, with files that go along and some that do not. */
async function withCheckpoint(test: (path: Path) => Promise<void>) {
  await withFolder(async (path) => {
    await cp(casePath("c05_hf"), path("hf"), { recursive: true });
    await writeFile(path("hf/config.json"), CONFIG);
    await writeFile(path("hf/tokenizer.json"), "{}");
    await mkdir(path("hf/1_Pooling"));
    await writeFile(path("hf/1_Pooling/config.json"), '{"pooling": 1}');
    await writeFile(path("hf/pytorch_model.bin"), "weights");
    await writeFile(path("hf/.hidden"), "");
    await writeFile(path("token"), "of the cache");
    await symlink(path("token"), path("hf/merges.txt"));
    await test(path);
  });
}

async function parsed(path: string) {
  return JSON.parse(await readFile(path, "utf8"));
}

Deno.test("a folder is quantized into a folder, and back", async () => {
  await withCheckpoint(async (path) => {
    const flags = ["--format", "gptq", "--group-size", "32", "--all"];
    const done = await json("quantize", path("hf"), "-o", path("q/"), ...flags);
    assertEquals(done.tensors.length, 4);
    assertEquals(done.warnings, [
      "other weights of the folder are not copied: pytorch_model.bin",
    ]);
    assertEquals((await readdir(path("q"))).sort(), [
      "1_Pooling",
      "config.json",
      "merges.txt",
      FIRST,
      SECOND,
      INDEX,
      "quantize_config.json",
      "tokenizer.json",
    ]);
    assertEquals(
      await readFile(path("q/1_Pooling/config.json"), "utf8"),
      '{"pooling": 1}',
    );
    const { metadata, weight_map } = await parsed(path(`q/${INDEX}`));
    const parts = ["g_idx", "qweight", "qzeros", "scales"];
    const shards: [string, string][] = [
      ["lm_head", SECOND],
      ["model.embed_tokens", FIRST],
      ["model.layers.0.self_attn.q_proj", FIRST],
      ["model.layers.1.self_attn.q_proj", SECOND],
    ];
    assertEquals(
      Object.entries(weight_map),
      shards.flatMap(([stem, shard]) =>
        parts.map((part): [string, string] => [`${stem}.${part}`, shard])
      ),
    );
    const file = await openTensorFile(path("q"));
    await file.source.close();
    assertEquals(
      metadata.total_size,
      file.tensors.reduce((sum, { byteLength }) => sum + byteLength, 0),
    );
    const config = await readFile(path("q/config.json"), "utf8");
    assertStringIncludes(config, CONFIG.slice(0, -3));
    const { quantization_config } = JSON.parse(config);
    const { quant_method, group_size } = quantization_config;
    assertEquals([quant_method, group_size], ["gptq", 32]);
    assertEquals(
      await parsed(path("q/quantize_config.json")),
      quantization_config,
    );

    // As other programs see it: names and the config alone.
    const inspected = await json("inspect", path("q"));
    assertEquals(
      inspected.tensors.map((t: { name: string; format: string }) => [
        t.name,
        t.format,
      ]).sort(),
      shards.map(([stem]) => [`${stem}.weight`, "gptq"]),
    );
    await json("dequantize", path("q"), "-o", path("f/"));
    assertEquals(await readFile(path("f/config.json"), "utf8"), CONFIG);
    const left = await readdir(path("f"));
    assert(!left.includes("quantize_config.json"), left.join());
    const before = await parsed(path(`hf/${INDEX}`));
    const after = await parsed(path(`f/${INDEX}`));
    assertEquals(after, before);
    const one = path("one.safetensors");
    await json("dequantize", path("q"), "-o", one);
    const same = await json("compare", one, path("f"));
    assertEquals(same.tensors.length, 4);
    assertEquals(same.problems, []);
    assertEquals(
      same.tensors.every((t: { mae: number }) => t.mae === 0),
      true,
    );
  });
});

Deno.test("shards hold what one file would, tensor by tensor", async () => {
  await withCheckpoint(async (path) => {
    const input = path(`hf/${INDEX}`);
    await json("quantize", input, "-o", path("q/"));
    await json("quantize", input, "-o", path("q.safetensors"));
    const [folder, file] = await Promise.all(
      [path("q"), path("q.safetensors")].map((p) => openTensorFile(p)),
    );
    assertEquals(folder.tensors.length, file.tensors.length);
    for (const entry of folder.tensors) {
      const there = file.tensors.find(({ name }) => name === entry.name)!;
      const [a, b] = [0, 0].map(() => new Uint8Array(entry.byteLength));
      await folder.source.read(entry.offset, a);
      await file.source.read(there.offset, b);
      assertEquals(a, b, entry.name);
    }
    await folder.source.close();
    await file.source.close();
  });
});

Deno.test("what no config can tell is warned of, and an old one goes", async () => {
  await withCheckpoint(async (path) => {
    await json("quantize", path("hf"), "-o", path("q/"), "--format", "gptq");
    const done = await json(
      ...["convert", path("q"), "-o", path("i/"), "--format", "int4"],
      ...["--requantize"],
    );
    assertStringIncludes(
      done.warnings.join(),
      "config.json says nothing of quantization: no library knows int4 by one",
    );
    assertEquals(await readFile(path("i/config.json"), "utf8"), CONFIG);
  });
});

Deno.test("a folder of one file stays one, without an index", async () => {
  await withFolder(async (path) => {
    await mkdir(path("in"));
    const data = new Float32Array(64).fill(1);
    await writeFile(
      path("in/model.safetensors"),
      safetensorsBytes([{ name: "a", dtype: "F32", shape: [2, 32], data }]),
    );
    await json("quantize", path("in"), "-o", path("out/"));
    assertEquals(await readdir(path("out")), ["model.safetensors"]);
  });
});

Deno.test("a folder is no output for a file, nor where something is", async () => {
  await withCheckpoint(async (path) => {
    const shard = path(`hf/${FIRST}`);
    const cases: [call: string[], message: RegExp][] = [
      [[shard, "-o", path("q/")], /is not the folder of a checkpoint/],
      [[path("hf"), "-o", path("hf/")], /exists already and is not empty/],
      [[path("hf"), "-o", path("hf/q/")], /is in the input/],
      [[path("hf"), "-o", path("hf/q.safetensors")], /is in the input/],
      [[path("hf"), "-o", path("none/q/")], /no such file or directory/],
      [[path("hf"), "-o", path("token") + "/"], /exists already as a file/],
    ];
    for (const [call, message] of cases) {
      const { code, err } = await run("quantize", ...call, "--force");
      assertEquals(code, 1, call.join(" "));
      assertMatch(err, message);
    }
    assertEquals((await readdir(path("."))).sort(), ["hf", "token"]);
    await mkdir(path("q"));
    await json("quantize", path("hf"), "-o", path("q/"));
    assertEquals((await readdir(path("."))).sort(), ["hf", "q", "token"]);
  });
});

Deno.test("nothing is left of a folder that fails", async () => {
  await withCheckpoint(async (path) => {
    const data = new Float32Array(64).fill(NaN);
    await mkdir(path("in"));
    await writeFile(
      path("in/model.safetensors"),
      safetensorsBytes([{ name: "a", dtype: "F32", shape: [2, 32], data }]),
    );
    const { code } = await run("quantize", path("in"), "-o", path("out/"));
    assertEquals(code, 1);
    assertEquals((await readdir(path("."))).sort(), ["hf", "in", "token"]);
  });
});

Deno.test("a config of eight-bit floats stays with them", async () => {
  await withFolder(async (path) => {
    await mkdir(path("in"));
    const quantization_config = { quant_method: "fp8" };
    await writeFile(
      path("in/config.json"),
      JSON.stringify({ quantization_config }),
    );
    const own = path("in/hf_quant_config.json");
    await writeFile(own, JSON.stringify(quantization_config));
    await writeFile(
      path("in/model.safetensors"),
      safetensorsBytes([
        {
          ...{ name: "a.weight", dtype: "F8_E4M3", shape: [2, 32] },
          data: new Uint8Array(64).fill(0x38),
        },
        {
          ...{ name: "a.weight_scale", dtype: "F32", shape: [] },
          data: Float32Array.of(0.5),
        },
        {
          ...{ name: "b.weight", dtype: "F32", shape: [2, 32] },
          data: new Float32Array(64).fill(1),
        },
      ]),
    );
    const some = ["--tensors", "b.*"];
    const done = await json("quantize", path("in"), "-o", path("q/"), ...some);
    assertStringIncludes(done.warnings.join(), "config.json stays as it is");
    assertEquals(await parsed(path("q/config.json")), { quantization_config });
    assertEquals(
      await parsed(path("q/hf_quant_config.json")),
      quantization_config,
    );
    await json("dequantize", path("in"), "-o", path("f/"));
    assertEquals(await parsed(path("f/config.json")), {});
    assert(!(await readdir(path("f"))).includes("hf_quant_config.json"));
  });
});

Deno.test("a folder, or its index, becomes one GGUF or several, names kept", async () => {
  await withCheckpoint(async (path) => {
    // Of no architecture: llama.cpp has no other names for its tensors.
    await writeFile(path("hf/config.json"), "{}");
    const call = (input: string, output: string) => [
      ...["quantize", path(input), "-o", path(output), "--format", "q4_0"],
      ...["--meta", "general.architecture=llama"],
    ];
    await json(...call("hf", "one.gguf"));
    await json(...call(`hf/${INDEX}`, "two.gguf"));
    const bytes = await readFile(path("one.gguf"));
    assertEquals(await readFile(path("two.gguf")), bytes);
    const { output } = await json(
      ...[...call("hf", "m.gguf"), "--split-max-tensors", "3"],
    );
    assertEquals(output.length, 2);
    const model = await openTensorFile(path("hf"));
    const whole = await openTensorFile(path("one.gguf"));
    const parts = await openTensorFile(output[1]);
    assertEquals(
      whole.tensors.map(({ name, dtype }) => [name, dtype]),
      model.tensors.map(({ name }) => [name, "Q4_0"]),
    );
    for (const [i, entry] of model.tensors.entries()) {
      const values = new Float32Array(entry.shape[0] * entry.shape[1]);
      await readFloats(model, entry, 0, values);
      const { shape } = entry;
      const { parts: { blocks } } = quantize(values, { format: "q4_0", shape });
      for (const file of [whole, parts]) {
        const { name, offset, byteLength } = file.tensors[i];
        const found = new Uint8Array(byteLength);
        await file.source.read(offset, found);
        assertEquals([name, found], [entry.name, blocks.data]);
      }
    }
    for (const file of [model, whole, parts]) await file.source.close();
    const inside = await run(...call("hf", "hf/m.gguf"));
    assertEquals(inside.code, 1);
    assertStringIncludes(inside.err, "choose another place");
  });
});
