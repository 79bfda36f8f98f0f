// A checkpoint for a library: only what it has layers for is quantized, and its
// config names what is not.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { readdir, readFile } from "node:fs/promises";
import { json, run } from "../cli/support.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { LINEAR, writeLlama } from "./llama_folder.ts";

type Json = Record<string, unknown>;

const HEAD = "lm_head", EMBEDDINGS = "model.embed_tokens";
const GATE = "model.layers.1.mlp.gate_proj";
/** One of the linear modules stays, too. */
const SKIP = ["--skip", `${GATE}.weight`];

async function parsed(path: string): Promise<Json> {
  return JSON.parse(await readFile(path, "utf8"));
}

/** Quantizes a llama, and gives the settings that are written. */
async function made(
  flags: string[],
  tied = false,
): Promise<{ names: string[]; settings: Json; files: Record<string, Json> }> {
  let found!: { names: string[]; settings: Json; files: Record<string, Json> };
  await withFolder(async (path) => {
    await writeLlama(path("in"), tied);
    const call = ["quantize", path("in"), "-o", path("out/"), ...flags];
    const { tensors } = await json(...call);
    const files: Record<string, Json> = {};
    for (const name of await readdir(path("out"))) {
      if (/quant/.test(name)) files[name] = await parsed(path(`out/${name}`));
    }
    const config = await parsed(path("out/config.json"));
    found = {
      names: tensors.map(({ name }: { name: string }) => name),
      settings: config.quantization_config as Json,
      files,
    };
    // Whoever reads the config finds what the tensors are.
    const { tensors: seen } = await json("inspect", path("out"));
    assertEquals(
      seen.filter((t: Json) => t.format).map((t: Json) => t.name).sort(),
      [...found.names].sort(),
    );
  });
  return found;
}

/** Where the library reads what is not quantized, with these names. */
const FLOATS: readonly (readonly [
  format: string,
  floats: (config: Json) => unknown,
])[] = [
  ["awq", (c) => c.modules_to_not_convert],
  ["compressed_tensors", (c) => c.ignore],
  ["mxfp4_ct", (c) => c.ignore],
  ["nvfp4_ct", (c) => c.ignore],
  ["nf4", (c) => c.llm_int8_skip_modules],
  ["fp4", (c) => c.llm_int8_skip_modules],
  ["int4_modelopt", (c) => c.ignore],
  ["mxfp4_modelopt", (c) => c.ignore],
  ["nvfp4_modelopt", (c) => c.ignore],
  ["mxfp4_torchao", (c) => c.modules_to_not_convert],
  ["nvfp4_torchao", (c) => c.modules_to_not_convert],
];

for (const [format, floats] of FLOATS) {
  Deno.test(`${format}: what its library leaves is left and named, --all takes it`, async () => {
    const some = await made(["--format", format, ...SKIP]);
    assertEquals(some.names.length, 2 * LINEAR.length - 1);
    assertEquals(floats(some.settings), [HEAD, GATE]);
    const all = await made(["--format", format, "--all"]);
    assertEquals(
      [EMBEDDINGS, HEAD].every((name) => all.names.includes(`${name}.weight`)),
      true,
    );
    assertEquals(floats(all.settings) ?? [], []);
  });
}

Deno.test("a head that has the weight of the embeddings is named, though it is not there", async () => {
  const { settings, names } = await made(["--format", "nf4"], true);
  assertEquals(names.length, 2 * LINEAR.length);
  assertEquals(settings.llm_int8_skip_modules, [HEAD]);
});

Deno.test("gptq: the head has a member of its own, others are patterns", async () => {
  const some = await made(["--format", "gptq", ...SKIP]);
  assertEquals(some.settings.lm_head, false);
  assertEquals(some.settings.dynamic, {
    "-:^model\\.layers\\.1\\.mlp\\.gate_proj$": {},
  });
  assertEquals(some.files, { "quantize_config.json": some.settings });
  const head = ["--tensors", "lm_head*", "--tensors", "*proj*"];
  const { settings, names } = await made(["--format", "gptq", ...head]);
  assertEquals(names.includes("lm_head.weight"), true);
  assertEquals([settings.lm_head, settings.dynamic], [true, undefined]);
});

Deno.test("awq: GPTQModel is told the same as it reads it", async () => {
  const { settings } = await made(["--format", "awq", ...SKIP]);
  assertEquals(settings.lm_head, false);
  assertEquals(settings.dynamic, {
    "-:^model\\.layers\\.1\\.mlp\\.gate_proj$": {},
  });
});

Deno.test("mlx: embeddings and the head are quantized, what is not is false", async () => {
  const { settings, names } = await made(["--format", "mlx", ...SKIP]);
  assertEquals(names.length, 2 * LINEAR.length + 1);
  assertEquals(settings, {
    ...{ group_size: 64, bits: 4, mode: "affine", [GATE]: false },
  });
});

Deno.test("hqq: what is not quantized is named without the number of the layer", async () => {
  const { settings } = await made(["--format", "hqq", ...SKIP]);
  assertEquals(settings.skip_modules, [HEAD, "mlp.gate_proj"]);
});

Deno.test("modelopt: a file of its own says the same", async () => {
  const some = await made(["--format", "nvfp4_modelopt", ...SKIP]);
  assertEquals(some.settings.quant_algo, "W4A16_NVFP4");
  const { quantization } = some.files["hf_quant_config.json"] as {
    quantization: Json;
  };
  assertEquals(quantization, {
    quant_algo: "W4A16_NVFP4",
    kv_cache_quant_algo: null,
    group_size: 16,
    exclude_modules: [HEAD, GATE],
  });
});

Deno.test("what is left is told, and a file that is no checkpoint is quantized whole", async () => {
  await withFolder(async (path) => {
    await writeLlama(path("in"));
    const call = ["quantize", path("in"), "--format", "nf4", "-o"];
    const folder = await run(...call, path("out/"));
    assertStringIncludes(
      folder.out,
      "(model.embed_tokens.weight, lm_head.weight): kept, as what loads nf4 has layers for linear modules inside the model only, unless --tensors or --all chooses it",
    );
    const { tensors } = await json(...call, path("out.safetensors"));
    assertEquals(tensors.length, 2 * LINEAR.length + 2);
  });
});
