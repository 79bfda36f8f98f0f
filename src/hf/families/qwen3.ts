/**
 * Qwen 3: no biases, and a norm for each head of queries and keys.
 *
 * @module
 */
import {
  type DecoderDefaults,
  decoderName,
  decoderRules,
  decoderSizes,
  describeDecoder,
  TWO_NORMS,
} from "../decoder.ts";
import type { Family } from "../family.ts";

const DEFAULTS: DecoderDefaults = {
  keyHeads: 32,
  headSize: 128,
  context: 32768,
};

/** The family. */
export const qwen3: Family = {
  architecture: "qwen3",
  classes: ["Qwen3ForCausalLM", "Qwen3Model"],
  ruleName: decoderName,

  rules: (config) =>
    decoderRules(config, decoderSizes(config, DEFAULTS), {
      qkvBias: "maybe",
      headNorms: true,
      norms: TWO_NORMS,
      head: true,
    }),

  describe(facts, values) {
    describeDecoder(facts, values, DEFAULTS);
    values.u32("pooling_type", facts.pooling);
  },
};
