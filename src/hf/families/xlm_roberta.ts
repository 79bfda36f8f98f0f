/**
 * XLM-RoBERTa: a BERT of many languages, whose tokens are a Unigram model's and whose positions
 * start behind the id of the padding. llama.cpp runs it as BERT.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { describeEncoder, encoderName, encoderRules } from "../encoder.ts";
import type { Family } from "../family.ts";

/** The id of the padding where a config says none. */
const USUAL_PADDING = 1;

/** The family. */
export const xlmRoberta: Family = {
  architecture: "bert",
  classes: ["XLMRobertaModel"],
  unigram: true,
  ruleName: (name) =>
    encoderName(name.replace(/^roberta\./, "").replace(/^bert\./, "")),

  rules(config) {
    if (config.has("lora_adaptations")) {
      config.refuse(
        "it has lora_adaptations, the adapters of jina-embeddings-v3, which are not known; --rename with --format takes its tensors under names that you give, without metadata of a model",
      );
    }
    return encoderRules(config, positionsBeforeFirst(config));
  },

  describe: (facts, values) =>
    describeEncoder(facts, values, positionsBeforeFirst(facts.config)),
};

/** How many positions no token has: those up to the id of the padding. */
function positionsBeforeFirst(config: Config): number {
  const padding = config.number("pad_token_id", USUAL_PADDING);
  const positions = config.count("max_position_embeddings");
  const leavesSome = Number.isInteger(padding) && padding >= 0 &&
    padding + 1 < positions;
  if (leavesSome) return padding + 1;
  return config.refuse(
    `positions start behind pad_token_id, and ${padding} is no whole number from 0 that leaves any of ${positions}`,
  );
}
