/**
 * Gemma 2: norms that are stored as what is added to one, four of them in a layer, and
 * scores that are softly capped.
 *
 * @module
 */
import {
  type DecoderDefaults,
  decoderRules,
  decoderSizes,
  FOUR_NORMS,
} from "../decoder.ts";
import type { Family } from "../family.ts";
import { checkScale, gemmaName } from "../gemma.ts";

const DEFAULTS: DecoderDefaults = {
  keyHeads: 4,
  headSize: 256,
  context: 8192,
};

/** The family. */
export const gemma2: Family = {
  architecture: "gemma2",
  classes: ["Gemma2ForCausalLM"],
  ruleName: gemmaName,

  rules(config) {
    const sizes = decoderSizes(config, DEFAULTS);
    checkScale(config, sizes);
    return decoderRules(config, sizes, {
      qkvBias: "never",
      norms: FOUR_NORMS,
      plus: 1,
      head: false,
    });
  },

  describe({ config, fileType }, values) {
    const sizes = decoderSizes(config, DEFAULTS);
    values.u32(
      "context_length",
      config.count("max_position_embeddings", DEFAULTS.context),
    );
    values.u32("embedding_length", sizes.width);
    values.u32("block_count", sizes.layers);
    values.u32("feed_forward_length", sizes.hidden);
    values.u32("attention.head_count", sizes.heads);
    values.u32("attention.head_count_kv", sizes.keyHeads);
    values.f32(
      "attention.layer_norm_rms_epsilon",
      config.number("rms_norm_eps", 1e-6),
    );
    values.u32("attention.key_length", sizes.headSize);
    values.u32("attention.value_length", sizes.headSize);
    values.u32("general.file_type", fileType);
    values.f32(
      "attn_logit_softcapping",
      config.number("attn_logit_softcapping", 50),
    );
    values.f32(
      "final_logit_softcapping",
      config.number("final_logit_softcapping", 30),
    );
    values.u32(
      "attention.sliding_window",
      config.count("sliding_window", 4096),
    );
  },
};
