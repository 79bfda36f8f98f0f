/**
 * The folder of a small made-up llama as Hugging Face keeps it, in two shards.
 *
 * @module
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Given, safetensorsBytes, weightLike } from "../cli/support.ts";

const hidden = 256, inner = 512, vocabulary = 64, layers = 2;

/** The matrices of a layer that libraries quantize. */
export const LINEAR: readonly (readonly [
  name: string,
  rows: number,
  columns: number,
])[] = [
  ["self_attn.q_proj", hidden, hidden],
  ["self_attn.k_proj", hidden / 2, hidden],
  ["self_attn.v_proj", hidden / 2, hidden],
  ["self_attn.o_proj", hidden, hidden],
  ["mlp.gate_proj", inner, hidden],
  ["mlp.up_proj", inner, hidden],
  ["mlp.down_proj", hidden, inner],
];

/** Its config, as transformers reads it. */
export const CONFIG = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: hidden,
  intermediate_size: inner,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_hidden_layers: layers,
  vocab_size: vocabulary,
  max_position_embeddings: 128,
  hidden_act: "silu",
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: false,
  torch_dtype: "float32",
};

function matrix(name: string, rows: number, columns: number): Given {
  const data = weightLike(rows, columns);
  return { name: `${name}.weight`, dtype: "F32", shape: [rows, columns], data };
}

function norm(name: string): Given {
  const data = new Float32Array(hidden).fill(1);
  return { name: `${name}.weight`, dtype: "F32", shape: [hidden], data };
}

/**
 * Writes the folder.
 *
 * @param folder Where; it must not exist.
 * @param tied Whether the head is that of the embeddings, and not in the file.
 */
export async function writeLlama(folder: string, tied = false): Promise<void> {
  const inLayer = (no: number): Given[] => {
    const layer = `model.layers.${no}`;
    return [
      ...["input_layernorm", "post_attention_layernorm"].map((name) =>
        norm(`${layer}.${name}`)
      ),
      ...LINEAR.map(([name, ...size]) => matrix(`${layer}.${name}`, ...size)),
    ];
  };
  const shards = [
    [matrix("model.embed_tokens", vocabulary, hidden), ...inLayer(0)],
    [
      ...inLayer(1),
      norm("model.norm"),
      ...(tied ? [] : [matrix("lm_head", vocabulary, hidden)]),
    ],
  ];
  await mkdir(folder);
  const weight_map: Record<string, string> = {};
  for (const [no, tensors] of shards.entries()) {
    const file = `model-0000${no + 1}-of-00002.safetensors`;
    const bytes = safetensorsBytes(tensors, { format: "pt" });
    await writeFile(join(folder, file), bytes);
    for (const { name } of tensors) weight_map[name] = file;
  }
  await writeFile(
    join(folder, "model.safetensors.index.json"),
    JSON.stringify({ metadata: {}, weight_map }),
  );
  const config = { ...CONFIG, tie_word_embeddings: tied };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
}
