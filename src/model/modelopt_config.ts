/**
 * What ModelOpt writes beside the tensors of a checkpoint: `hf_quant_config.json`, and
 * the same in other words as `quantization_config` in `config.json`.
 *
 * @module
 */
import type { Candidate, Convention } from "../words/format.ts";
import { isObject, memberOf, settingsOf } from "./config.ts";

/** The settings of one algorithm. */
export interface ModeloptSettings {
  /** Its name, `quant_algo`. */
  readonly algorithm: string;
  /** Whether codes are integers or E2M1. */
  readonly type: "int" | "float";
  /** Values that share a scale; undefined where that depends on the weight. */
  readonly group: number | undefined;
  /** What else `hf_quant_config.json` says of it. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/**
 * What the config says of a tensor: of its module, where modules differ.
 *
 * @returns The settings; undefined where there is none.
 */
export function modeloptSettings(
  { config, stem }: Pick<Candidate, "config" | "stem">,
): unknown {
  const all = memberOf(config, "quantization") ?? settingsOf(config);
  const own = memberOf(memberOf(all, "quantized_layers"), stem ?? "");
  return isObject(own) ? own : all;
}

// Readers take the layout for ModelOpt's only where it is named as the writer.
const producer = { name: "modelopt", version: "0.47.0" };

/** What is written of tensors with the settings that their options make. */
export function modeloptConfig(
  settingsOf: (options: object) => ModeloptSettings,
): Required<Pick<Convention, "layers" | "config" | "files">> {
  return {
    layers: "linear",
    config(options, floats = []): Readonly<Record<string, unknown>> {
      const { algorithm, type, group } = settingsOf(options);
      const weights = { dynamic: false, num_bits: 4, type, group_size: group };
      return {
        quantization_config: {
          config_groups: { group_0: { weights, targets: ["Linear"] } },
          ignore: floats,
          quant_algo: algorithm,
          group_size: group,
          producer,
          quant_method: "modelopt",
        },
      };
    },
    files(options, floats = []): Readonly<Record<string, object>> {
      const { algorithm, group, more } = settingsOf(options);
      return {
        "hf_quant_config.json": {
          producer,
          quantization: {
            quant_algo: algorithm,
            kv_cache_quant_algo: null,
            group_size: group,
            ...more,
            exclude_modules: floats,
          },
        },
      };
    },
  };
}
