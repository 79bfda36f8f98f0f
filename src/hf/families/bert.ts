/**
 * BERT: an encoder whose vectors stand for texts.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { Family, TensorRule } from "../family.ts";

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

/** The family. */
export const bert: Family = {
  architecture: "bert",
  classes: ["BertModel", "BertForMaskedLM"],

  ruleName(name) {
    const own = name.replace(/^bert\./, "")
      .replace(/\.gamma$/, ".weight").replace(/\.beta$/, ".bias");
    return LEFT_OUT.test(own) ? undefined : own;
  },

  *rules(config) {
    const width = config.count("hidden_size");
    const sizes = { width, hidden: config.count("intermediate_size") };
    checkHeads(config, width);
    const embeddings = [
      ["word", "token_embd", config.count("vocab_size")],
      ["position", "position_embd", config.count("max_position_embeddings")],
      ["token_type", "token_types", config.count("type_vocab_size", 2)],
    ] as const;
    for (const [kind, to, rows] of embeddings) {
      const from = `embeddings.${kind}_embeddings.weight`;
      yield { from, to: `${to}.weight`, shape: [rows, width] };
    }
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
  },

  describe({ config, fileType, pooling }, values) {
    values.u32("block_count", config.count("num_hidden_layers"));
    values.u32("context_length", config.count("max_position_embeddings"));
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
  },
};

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
