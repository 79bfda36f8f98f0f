/**
 * Folders that llama.cpp's own converter has made GGUFs of.
 *
 * @module
 */
import {
  type MadeConfig,
  madeConfig,
  madeEncoderConfig,
  type MadeModel,
  madeModel,
} from "./made_folder.ts";

/** Files by name: bytes, or what they say in JSON. */
type TokenizerFiles = Record<string, Uint8Array | object>;

/** The vocabulary of `small.tokenizer.model`, in the vectors. */
const VOCAB_SIZE = 300;

const config = (name: string, more: MadeConfig) =>
  madeConfig(name, { vocab_size: VOCAB_SIZE, ...more });

const GEMMA: MadeConfig = {
  ...{ head_dim: 32, query_pre_attn_scalar: 32, sliding_window: 4 },
  tie_word_embeddings: true,
};

/** Of as many tokens as `unigram.tokenizer.json`, in the vectors. */
const xlmRoberta = (more: MadeConfig) =>
  madeEncoderConfig("XLMRobertaModel", {
    ...{ model_type: "xlm-roberta", vocab_size: 111 },
    ...{ bos_token_id: 0, pad_token_id: 1, eos_token_id: 2 },
    ...more,
  });

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
  "xlm-roberta": xlmRoberta({ vocab_size: 114 }),
  "xlm-roberta-json": xlmRoberta({ type_vocab_size: 2 }),
  "xlm-roberta-any": xlmRoberta({ vocab_size: 113, pad_token_id: 0 }),
};

const files = (names: readonly string[], prefix: string) =>
  Promise.all(names.map(async (name) => {
    const url = new URL(`../vectors/hf/${prefix}${name}`, import.meta.url);
    return [name, await Deno.readFile(url)] as const;
  })).then(Object.fromEntries);

/** A token of the vocabulary that is found before a text is parted. */
const ADDED = {
  ...{ id: 21, content: "\u2581the", special: false, normalized: true },
  ...{ single_word: false, lstrip: false, rstrip: false },
};

/** A vocabulary of Unigram as `sentencepiece.bpe.model`, as `tokenizer.json`, and as what any class loads. */
async function unigramTokenizer(name: string): Promise<TokenizerFiles> {
  const json = ["tokenizer.json", "tokenizer_config.json"];
  const all = await files([...json, "sentencepiece.bpe.model"], "unigram.");
  if (name === "xlm-roberta") return all;
  delete all["sentencepiece.bpe.model"];
  if (name === "xlm-roberta-json") return all;
  // Edited as text: in JSON of JavaScript a score of 0.0 is a whole number, which the converter does not take.
  const tokenizer = new TextDecoder().decode(all["tokenizer.json"]).replace(
    '"added_tokens": [',
    `$&${JSON.stringify(ADDED)},`,
  );
  return {
    "tokenizer.json": new TextEncoder().encode(tokenizer),
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      bos_token: "<s>",
      pad_token: "<pad>",
      unk_token: "<unk>",
      additional_special_tokens: [],
    },
    "special_tokens_map.json": { mask_token: "<mask>", eos_token: "</s>" },
  };
}

/** The files of the tokenizer of a folder. */
export function convertedTokenizer(name: string): Promise<TokenizerFiles> {
  return name.startsWith("xlm-roberta")
    ? unigramTokenizer(name)
    : files(["tokenizer.model"], "small.");
}

/** The model of a folder. */
export function convertedModel(name: string): MadeModel {
  const model = madeModel(CONVERTED[name]);
  if (name !== "xlm-roberta-json") return model;
  const renamed = Array.from(
    model.tensors,
    ([tensor, made]) => [`roberta.${tensor}`, made] as const,
  );
  return { ...model, tensors: new Map(renamed) };
}
