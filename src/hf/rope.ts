/**
 * How a model rotates queries and keys by their positions.
 *
 * Configs say it in two ways: `rope_theta` with `rope_scaling`, and, since version 5 of
 * transformers, all in `rope_parameters`, which may have one set for full and one for
 * sliding attention.
 *
 * @module
 */
import type { Config } from "./config.ts";
import type { MadeTensor } from "./family.ts";
import type { ModelValues } from "./model_values.ts";

/** The rotation of a model. */
export interface Rope {
  /** Writes its metadata, in the converter's order. */
  describe(values: ModelValues): void;
  /** What llama.cpp divides frequencies by, where the config has the scaling of Llama 3. */
  factors(headSize: number): readonly MadeTensor[];
}

/** What transformers takes where a config says nothing. */
const USUAL_BASE = 10_000;

/**
 * The rotation that a config says.
 *
 * @param config The config.
 * @param base The base where it says none.
 * @throws {RangeError} If llama.cpp has no such scaling.
 */
export function ropeOf(config: Config, base: number = USUAL_BASE): Rope {
  const given = config.object("rope_parameters") ??
    config.object("rope_scaling");
  const full = given?.object("full_attention") ?? given;
  const local = given?.object("sliding_attention")?.optionalNumber(
    "rope_theta",
  ) ?? config.optionalNumber("rope_local_base_freq");
  const theta = full?.optionalNumber("rope_theta") ??
    config.number("rope_theta", base);
  const type = full?.text("rope_type") ?? full?.text("type") ?? "default";
  return {
    describe(values) {
      if (full) describeScaling(type, full, config, values);
      values.f32("rope.freq_base", theta);
      values.f32("rope.freq_base_swa", local);
    },
    factors: (headSize) =>
      type === "llama3" ? [llama3Factors(full!, theta, headSize)] : [],
  };
}

function describeScaling(
  type: string,
  rope: Config,
  config: Config,
  values: ModelValues,
): void {
  switch (type) {
    case "default":
    case "llama3": // its factors are a tensor
    case "dynamic": // changes nothing within the trained context
      return;
    case "linear":
      values.text("rope.scaling.type", type);
      values.f32("rope.scaling.factor", rope.number("factor"));
      return;
    case "yarn": {
      values.text("rope.scaling.type", type);
      values.f32("rope.scaling.factor", rope.number("factor"));
      const trained = rope.optionalCount("original_max_position_embeddings") ??
        config.count("original_max_position_embeddings");
      values.u32("rope.scaling.original_context_length", trained);
      for (const [key, own] of YARN) {
        values.f32(`rope.scaling.${own}`, rope.optionalNumber(key));
      }
      return;
    }
    default:
      config.refuse(
        `its rope_type "${type}" is none of default, dynamic, linear, llama3, yarn`,
      );
  }
}

/** What else YaRN may be given, there and here. */
const YARN: readonly (readonly [string, string])[] = [
  ["extrapolation_factor", "yarn_ext_factor"],
  ["attention_factor", "yarn_attn_factor"],
  ["beta_fast", "yarn_beta_fast"],
  ["beta_slow", "yarn_beta_slow"],
];

/** Long waves by the factor, short ones by one, and between them what leads from one to the other. */
function llama3Factors(
  rope: Config,
  base: number,
  headSize: number,
): MadeTensor {
  const factor = rope.number("factor", 8);
  const low = rope.number("low_freq_factor", 1);
  const high = rope.number("high_freq_factor", 4);
  const trained = rope.count("original_max_position_embeddings", 8192);
  const values = new Float32Array(headSize / 2);
  const { fround } = Math;
  for (let i = 0; i < values.length; i++) {
    // Every step in float32, as torch does it.
    const frequency = fround(1 / fround(base ** fround(2 * i / headSize)));
    const length = fround(fround(2 * Math.PI) / frequency);
    const smooth = fround(
      fround(fround(trained / length) - low) / fround(high - low),
    );
    const mixed = fround(fround(fround(1 - smooth) / factor) + smooth);
    values[i] = length < trained / high
      ? 1
      : length > trained / low
      ? factor
      : 1 / mixed;
  }
  return { name: "rope_freqs.weight", values };
}
