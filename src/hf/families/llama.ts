/**
 * Llama and Mistral, which llama.cpp takes for a llama too: neighbours are rotated, so
 * the rows of queries and keys change places.
 *
 * @module
 */
import type { Config } from "../config.ts";
import {
  type DecoderDefaults,
  decoderName,
  decoderRules,
  decoderSizes,
  describeDecoder,
  TWO_NORMS,
} from "../decoder.ts";
import type { Family } from "../family.ts";
import { ropeOf } from "../rope.ts";

/** Tokens where the config does not say. */
const VOCABULARY = 32000;

/** The family. */
export const llama: Family = {
  architecture: "llama",
  classes: [
    "LlamaForCausalLM",
    "LLaMAForCausalLM",
    "LlamaModel",
    "MistralForCausalLM",
  ],
  vocabulary: VOCABULARY,
  ruleName: decoderName,

  rules: (config) =>
    decoderRules(config, decoderSizes(config, defaultsOf(config)), {
      qkvBias: "maybe",
      bias: "maybe",
      interleaves: true,
      norms: TWO_NORMS,
      head: true,
    }),

  made(config) {
    const { headSize } = decoderSizes(config, defaultsOf(config));
    return ropeOf(config).factors(headSize);
  },

  describe(facts, values) {
    const { config } = facts, defaults = defaultsOf(config);
    const { headSize, vocabulary } = decoderSizes(config, defaults);
    // The size of heads is always written, as the converter's transformers fills it in.
    describeDecoder(facts, values, { ...defaults, headSize });
    values.u32("vocab_size", vocabulary);
    values.u32("rope.dimension_count", headSize);
  },
};

function defaultsOf(config: Config): DecoderDefaults {
  return config.text("model_type") === "mistral"
    ? { keyHeads: 8, context: 131072, vocabulary: VOCABULARY }
    : { context: 2048, vocabulary: VOCABULARY };
}
