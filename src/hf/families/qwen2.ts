/**
 * Qwen 2 and 2.5: queries, keys and values have biases, and halves of heads are rotated
 * as in transformers.
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

const DEFAULTS: DecoderDefaults = { keyHeads: 32, context: 32768 };

/** The family. */
export const qwen2: Family = {
  architecture: "qwen2",
  classes: ["Qwen2ForCausalLM", "Qwen2Model"],
  ruleName: decoderName,

  rules: (config) =>
    decoderRules(config, decoderSizes(config, DEFAULTS), {
      qkvBias: "always",
      norms: TWO_NORMS,
      head: true,
    }),

  describe(facts, values) {
    describeDecoder(facts, values, DEFAULTS);
    values.u32("pooling_type", facts.pooling);
  },
};
