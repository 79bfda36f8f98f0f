/**
 * BERT: an encoder whose vectors stand for texts.
 *
 * @module
 */
import { describeEncoder, encoderName, encoderRules } from "../encoder.ts";
import type { Family } from "../family.ts";

/** The family. */
export const bert: Family = {
  architecture: "bert",
  classes: ["BertModel", "BertForMaskedLM"],
  ruleName: (name) => encoderName(name.replace(/^bert\./, "")),
  rules: (config) => encoderRules(config),
  describe: (facts, values) => describeEncoder(facts, values),
};
