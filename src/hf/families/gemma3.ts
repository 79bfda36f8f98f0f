/**
 * Gemma 3, with or without images, of which the language model is taken: as Gemma 2, with a
 * norm for each head in place of capped scores, and another rotation in sliding layers.
 *
 * @module
 */
import {
  type DecoderDefaults,
  decoderRules,
  decoderSizes,
  describeDecoder,
  FOUR_NORMS,
} from "../decoder.ts";
import type { Family } from "../family.ts";
import { checkScale, gemmaName } from "../gemma.ts";

const DEFAULTS: DecoderDefaults = {
  heads: 8,
  keyHeads: 4,
  headSize: 256,
  context: 131072,
  vocabulary: 262208,
  ropeBase: 1_000_000,
};

/** The family. */
export const gemma3: Family = {
  architecture: "gemma3",
  classes: ["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"],
  ruleName: gemmaName,
  vocabulary: DEFAULTS.vocabulary,
  cutsVocabulary: true,

  rules(config) {
    const sizes = decoderSizes(config, DEFAULTS);
    checkScale(config, sizes);
    if (config.has("attn_logit_softcapping")) {
      config.refuse("it caps scores of attention, which llama.cpp does not");
    }
    return decoderRules(config, sizes, {
      qkvBias: "never",
      headNorms: true,
      norms: FOUR_NORMS,
      plus: 1,
      head: false,
    });
  },

  describe(facts, values) {
    const { config } = facts;
    describeDecoder(facts, values, DEFAULTS);
    values.f32(
      "final_logit_softcapping",
      config.optionalNumber("final_logit_softcapping"),
    );
    values.u32(
      "attention.sliding_window",
      config.count("sliding_window", 4096),
    );
  },
};
