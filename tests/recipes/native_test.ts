/** Whole files, byte for byte: every recipe on models of the architectures whose rules differ. */
import { assert, assertEquals } from "@std/assert";
import { GgufValue } from "../../src/files/gguf_value.ts";
import type { Importance } from "../../src/files/imatrix.ts";
import type { GgufTensor } from "../../src/files/gguf_write.ts";
import { recipes } from "../../src/ggml/recipe_list.ts";
import { withFolder } from "../files/temporary_folder.ts";
import { openLlama } from "../peers/llama.ts";
import { judge } from "./judge.ts";
import { layersOf, matrix, type Model, weights, writeModel } from "./models.ts";

const llama = await openLlama();
const ignore = llama === undefined;

const [wide, narrow] = [512, 256];

/** A layer of attention and a feed-forward network, as most architectures name them. */
function plainLayer(of: (name: string) => string, rows = 8): GgufTensor[] {
  return [
    matrix(of("attn_norm"), [narrow]),
    matrix(of("attn_q"), [rows, narrow]),
    matrix(of("attn_k"), [rows, narrow]),
    matrix(of("attn_v"), [rows, narrow]),
    matrix(of("attn_output"), [rows, narrow]),
    matrix(of("ffn_norm"), [narrow]),
    matrix(of("ffn_gate"), [rows, narrow]),
    matrix(of("ffn_up"), [rows, narrow]),
    matrix(of("ffn_down"), [rows, wide]),
  ];
}

const ends = [
  matrix("token_embd", [16, narrow]),
  matrix("output_norm", [narrow]),
  matrix("output", [16, narrow]),
];

const experts = (of: (name: string) => string, count: number) => [
  ...plainLayer(of).filter(({ name }) => !/ffn_(gate|up|down)/.test(name)),
  matrix(of("ffn_gate_inp"), [count, narrow]),
  matrix(of("ffn_gate_exps"), [count, 4, narrow]),
  matrix(of("ffn_up_exps"), [count, 4, narrow]),
  matrix(of("ffn_down_exps"), [count, 4, wide]),
];

const models: Readonly<Record<string, Model>> = {
  "a llama of 8 layers, 4 heads to a key": {
    architecture: "llama",
    layers: 8,
    heads: 8,
    keyHeads: 2,
    tensors: [...ends, ...layersOf(8, plainLayer)],
  },
  "a llama of 17 layers and a key for each head": {
    architecture: "llama",
    layers: 17,
    heads: 8,
    keyHeads: 8,
    tensors: [...ends, ...layersOf(17, (of) => plainLayer(of, 2))],
  },
  "a llama of 80 layers": {
    architecture: "llama",
    layers: 80,
    heads: 8,
    keyHeads: 1,
    tensors: [
      ...ends,
      ...layersOf(
        80,
        (of) => [matrix(of("attn_v"), [1, narrow].map((n) => n === 1 ? 2 : n))],
      ),
    ],
  },
  "eight experts": {
    architecture: "llama",
    layers: 8,
    heads: 8,
    keyHeads: 2,
    experts: 8,
    tensors: [...ends, ...layersOf(8, (of) => experts(of, 8))],
  },
  "four experts of qwen": {
    architecture: "qwen3moe",
    layers: 8,
    heads: 8,
    keyHeads: 2,
    experts: 4,
    values: [[
      "qwen3moe.expert_feed_forward_length",
      GgufValue.of("u32", wide),
    ]],
    tensors: [...ends, ...layersOf(8, (of) => experts(of, 4))],
  },
  "a gemma, whose embedding is the output": {
    architecture: "gemma2",
    layers: 8,
    heads: 8,
    keyHeads: 4,
    values: [["gemma2.attention.sliding_window", GgufValue.of("u32", 64)]],
    tensors: [
      ...ends.slice(0, 2),
      ...layersOf(8, (of) => [
        ...plainLayer(of),
        matrix(of("post_attention_norm"), [narrow]),
        matrix(of("post_ffw_norm"), [narrow]),
      ]),
    ],
  },
  "a qwen with biases": {
    architecture: "qwen2",
    layers: 8,
    heads: 8,
    keyHeads: 2,
    tensors: [
      ...ends,
      ...layersOf(8, (of) => [
        ...plainLayer(of),
        { name: of("attn_q.bias"), shape: [8], dtype: "F32" },
        { name: of("attn_k.bias"), shape: [8], dtype: "F32" },
      ]),
    ],
  },
  "a falcon": {
    architecture: "falcon",
    layers: 16,
    heads: 8,
    keyHeads: 1,
    tensors: [
      ...ends,
      ...layersOf(16, (of) => [
        matrix(of("attn_norm"), [narrow]),
        matrix(of("attn_qkv"), [4, narrow]),
        matrix(of("attn_output"), [4, narrow]),
        matrix(of("ffn_up"), [4, narrow]),
        matrix(of("ffn_down"), [4, wide]),
      ]),
    ],
  },
  "rows that do not divide by 256": {
    architecture: "llama",
    layers: 8,
    heads: 8,
    keyHeads: 2,
    tensors: [
      matrix("token_embd", [16, 96]),
      matrix("output", [16, 96]),
      ...layersOf(8, (of) => [
        matrix(of("attn_q"), [4, 96]),
        matrix(of("attn_v"), [4, 96]),
        matrix(of("ffn_down"), [4, 32]),
      ]),
    ],
  },
  "sixteen bits and quantized sources": {
    architecture: "llama",
    layers: 8,
    heads: 8,
    keyHeads: 2,
    tensors: [
      matrix("token_embd", [16, narrow], "BF16"),
      matrix("output", [16, narrow], "F16"),
      ...layersOf(8, (of) => [
        matrix(of("attn_norm"), [narrow], "F16"),
        matrix(of("attn_q"), [8, narrow], "BF16"),
        matrix(of("attn_k"), [8, narrow], "Q8_0"),
        matrix(of("attn_v"), [8, narrow], "Q6_K"),
        matrix(of("attn_output"), [8, narrow], "Q4_K"),
        matrix(of("ffn_up"), [8, narrow], "Q5_0"),
        matrix(of("ffn_down"), [8, wide], "Q5_K"),
      ]),
    ],
  },
};

