/**
 * What encoders of the BERT kind have in common: sizes, tensors, metadata.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { ModelFacts, TensorRule } from "./family.ts";
import type { ModelValues } from "./model_values.ts";

/** Modules of a layer: their names there and here, and their axes. */
const LAYER: readonly (readonly [
  from: string,
  to: string,
  axes: readonly ("width" | "hidden")[],
])[] = [
  ["attention.self.query", "attn_q", ["width", "width"]],
  ["attention.self.key", "attn_k", ["width", "width"]],
  ["attention.self.value", "attn_v", ["width", "width"]],
  ["attention.output.dense", "attn_output", ["width", "width"]],
  ["attention.output.LayerNorm", "attn_output_norm", ["width"]],
  ["intermediate.dense", "ffn_up", ["hidden", "width"]],
  ["output.dense", "ffn_down", ["width", "hidden"]],
  ["output.LayerNorm", "layer_output_norm", ["width"]],
];

/** What is no weight of the encoder: buffers, and the heads of its training. */
const LEFT_OUT =
  /^(embeddings\.position_ids$|pooler\.|cls\.predictions|cls\.seq_relationship)/;

/**
 * The name by which the rules know a tensor.
 *
 * @param name Its name without the prefix of its family.
 * @returns The name; undefined for a tensor that is left out.
 */
export function encoderName(name: string): string | undefined {
  const own = name.replace(/\.gamma$/, ".weight").replace(/\.beta$/, ".bias");
  return LEFT_OUT.test(own) ? undefined : own;
}

/**
 * The tensors of an encoder.
 *
 * @param config Its config.
 * @param unused How many rows at the start of the positions no token has.
 * @returns One rule after the other.
 * @throws {RangeError} If the sizes do not go together.
 */
export function* encoderRules(
  config: Config,
  unused = 0,
): Generator<TensorRule, void> {
  const width = config.count("hidden_size");
  const sizes = { width, hidden: config.count("intermediate_size") };
  checkHeads(config, width);
  yield {
    from: "embeddings.word_embeddings.weight",
    to: "token_embd.weight",
    shape: [config.count("vocab_size"), width],
  };
  yield {
    from: "embeddings.position_embeddings.weight",
    to: "position_embd.weight",
    shape: [config.count("max_position_embeddings"), width],
    skips: unused,
  };
  yield {
    from: "embeddings.token_type_embeddings.weight",
    to: "token_types.weight",
    shape: [config.count("type_vocab_size", 2), width],
  };
  yield* pair("embeddings.LayerNorm", "token_embd_norm", [width]);
  const layers = config.count("num_hidden_layers");
  for (let layer = 0; layer < layers; layer++) {
    for (const [from, to, axes] of LAYER) {
      yield* pair(
        `encoder.layer.${layer}.${from}`,
        `blk.${layer}.${to}`,
        axes.map((axis) => sizes[axis]),
      );
    }
  }
}

/**
 * The metadata of an encoder.
 *
 * @param facts What is known of it.
 * @param values Where to.
 * @param unused As for {@linkcode encoderRules}.
 */
export function describeEncoder(
  { config, fileType, pooling }: ModelFacts,
  values: ModelValues,
  unused = 0,
): void {
  values.u32("block_count", config.count("num_hidden_layers"));
  values.u32(
    "context_length",
    config.count("max_position_embeddings") - unused,
  );
  values.u32("embedding_length", config.count("hidden_size"));
  values.u32("feed_forward_length", config.count("intermediate_size"));
  values.u32("attention.head_count", config.count("num_attention_heads"));
  values.f32(
    "attention.layer_norm_epsilon",
    config.number("layer_norm_eps", 1e-12),
  );
  values.u32("general.file_type", fileType);
  values.flag("attention.causal", false);
  values.u32("pooling_type", pooling);
}

/** A weight and its bias. */
function* pair(
  from: string,
  to: string,
  shape: readonly number[],
): Generator<TensorRule, void> {
  yield { from: `${from}.weight`, to: `${to}.weight`, shape };
  yield { from: `${from}.bias`, to: `${to}.bias`, shape: shape.slice(0, 1) };
}

function checkHeads(config: Config, width: number): void {
  const heads = config.count("num_attention_heads");
  if (width % heads === 0) return;
  config.refuse(
    `hidden_size ${width} does not divide by num_attention_heads ${heads}`,
  );
}
