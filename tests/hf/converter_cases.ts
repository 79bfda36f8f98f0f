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
  // What transformers takes where a config says nothing.
  "xlm-roberta-json": xlmRoberta({ type_vocab_size: undefined }),
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

/** Settings of an added token. */
const NAMED = { __type: "AddedToken", normalized: false, single_word: false };

/** What `tokenizer_config.json` says, by the names of the folders. */
const UNIGRAM_CONFIGS: Readonly<Record<string, MadeConfig>> = {
  // Names with settings.
  "xlm-roberta": {
    tokenizer_class: "XLMRobertaTokenizer",
    ...{ bos_token: { content: "<s>", ...NAMED }, cls_token: "<s>" },
    ...{ eos_token: { content: "</s>", ...NAMED }, sep_token: "</s>" },
    ...{ pad_token: "<pad>", unk_token: "<unk>", mask_token: "<mask>" },
  },
  "xlm-roberta-json": {
    tokenizer_class: "XLMRobertaTokenizerFast",
    clean_up_tokenization_spaces: true,
    extra_special_tokens: [],
    additional_special_tokens: ["n"],
  },
  // A class that knows no names, most of which stand elsewhere.
  "xlm-roberta-any": {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...{ pad_token: "<pad>", unk_token: "<unk>" },
  },
};

/** A vocabulary of Unigram: as `sentencepiece.bpe.model`, or with one token added to `tokenizer.json`. */
async function unigramTokenizer(name: string): Promise<TokenizerFiles> {
  const { "tokenizer.json": tokenizer, ...model } = await files(
    ["tokenizer.json", "sentencepiece.bpe.model"],
    "unigram.",
  );
  // Edited as text: in JSON of JavaScript a score of 0.0 is a whole number, which the converter does not take.
  const text = new TextDecoder().decode(tokenizer).replace(
    '"added_tokens": [',
    `$&${JSON.stringify(ADDED)},`,
  );
  return {
    "tokenizer.json": new TextEncoder().encode(text),
    "tokenizer_config.json": UNIGRAM_CONFIGS[name],
    "special_tokens_map.json": { mask_token: "<mask>", eos_token: "</s>" },
    ...(name === "xlm-roberta" ? model : {}),
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
