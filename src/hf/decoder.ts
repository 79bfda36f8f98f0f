/**
 * What decoders of the llama kind have in common: sizes, projections, metadata.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { ModelFacts, TensorRule } from "./family.ts";
import type { ModelValues } from "./model_values.ts";
import { ropeOf } from "./rope.ts";

/** What transformers takes where a config says nothing. */
export interface DecoderDefaults {
  /** Queries' heads. */
  readonly heads?: number;
  /** Keys' and values' heads; as many as queries' where absent. */
  readonly keyHeads?: number;
  /** Values of a head; the width by the heads where absent. */
  readonly headSize?: number;
  /** Tokens that a model sees at most. */
  readonly context?: number;
  /** Tokens that it knows. */
  readonly vocabulary?: number;
  /** Base of the rotation. */
  readonly ropeBase?: number;
}

/** The sizes of a decoder. */
export interface DecoderSizes {
  /** Values of a token's vector. */
  readonly width: number;
  /** Values inside of a layer's feed-forward part. */
  readonly hidden: number;
  /** Layers. */
  readonly layers: number;
  /** Heads of queries. */
  readonly heads: number;
  /** Heads of keys and values. */
  readonly keyHeads: number;
  /** Values of a head. */
  readonly headSize: number;
  /** Tokens that it knows. */
  readonly vocabulary: number;
}

/**
 * The sizes that a config says, held against each other.
 *
 * @param config The config.
 * @param defaults What holds where it says nothing.
 * @throws {RangeError} If they do not go together.
 */
export function decoderSizes(
  config: Config,
  defaults: DecoderDefaults = {},
): DecoderSizes {
  const width = config.count("hidden_size");
  const heads = config.count("num_attention_heads", defaults.heads);
  const keyHeads = config.count(
    "num_key_value_heads",
    defaults.keyHeads ?? heads,
  );
  const headSize = config.optionalCount("head_dim") ?? defaults.headSize ??
    width / heads;
  if (!Number.isInteger(headSize)) {
    config.refuse(
      `hidden_size ${width} does not divide by num_attention_heads ${heads}`,
    );
  }
  if (heads % keyHeads !== 0) {
    config.refuse(
      `num_attention_heads ${heads} does not divide by num_key_value_heads ${keyHeads}`,
    );
  }
  if (headSize % 2 !== 0) {
    config.refuse(
      `heads of ${headSize} values cannot be rotated: it takes an even number`,
    );
  }
  return {
    width,
    hidden: config.count("intermediate_size"),
    layers: config.count("num_hidden_layers"),
    heads,
    keyHeads,
    headSize,
    vocabulary: config.count("vocab_size", defaults.vocabulary),
  };
}

/** Whether a projection has a bias. */
export type BiasRule = "never" | "maybe" | "always";

/** How the layers of a family differ. */
export interface DecoderLayers {
  /** Whether q, k and v have biases. */
  readonly qkvBias: BiasRule;
  /** Whether the other projections have. */
  readonly bias?: BiasRule;
  /** Whether the rows of q and k are interleaved. */
  readonly interleaves?: boolean;
  /** Whether heads have norms of their own. */
  readonly headNorms?: boolean;
  /** Norms of a layer: their names there and here. */
  readonly norms: readonly (readonly [from: string, to: string])[];
  /** What is added to the values of norms. */
  readonly plus?: number;
  /** Whether a model may have a head of its own beside its embeddings. */
  readonly head: boolean;
}

/** The norms of a layer with one before each part. */
export const TWO_NORMS: DecoderLayers["norms"] = [
  ["input_layernorm", "attn_norm"],
  ["post_attention_layernorm", "ffn_norm"],
];

/** The norms of a layer with one before and one behind each part. */
export const FOUR_NORMS: DecoderLayers["norms"] = [
  ["input_layernorm", "attn_norm"],
  ["post_attention_layernorm", "post_attention_norm"],
  ["pre_feedforward_layernorm", "ffn_norm"],
  ["post_feedforward_layernorm", "post_ffw_norm"],
];

/**
 * The tensors of a decoder.
 *
 * @param config Its config: says whether the head is the embeddings.
 * @param sizes Its sizes.
 * @param layers How its layers are.
 * @returns One rule after the other.
 */
