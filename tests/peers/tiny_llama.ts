/**
 * A tiny but complete model of the llama architecture: rows of 256 and 512, so
 * that every ggml format fits, a vocabulary with the bytes of a SentencePiece
 * tokenizer, and weights that are the same on every machine.
 *
 * @module
 */
import { createFile } from "../../src/files/file_sink.ts";
import { GgufValue } from "../../src/files/gguf_value.ts";
import { planGguf, writeGgufFrame } from "../../src/files/gguf_write.ts";

const width = 256;
const keyWidth = 128;
const hidden = 512;
const heads = 4;
const layers = 2;

/** Kinds of tokens, as llama.cpp numbers them. */
const [normal, unknown, control, byte] = [1, 2, 3, 6];

const pieces: readonly (readonly [text: string, type: number])[] = [
  ["<unk>", unknown],
  ["<s>", control],
  ["</s>", control],
  ...Array.from({ length: 256 }, (_, code): [string, number] => [
    `<0x${code.toString(16).toUpperCase().padStart(2, "0")}>`,
    byte,
  ]),
  ..."▁abcdefghijklmnopqrstuvwxyz".split("").map((
    letter,
  ): [string, number] => [letter, normal]),
  ["▁t", normal],
  ["he", normal],
  ["▁the", normal],
];

/** How many tokens the vocabulary has. */
export const tinyVocabulary = pieces.length;

const tensors = [
  { name: "token_embd.weight", shape: [tinyVocabulary, width] },
  ...Array.from({ length: layers }, (_, i) => [
    { name: `blk.${i}.attn_norm.weight`, shape: [width] },
    { name: `blk.${i}.attn_q.weight`, shape: [width, width] },
    { name: `blk.${i}.attn_k.weight`, shape: [keyWidth, width] },
    { name: `blk.${i}.attn_v.weight`, shape: [keyWidth, width] },
    { name: `blk.${i}.attn_output.weight`, shape: [width, width] },
    { name: `blk.${i}.ffn_norm.weight`, shape: [width] },
    { name: `blk.${i}.ffn_gate.weight`, shape: [hidden, width] },
    { name: `blk.${i}.ffn_up.weight`, shape: [hidden, width] },
    { name: `blk.${i}.ffn_down.weight`, shape: [width, hidden] },
  ]).flat(),
  { name: "output_norm.weight", shape: [width] },
  { name: "output.weight", shape: [tinyVocabulary, width] },
].map((tensor) => ({ ...tensor, dtype: "F32" }));

const u32 = (value: number) => GgufValue.of("u32", value);

/** The metadata that llama.cpp asks of a llama. */
export const tinyMetadata: ReadonlyMap<string, GgufValue> = new Map([
  ["general.architecture", GgufValue.of("string", "llama")],
  ["general.name", GgufValue.of("string", "Tiny")],
  ["general.file_type", u32(0)],
  ["llama.context_length", u32(128)],
  ["llama.embedding_length", u32(width)],
  ["llama.block_count", u32(layers)],
  ["llama.feed_forward_length", u32(hidden)],
  ["llama.attention.head_count", u32(heads)],
  ["llama.attention.head_count_kv", u32(heads * keyWidth / width)],
  [
    "llama.attention.layer_norm_rms_epsilon",
    GgufValue.of("f32", 1e-5),
  ],
  ["llama.rope.dimension_count", u32(width / heads)],
  ["llama.vocab_size", u32(tinyVocabulary)],
  ["tokenizer.ggml.model", GgufValue.of("string", "llama")],
  [
    "tokenizer.ggml.tokens",
    GgufValue.array("string", pieces.map(([text]) => text)),
  ],
  [
    "tokenizer.ggml.scores",
    GgufValue.array("f32", pieces.map((_, i) => i < 259 ? 0 : i - 1000)),
  ],
  [
    "tokenizer.ggml.token_type",
    GgufValue.array("i32", pieces.map(([, type]) => type)),
  ],
  ["tokenizer.ggml.bos_token_id", u32(1)],
  ["tokenizer.ggml.eos_token_id", u32(2)],
  ["tokenizer.ggml.unknown_token_id", u32(0)],
]);

/**
 * Writes the model in float32.
 *
 * @param path Where to.
 */
export async function writeTinyLlama(path: string): Promise<void> {
  const plan = planGguf(tinyMetadata, tensors);
  const sink = await createFile(path);
  try {
    await writeGgufFrame(sink, plan);
    for (const [seed, { name, shape, offset }] of plan.tensors.entries()) {
      const values = name.includes("norm")
        ? new Float32Array(shape[0]).fill(1)
        : weights(seed, shape[0] * shape[1], 1 / Math.sqrt(shape[1]));
      await sink.write(offset, new Uint8Array(values.buffer));
    }
    await sink.commit();
  } finally {
    await sink.abort();
  }
}

/** Weights with the bell shape of real ones: sums of four uniform numbers, of deviation `scale`. */
function weights(seed: number, count: number, scale: number): Float32Array {
  let state = (seed + 1) * 0x9e3779b9 >>> 0;
  const uniform = () => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const spread = scale * Math.sqrt(3);
  return Float32Array.from(
    { length: count },
    () => spread * (uniform() + uniform() + uniform() + uniform()),
  );
}
