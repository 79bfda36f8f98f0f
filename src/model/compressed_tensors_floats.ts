/**
 * What compressed-tensors writes of 4-bit floats to a config, and what it may say
 * against a tensor.
 *
 * @module
 */
import type { Candidate } from "../words/format.ts";
import { isObject, memberOf, shownValue } from "./config.ts";

/** What the config says of a format of E2M1 values. */
export interface FloatScheme {
  /** The `format` of the config. */
  readonly format: string;
  /** Values that share a scale. */
  readonly group: number;
  /** The `strategy` of the config. */
  readonly strategy: "group" | "tensor_group";
  /** What torch calls the type of the scales. */
  readonly scaleDtype: string;
}

/** The `quantization_config` of a checkpoint of one format. */
export function floatConfig(
  { format, group, strategy, scaleDtype }: FloatScheme,
  floats: readonly string[] = [],
): Record<string, unknown> {
  return {
    quant_method: "compressed-tensors",
    format,
    quantization_status: "compressed",
    config_groups: {
      group_0: {
        targets: ["Linear"],
        weights: {
          num_bits: 4,
          type: "float",
          symmetric: true,
          group_size: group,
          strategy,
          dynamic: false,
          scale_dtype: scaleDtype,
        },
      },
    },
    ignore: floats,
  };
}

/** What the config says against a tensor; formats of their own for some tensors make it say nothing. */
export function floatFault(
  { config }: Candidate,
  { format }: FloatScheme,
): string | undefined {
  const all = memberOf(config, "quantization_config") ?? config;
  const said = memberOf(all, "format");
  if (!isObject(all) || said === undefined || said === format) return undefined;
  return said === "mixed-precision"
    ? undefined
    : `the config says format ${
      shownValue(said)
    }, its parts are those of ${format}`;
}
