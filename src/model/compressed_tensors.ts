/**
 * Checkpoints of compressed-tensors: the names of their entries, and what
 * `quantization_config` in `config.json` says of them.
 *
 * @module
 */
import type { Candidate, Convention, Recognized } from "../words/format.ts";
import { isObject, memberOf, settingsOf, shownValue } from "./config.ts";

function fail(what: string): never {
  throw new RangeError(`Cannot read it as compressed_tensors: ${what}`);
}

const FLOATS: readonly string[] = ["F32", "F16", "BF16"];

/** Settings of weights, one for each group of modules that the config has. */
function weightsOf(config: unknown): readonly unknown[] | undefined {
  const groups = memberOf(settingsOf(config), "config_groups");
  return isObject(groups)
    ? Object.values(groups).map((group) => memberOf(group, "weights"))
    : undefined;
}

/** Whether settings are those of four-bit integers. */
function isInt4(weights: unknown): boolean {
  return memberOf(weights, "num_bits") === 4 &&
    (memberOf(weights, "type") ?? "int") === "int";
}

/** How many inputs a scale is for, in settings; all of them where it is one for each output. */
function sizeIn(weights: unknown, columns: number): unknown {
  return memberOf(weights, "strategy") === "channel"
    ? columns
    : memberOf(weights, "group_size");
}

/**
 * How many inputs there are: `weight_shape` says it, or else groups of a known
 * size do, or else words are full, which reading `weight_shape` later confirms.
 */
function columnsOf(
  { numbers }: Candidate,
  [words, groups]: readonly [number, number],
  settings: readonly unknown[],
): number {
  const known = numbers?.("weight_shape")?.[1];
  if (known !== undefined) return known;
  const sizes = settings.map((weights) => memberOf(weights, "group_size"));
  const columns = sizes.filter((size) => typeof size === "number")
    .map((size) => size * groups)
    .find((columns) => Math.ceil(columns / 8) === words);
  return columns ?? words * 8;
}

function recognize(candidate: Candidate): Recognized | undefined {
  const { parts, config } = candidate;
  const { weight_packed, weight_scale, weight_shape } = parts;
  if (weight_packed.dtype !== "I32" || weight_shape.dtype !== "I64") {
    return undefined;
  }
  if (weight_packed.shape.length !== 2) {
    fail(
      `part "weight_packed" is [${weight_packed.shape}]; stacks of matrices are not read`,
    );
  }
  const all = weightsOf(config), settings = all?.filter(isInt4);
  if (settings?.length === 0) return undefined;
  const [rows, words] = weight_packed.shape;
  const [scaleRows, groups] = weight_scale.shape;
  if (
    weight_scale.shape.length !== 2 || scaleRows !== rows ||
    !FLOATS.includes(weight_scale.dtype)
  ) {
    fail(
      `part "weight_scale" is ${weight_scale.dtype} [${weight_scale.shape}], not floats for ${rows} outputs`,
    );
  }
  const columns = columnsOf(candidate, [words, groups], settings ?? []);
  if (Math.ceil(columns / 8) !== words) {
    // Eight bits pack four to a word.
    if (!settings && Math.ceil(columns / 4) === words) return undefined;
    fail(
      `part "weight_packed" has ${words} words to an output, ${columns} inputs take ${
        Math.ceil(columns / 8)
      }`,
    );
  }
  const size = columns / Math.max(1, groups);
  if (settings && !settings.some((one) => sizeIn(one, columns) === size)) {
    fail(
      `part "weight_scale" has ${groups} groups of ${columns} inputs, the config's group_size is ${
        shownValue(sizeIn(settings[0], columns))
      }`,
    );
  }
  return {
    shape: [rows, columns],
    options: {
      groupSize: groups === 1 ? "row" : size,
      symmetric: parts.weight_zero_point === undefined,
      scaleDtype: weight_scale.dtype,
      actOrder: parts.weight_g_idx !== undefined,
    },
  };
}

/** The settings that say what {@linkcode recognize} reads from them. */
function configOf(
  given: object,
  floats: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  const { groupSize, symmetric, actOrder } = given as {
    readonly groupSize: number | "row";
    readonly symmetric: boolean;
    readonly actOrder: boolean;
  };
  const byRow = groupSize === "row";
  return {
    quant_method: "compressed-tensors",
    format: "pack-quantized",
    quantization_status: "compressed",
    config_groups: {
      group_0: {
        targets: ["Linear"],
        weights: {
          num_bits: 4,
          type: "int",
          symmetric,
          strategy: byRow ? "channel" : "group",
          group_size: byRow ? null : groupSize,
          dynamic: false,
          ...(actOrder && { actorder: "group" }),
        },
        input_activations: null,
        output_activations: null,
      },
    },
    ignore: floats,
    kv_cache_scheme: null,
    global_compression_ratio: null,
  };
}

/** How checkpoints of compressed-tensors name the parts of a weight, and how it is recognized. */
export const compressedTensorsConvention: Convention = {
  entries: {
    weight_packed: "{stem}.weight_packed",
    weight_scale: "{stem}.weight_scale",
    weight_shape: "{stem}.weight_shape",
    weight_zero_point: "{stem}.weight_zero_point",
    weight_g_idx: "{stem}.weight_g_idx",
  },
  library: "compressed-tensors",
  needed: ["weight_packed", "weight_scale", "weight_shape"],
  recognize,
  layers: "linear",
  config: configOf,
};
