/**
 * Small folders as Hugging Face keeps them: a config, random weights, and a tokenizer of bytes.
 *
 * @module
 */
import { planSafetensors } from "../../src/files/safetensors_write.ts";
import { Config } from "../../src/hf/config.ts";
import { familyOf } from "../../src/hf/registry.ts";
import { type JsonObject, parseJson } from "../../src/files/json.ts";

/** What a made-up config says; it may be nonsense. */
export type MadeConfig = Readonly<Record<string, unknown>>;

/** A model in memory. */
export interface MadeModel {
  /** Its config. */
  readonly config: MadeConfig;
  /** Its tensors by their names in the folder. */
  readonly tensors: ReadonlyMap<string, MadeTensor>;
}

/** A tensor of it. */
export interface MadeTensor {
  /** Slowest axis first. */
  readonly shape: readonly number[];
  /** Its values. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** Tokens of the tokenizer. */
export const VOCABULARY = 257;

/** A config of two layers, four heads and two for keys. */
export function madeConfig(name: string, more: MadeConfig = {}): MadeConfig {
  return {
    architectures: [name],
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 128,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    tie_word_embeddings: false,
    vocab_size: VOCABULARY,
    ...more,
  };
}

/** A config of an encoder of two layers and four heads. */
export function madeEncoderConfig(
  name: string,
  more: MadeConfig = {},
): MadeConfig {
  return {
    architectures: [name],
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    max_position_embeddings: 66,
    type_vocab_size: 1,
    layer_norm_eps: 1e-5,
    ...more,
  };
}

/** Random weights for every tensor that the family has a rule for, optional ones too. */
export function madeModel(config: MadeConfig): MadeModel {
  const read = new Config(
    "config.json",
    parseJson(JSON.stringify(config)) as JsonObject,
  );
  const family = familyOf((config.architectures as string[])[0])!;
  const tensors = new Map<string, MadeTensor>();
  let seed = 1;
  for (const { from, shape } of family.rules(read)) {
    const count = shape.reduce((product, length) => product * length, 1);
    const scale = shape.length > 1 ? 3 / Math.sqrt(shape[1]) : 0.5;
    const middle = /norm/i.test(from) ? 1 : 0;
    tensors.set(from, { shape, values: random(seed++, count, scale, middle) });
  }
  return { config, tensors };
}

function random(seed: number, count: number, scale: number, middle: number) {
  let state = seed * 0x9e3779b9 >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    return middle + scale * (state / 2 ** 31 - 1);
  });
}

/**
 * Writes a model as a folder.
 *
 * @param folder Where to; it exists.
 * @param model The model.
 * @param tokenizer The files of its tokenizer.
 */
export async function writeFolder(
  folder: string,
  { config, tensors }: MadeModel,
  tokenizer: Readonly<Record<string, Uint8Array | object>> = {
    "tokenizer.json": TOKENIZER,
    "tokenizer_config.json": {},
  },
): Promise<void> {
  const plan = planSafetensors(
    Array.from(tensors, ([name, { shape }]) => ({ name, shape, dtype: "F32" })),
    new Map(),
  );
  const bytes = new Uint8Array(plan.size);
  let at = 0;
  for (const piece of plan.pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  [...tensors.values()].forEach(({ values }, no) =>
    bytes.set(new Uint8Array(values.buffer), plan.offsets[no])
  );
  const files: Record<string, Uint8Array | object> = {
    "model.safetensors": bytes,
    "config.json": config,
    ...tokenizer,
  };
  for (const [name, file] of Object.entries(files)) {
    await Deno.writeFile(
      `${folder}/${name}`,
      file instanceof Uint8Array
        ? file
        : new TextEncoder().encode(JSON.stringify(file)),
    );
  }
}

/** The characters that GPT-2 writes for the bytes: printable ones for themselves. */
const BYTES = Array.from({ length: 256 }, (_, byte) => {
  const isShown = byte >= 0x21 && byte <= 0x7e || byte >= 0xa1 && byte !== 0xad;
  const hidden = byte <= 0x20 ? byte : byte < 0xa1 ? byte - 0x7f + 33 : 67;
  return String.fromCharCode(isShown ? byte : 256 + hidden);
});

/** Every byte is a token; llama.cpp asks for a merge at least. */
const TOKENIZER = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: {
    type: "ByteLevel",
    add_prefix_space: false,
    use_regex: true,
  },
  post_processor: null,
  decoder: { type: "ByteLevel" },
  model: {
    type: "BPE",
    vocab: Object.fromEntries([...BYTES, "he"].map((token, id) => [token, id])),
    merges: ["h e"],
  },
};