export function* decoderRules(
  config: Config,
  sizes: DecoderSizes,
  layers: DecoderLayers,
): Generator<TensorRule, void> {
  const { width, vocabulary } = sizes, { plus } = layers;
  yield {
    from: "model.embed_tokens.weight",
    to: "token_embd.weight",
    shape: [vocabulary, width],
  };
  for (let layer = 0; layer < sizes.layers; layer++) {
    const from = `model.layers.${layer}`, to = `blk.${layer}`;
    for (const rule of layerRules(sizes, layers)) {
      yield {
        ...rule,
        from: `${from}.${rule.from}`,
        to: `${to}.${rule.to}`,
      };
    }
  }
  yield {
    from: "model.norm.weight",
    to: "output_norm.weight",
    shape: [width],
    plus,
  };
  if (!layers.head) return;
  yield {
    from: "lm_head.weight",
    to: "output.weight",
    shape: [vocabulary, width],
    // Without a head of its own llama.cpp takes the embeddings, which is right only where they are tied.
    optional: config.flag("tie_word_embeddings") !== false ||
      !isGenerating(config),
  };
}

/** Whether a model predicts tokens; one that makes vectors has no head. */
function isGenerating(config: Config): boolean {
  return !/Model$/.test(config.texts("architectures")?.[0] ?? "");
}

function* layerRules(
  { width, hidden, heads, keyHeads, headSize }: DecoderSizes,
  { qkvBias, bias = "never", interleaves, headNorms, norms, plus }:
    DecoderLayers,
): Generator<TensorRule, void> {
  for (const [from, to] of norms) {
    yield* norm(from, to, width, plus);
  }
  if (headNorms) {
    yield* norm("self_attn.q_norm", "attn_q_norm", headSize, plus);
    yield* norm("self_attn.k_norm", "attn_k_norm", headSize, plus);
  }
  const queries = heads * headSize, keys = keyHeads * headSize;
  const rotated = (count: number) => interleaves ? count : undefined;
  yield* linear("self_attn.q_proj", "attn_q", [queries, width], {
    bias: qkvBias,
    heads: rotated(heads),
  });
  yield* linear("self_attn.k_proj", "attn_k", [keys, width], {
    bias: qkvBias,
    heads: rotated(keyHeads),
  });
  yield* linear("self_attn.v_proj", "attn_v", [keys, width], { bias: qkvBias });
  yield* linear("self_attn.o_proj", "attn_output", [width, queries], { bias });
  yield* linear("mlp.gate_proj", "ffn_gate", [hidden, width], { bias });
  yield* linear("mlp.up_proj", "ffn_up", [hidden, width], { bias });
  yield* linear("mlp.down_proj", "ffn_down", [width, hidden], { bias });
}

function* norm(
  from: string,
  to: string,
  width: number,
  plus: number | undefined,
): Generator<TensorRule, void> {
  yield { from: `${from}.weight`, to: `${to}.weight`, shape: [width], plus };
}

function* linear(
  from: string,
  to: string,
  shape: readonly [rows: number, columns: number],
  { bias, heads }: { bias: BiasRule; heads?: number },
): Generator<TensorRule, void> {
  yield { from: `${from}.weight`, to: `${to}.weight`, shape, heads };
  if (bias === "never") return;
  yield {
    from: `${from}.bias`,
    to: `${to}.bias`,
    shape: [shape[0]],
    heads,
    optional: bias === "maybe",
  };
}

/**
 * The name by which the rules of decoders know a tensor: checkpoints of the bare model
 * have no `model.`, those with images call it the language model.
 *
 * @param name Its name in the folder.
 * @returns The name; undefined where a rotation's frequencies are stored, which llama.cpp computes.
 */
export function decoderName(name: string): string | undefined {
  if (/\.rotary_emb\.inv_freq$/.test(name)) return undefined;
  const own = name.replace(/(^|\.)language_model\./, "$1");
  return /^(layers|embed_tokens|norm)\./.test(own) ? `model.${own}` : own;
}

/**
 * Writes what all decoders say, in the converter's order.
 *
 * @param facts What is known.
 * @param values Where to.
 * @param defaults What holds where the config says nothing.
 */
export function describeDecoder(
  { config, fileType }: ModelFacts,
  values: ModelValues,
  defaults: DecoderDefaults = {},
): void {
  const sizes = decoderSizes(config, defaults);
  values.u32("block_count", sizes.layers);
  values.u32(
    "context_length",
    config.count("max_position_embeddings", defaults.context),
  );
  values.u32("embedding_length", sizes.width);
  values.u32("feed_forward_length", sizes.hidden);
  values.u32("attention.head_count", sizes.heads);
  values.u32("attention.head_count_kv", sizes.keyHeads);
  if (config.flag("is_causal") === false) {
    values.flag("attention.causal", false);
  }
  ropeOf(config, defaults.ropeBase).describe(values);
  values.f32(
    "attention.layer_norm_rms_epsilon",
    config.number("rms_norm_eps", 1e-6),
  );
  const headSize = config.optionalCount("head_dim") ?? defaults.headSize;
  values.u32("attention.key_length", headSize);
  values.u32("attention.value_length", headSize);
  values.u32("general.file_type", fileType);
}
