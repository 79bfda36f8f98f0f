/**
 * What llama.cpp's quantizer knows of a tensor by its name: what it is for, whether it is
 * quantized at all, and its place in the file.
 *
 * Source: ggml-org/llama.cpp, src/llama-quant.cpp (`tensor_get_category`,
 * `tensor_allows_quantization`) and src/llama-model-loader.h (`weight_name_comparer`).
 *
 * @module
 */

/** A tensor, as far as recipes look at it. */
export interface RecipeTensor {
  /** Its name. */
  readonly name: string;
  /** Its type in ggml's capitals: F32, BF16, Q8_0 … */
  readonly dtype: string;
  /** Dimensions, slowest first. */
  readonly shape: readonly number[];
}

/** What a matrix is for, where a recipe makes a difference. */
export type Purpose =
  | "output"
  | "token embedding"
  | "attn_qkv"
  | "attn_kv_b"
  | "attn_v"
  | "attn_k"
  | "attn_q"
  | "attn_output"
  | "ffn_up"
  | "ffn_gate"
  | "ffn_down"
  | "other";

/** Parts of names, in the order in which they are looked for. */
const PURPOSES: readonly (readonly [part: string, purpose: Purpose])[] = [
  ["attn_qkv.weight", "attn_qkv"],
  ["attn_kv_b.weight", "attn_kv_b"],
  ["attn_v.weight", "attn_v"],
  ["attn_k.weight", "attn_k"],
  ["attn_q.weight", "attn_q"],
  ["attn_output.weight", "attn_output"],
  ["ffn_up", "ffn_up"],
  ["ffn_gate", "ffn_gate"],
  ["ffn_down", "ffn_down"],
];

const OUTPUT = "output.weight";
const EMBEDDINGS: readonly string[] = [
  "token_embd.weight",
  "per_layer_token_embd.weight",
];

/** What a tensor is for, by its name. */
export function purposeOf(name: string): Purpose {
  if (name === OUTPUT) return "output";
  if (EMBEDDINGS.includes(name)) return "token embedding";
  return PURPOSES.find(([part]) => name.includes(part))?.[1] ?? "other";
}

/** Tensors whose name holds one of these are left as they are. */
const KEPT: readonly (readonly [parts: readonly string[], why: string])[] = [
  [["_norm.weight"], "a norm"],
  [["ffn_gate_inp.weight"], "it chooses experts"],
  [["ffn_gate_tid2eid.weight"], "a table of numbers of experts"],
  [["altup", "laurel", "per_layer_model_proj"], "small, and matters much"],
  [["ssm_conv1d", "shortconv.conv.weight"], "a convolution over a few tokens"],
  [["indexer.k_proj.weight", "indexer.q_proj.weight"], "a small indexer"],
  [[
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
  ], "a small matrix of RWKV"],
  [["attn_rel_b.weight"], "a bias of positions"],
  [[
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
  ], "a part of an image encoder"],
  [["a.rvq.codebook", "mm.a.code_embd"], "a codebook of audio"],
];

/** Tensors of just these names likewise. */
const KEPT_NAMES: ReadonlyMap<string, string> = new Map([
  ["position_embd.weight", "embeddings of positions"],
  ["token_types.weight", "embeddings of token types"],
]);

/** How many axes ggml counts: slow ones of length 1 are none. */
export function axesOf(shape: readonly number[]): number {
  const first = shape.findIndex((length) => length !== 1);
  return first < 0 ? 1 : shape.length - first;
}

const encoder = new TextEncoder();

/** ggml's test, which takes every name of five bytes for one that ends so. */
function endsInWeight(name: string): boolean {
  return name.endsWith("weight") || encoder.encode(name).length === 5;
}

/**
 * Why llama.cpp never quantizes a tensor.
 *
 * @param tensor The tensor.
 * @returns The reason in words; undefined where it may be quantized.
 *
 * @example
 * ```ts
 * import { whyKept } from "@nibblewise/nibblewise/ggml";
 *
 * console.log(whyKept({ name: "blk.0.attn_norm.weight", shape: [64] })); // one axis
 * console.log(whyKept({ name: "blk.0.attn_q.weight", shape: [64, 64] })); // undefined
 * ```
 */
export function whyKept(
  { name, shape }: Pick<RecipeTensor, "name" | "shape">,
): string | undefined {
  if (axesOf(shape) < 2) return "one axis";
  if (!endsInWeight(name)) return "its name does not end in weight";
  return KEPT_NAMES.get(name) ??
    KEPT.find(([parts]) => parts.some((part) => name.includes(part)))?.[1];
}

/** The number behind `blk.`, as C's `sscanf` reads it. */
function layerOf(name: string): number | undefined {
  const digits = /^blk\.\s*([+-]?\d+)/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * Tensors in the order in which llama.cpp writes them: those of no layer first, then layer
 * by layer, by the bytes of their names.
 *
 * @param tensors The tensors of a file.
 * @returns The same, sorted.
 */
export function inRecipeOrder<T extends { readonly name: string }>(
  tensors: readonly T[],
): T[] {
  const keyed = tensors.map((tensor) => ({
    tensor,
    layer: layerOf(tensor.name) ?? -1,
    bytes: encoder.encode(tensor.name),
  }));
  keyed.sort((a, b) => a.layer - b.layer || compareBytes(a.bytes, b.bytes));
  return keyed.map(({ tensor }) => tensor);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/**
 * The layer of a tensor of a model with experts, whose layers are not all alike, so that
 * counting them would not do.
 *
 * @param name The tensor's name.
 * @param layers How many layers there are.
 * @returns The layer, from 0.
 * @throws {RangeError} If the name tells none, or one that the model does not have.
 */
export function expertLayer(name: string, layers: number): number {
  const layer = layerOf(name);
  if (layer !== undefined && layer >= 0 && layer < layers) return layer;
  throw new RangeError(
    `Cannot choose a type for tensor ${JSON.stringify(name)}: ` +
      (layer === undefined
        ? "its name does not begin with blk. and the number of a layer"
        : `it is of layer ${layer}, but the model has ${layers}`),
  );
}