/** Tensors that do not fit into memory at once, as far as the work is concerned. */
const large: Model = {
  architecture: "llama",
  layers: 1,
  heads: 8,
  keyHeads: 2,
  experts: 4,
  tensors: [
    matrix("output", [700, 768], "F16"),
    matrix("blk.0.attn_norm", [600_000]),
    matrix("blk.0.attn_v", [700, 768]),
    matrix("blk.0.ffn_down_exps", [3, 700, 256], "BF16"),
  ],
};

/** Tensors that no rule of attention is about, and names that are never quantized. */
const odd: Model = {
  architecture: "llama",
  layers: 2,
  heads: 8,
  keyHeads: 2,
  values: [
    ["x.text", GgufValue.of("string", "before\0behind")],
    ["x.texts", GgufValue.array("string", ["a\0b", "", "cd"])],
    ["general.quantization_version", GgufValue.of("u32", 1)],
    ["split.count", GgufValue.of("u16", 1)],
    ["x.last", GgufValue.of("u8", 3)],
  ],
  tensors: [
    "position_embd",
    "token_types",
    "blk.0.ssm_conv1d",
    "blk.1.time_mix_w1",
    "blk.0.ffn_gate_inp",
    "blk.0.altup_proj",
    "blk.1.laurel_l",
    "per_layer_model_proj",
    "blk.0.attn_rel_b",
    "v.position_embd",
    "cls",
    "blk.0.ffn_gate_tid2eid",
    "blk.1.indexer.k_proj",
    "blk.1.shortconv.conv",
    "blk.1.x_norm",
    "v.patch_embd",
    "a.rvq.codebook.0",
    "blk.10.x",
    "blk.2.x",
    "per_layer_token_embd",
    "blk.0.attn_kv_b",
    "é",
    "z",
    "Z",
  ].map((name) => matrix(name, [4, narrow])).concat([
    { name: "abcde", shape: [4, narrow], dtype: "F32" },
    { name: "no_ending", shape: [4, narrow], dtype: "F32" },
    { name: "one.weight", shape: [1, 1, narrow], dtype: "F32" },
    { name: "single.weight", shape: [], dtype: "F32" },
    { name: "three.weight", shape: [3, 1, narrow], dtype: "F32" },
    { name: "numbers", shape: [4, narrow], dtype: "I32" },
  ]),
};

