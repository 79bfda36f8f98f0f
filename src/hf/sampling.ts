/**
 * How a model wants its tokens chosen: `general.sampling.*` from `generation_config.json`.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { ModelValues } from "./model_values.ts";

/** Names there and here, in the converter's order. */
const NUMBERS: readonly (readonly [
  from: string,
  to: string,
  type: "i32" | "f32",
])[] = [
  ["top_k", "top_k", "i32"],
  ["top_p", "top_p", "f32"],
  ["min_p", "min_p", "f32"],
  ["xtc_probability", "xtc_probability", "f32"],
  ["xtc_threshold", "xtc_threshold", "f32"],
  ["temperature", "temp", "f32"],
  ["penalty_last_n", "penalty_last_n", "i32"],
  ["penalty_repeat", "penalty_repeat", "f32"],
  ["mirostat", "mirostat", "i32"],
  ["mirostat_tau", "mirostat_tau", "f32"],
  ["mirostat_eta", "mirostat_eta", "f32"],
];

/**
 * Writes what a generation config says.
 *
 * @param config The config; undefined where the folder has none.
 * @param values Where to.
 */
export function describeSampling(
  config: Config | undefined,
  values: ModelValues,
): void {
  if (!config) return;
  values.text("general.sampling.sequence", config.text("sequence"));
  for (const [from, to, type] of NUMBERS) {
    values[type](`general.sampling.${to}`, config.optionalNumber(from));
  }
}
