/**
 * Folders that llama.cpp's own converter has made GGUFs of.
 *
 * @module
 */
import { type MadeConfig, madeConfig } from "./made_folder.ts";

/** The vocabulary of `small.tokenizer.model`, in the vectors. */
const VOCAB_SIZE = 300;

const config = (name: string, more: MadeConfig) =>
  madeConfig(name, { vocab_size: VOCAB_SIZE, ...more });

const GEMMA: MadeConfig = {
  ...{ head_dim: 32, query_pre_attn_scalar: 32, sliding_window: 4 },
  tie_word_embeddings: true,
};

/** The configs, by the names of the folders. */
export const CONVERTED: Readonly<Record<string, MadeConfig>> = {
  "llama": config("LlamaForCausalLM", { model_type: "llama" }),
  "llama-scaled": config("LlamaForCausalLM", {
    ...{ model_type: "llama", head_dim: 32, tie_word_embeddings: true },
    max_position_embeddings: 512,
    rope_theta: 500000,
    rope_scaling: {
      ...{ rope_type: "llama3", factor: 8 },
      ...{ low_freq_factor: 1, high_freq_factor: 4 },
      original_max_position_embeddings: 64,
    },
  }),
  "mistral": config("MistralForCausalLM", {
    ...{ model_type: "mistral", head_dim: 24, sliding_window: 4096 },
  }),
  "qwen2": config("Qwen2ForCausalLM", { model_type: "qwen2", rope_theta: 1e6 }),
  "qwen2-yarn": config("Qwen2ForCausalLM", {
    ...{ model_type: "qwen2", rope_theta: 1e6 },
    rope_scaling: {
      ...{ rope_type: "yarn", factor: 4 },
      original_max_position_embeddings: 32,
    },
  }),
  "qwen3": config("Qwen3ForCausalLM", { model_type: "qwen3", head_dim: 32 }),
  "gemma2": config("Gemma2ForCausalLM", {
    ...{ model_type: "gemma2", ...GEMMA },
    ...{ attn_logit_softcapping: 50, final_logit_softcapping: 30 },
  }),
  "gemma3": config("Gemma3ForCausalLM", {
    ...{ model_type: "gemma3_text", num_hidden_layers: 7, ...GEMMA },
    rope_theta: 1e6,
    rope_local_base_freq: 10000,
    sliding_window_pattern: 6,
  }),
};

/** The files of their tokenizer. */
export async function convertedTokenizer(): Promise<
  Record<string, Uint8Array>
> {
  const url = new URL("../vectors/hf/small.tokenizer.model", import.meta.url);
  return { "tokenizer.model": await Deno.readFile(url) };
}