/** Weights for every matrix, as llama-imatrix has none for embeddings and the output. */
function importanceOf({ tensors }: Model): Importance {
  const entries = new Map<string, Float32Array>();
  for (const [i, { name, shape }] of tensors.entries()) {
    if (shape.length < 2 || /^(token_embd|output)\./.test(name)) continue;
    const count = shape.at(-1)! * (shape.at(-3) ?? 1);
    entries.set(name, weights(i, count, 4).map((x) => x * x));
  }
  return {
    name: "made-up.imatrix.gguf",
    container: "gguf",
    entries,
    datasets: ["calibration.txt", "more.txt"],
    chunks: 7,
    chunkSize: 512,
  };
}

async function withModel(
  model: Model,
  work: (path: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (inFolder) => {
    const path = inFolder("model.gguf");
    await writeModel(path, model);
    await work(path);
  });
}

for (const [what, model] of Object.entries(models)) {
  Deno.test(`every recipe makes of ${what} what llama.cpp makes of it`, {
    ignore,
  }, async () => {
    await withModel(model, async (path) => {
      const importance = importanceOf(model);
      const seen = new Set<string>();
      for (const recipe of recipes.keys()) {
        const types = await judge(llama!, path, recipe);
        for (const type of types.values()) seen.add(type);
        await judge(llama!, path, recipe, { importance });
      }
      assert(seen.size > 3, [...seen].join());
    });
  });
}

Deno.test("odd names and shapes are kept or quantized as llama.cpp does", {
  ignore,
}, async () => {
  await withModel(odd, async (path) => {
    for (const recipe of recipes.keys()) await judge(llama!, path, recipe);
    const types = await judge(llama!, path, "Q4_0");
    assertEquals(types.get("position_embd.weight"), "F32");
    assertEquals(types.get("abcde"), "Q4_0");
    assertEquals(types.get("numbers"), "I32");
  });
});

const llamaModel = models["a llama of 8 layers, 4 heads to a key"];

Deno.test("--pure, types and patterns depart from a recipe as in llama.cpp", {
  ignore,
}, async () => {
  const tied = models["a gemma, whose embedding is the output"];
  for (const model of [llamaModel, tied, models["eight experts"]]) {
    await withModel(model, async (path) => {
      for (const recipe of ["Q4_K_M", "Q4_0", "IQ4_XS"] as const) {
        await judge(llama!, path, recipe, { pure: true });
        await judge(llama!, path, recipe, { keepOutput: true });
        await judge(llama!, path, recipe, { outputType: "Q5_0" });
        await judge(llama!, path, recipe, { embeddingType: "Q8_0" });
        await judge(llama!, path, recipe, {
          outputType: "F16",
          embeddingType: "BF16",
        });
        await judge(llama!, path, recipe, {
          overrides: [
            { pattern: "blk\\.[0-3]\\.attn_v", type: "Q8_0" },
            { pattern: "attn_v|ffn_down", type: "Q5_1" },
            { pattern: "attn_output", type: "F32" },
          ],
          importance: importanceOf(model),
        });
      }
    });
  }
});

Deno.test(
  "a complete BERT keeps what llama.cpp keeps",
  { ignore },
  async () => {
    const source = new URL(
      "../vectors/cases/tinybert-f32.gguf",
      import.meta.url,
    );
    await withFolder(async (inFolder) => {
      const path = inFolder("bert.gguf");
      await Deno.copyFile(source, path);
      for (const recipe of recipes.keys()) {
        const types = await judge(llama!, path, recipe);
        assertEquals(types.get("token_types.weight"), "F32");
        assertEquals(types.get("position_embd.weight"), "F32");
      }
    });
  },
);

Deno.test(
  "an encoder of images has no layers that count",
  { ignore },
  async () => {
    const clip: Model = {
      architecture: "clip",
      layers: 8,
      heads: 8,
      keyHeads: 2,
      tensors: ["v.blk.0.attn_q", "v.blk.0.attn_v", "v.blk.0.ffn_down", "mm.0"]
        .map((name) => matrix(name, [4, narrow])),
    };
    await withModel(clip, async (path) => {
      // llama.cpp aborts by IQ4_NL and IQ4_XS: it asks for heads that are not there.
      for (const recipe of ["Q4_0", "Q4_K_S", "Q4_K_M", "MXFP4_MOE"] as const) {
        await judge(llama!, path, recipe);
      }
    });
  },
);

Deno.test(
  "large tensors are cut into pieces that do not show",
  { ignore },
  async () => {
    await withModel(large, async (path) => {
      const importance = importanceOf(large);
      for (const recipe of ["Q4_0", "Q4_K_M"] as const) {
        await judge(llama!, path, recipe);
        await judge(llama!, path, recipe, { importance });
      }
    });
  },
);
