/**
 * GPTQ checkpoints: the names of their entries, and what `quantize_config.json`,
 * or `quantization_config` in `config.json`, says of them.
 *
 * ```text
 * {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": false, "sym": true,
 *  "checkpoint_format": "gptq", "meta": {"quantizer": ["gptqmodel:7.7.0"]}}
 * ```
 *
 * The entries alone do not tell version 1 from 2, so there has to be one.
 *
 * @module
 */
import { gptqModelFloats } from "./gptqmodel.ts";
import { isObject, memberOf, shownValue } from "./config.ts";
import type { Candidate, Convention, Recognized } from "../words/format.ts";

/** The options that a checkpoint's settings decide. */
interface CheckpointOptions {
  readonly groupSize: number | "row";
  readonly symmetric: boolean;
  readonly version: 1 | 2;
  readonly zeros: "words" | "nibbles";
  readonly actOrder: boolean;
}

const DIMENSIONS: Readonly<Record<string, readonly [string, number]>> = {
  qweight: ["I32", 2],
  qzeros: ["I32", 2],
  scales: ["F16", 2],
  g_idx: ["I32", 1],
};

/** Throws the reason why a candidate is none that can be read. */
type Fail = (what: string) => never;

// ---- shapes ----

/** Inputs, outputs and groups, by parts that do not contradict each other. */
function sizesOf(
  { parts }: Candidate,
  bits: number,
  fail: Fail,
): { inputs: number; outputs: number; groups: number } {
  for (const [name, [dtype, dimensions]] of Object.entries(DIMENSIONS)) {
    const part = parts[name];
    if (part.dtype === dtype && part.shape.length === dimensions) continue;
    fail(
      `part "${name}" is ${part.dtype} [${part.shape}], it takes ${dtype} of ${dimensions} ${
        dimensions === 1 ? "dimension" : "dimensions"
      }`,
    );
  }
  const [inputs] = parts.g_idx.shape, [groups, outputs] = parts.scales.shape;
  const perWord = 32 / bits;
  const expected = {
    qweight: [Math.ceil(inputs / perWord), outputs],
    qzeros: [groups, Math.ceil(outputs / perWord)],
  };
  for (const [name, shape] of Object.entries(expected)) {
    if (String(parts[name].shape) === String(shape)) continue;
    fail(
      `part "${name}" is [${
        parts[name].shape
      }], which "g_idx" and "scales" make [${shape}]`,
    );
  }
  return { inputs, outputs, groups };
}

// ---- settings ----

function groupSizeOf(
  settings: unknown,
  { inputs, groups }: { inputs: number; groups: number },
  fail: Fail,
): number | "row" {
  const size = memberOf(settings, "group_size");
  if (!Number.isSafeInteger(size) || size !== -1 && !((size as number) > 0)) {
    fail(`the config's group_size is ${shownValue(size)}`);
  }
  const made = size === -1
    ? Math.min(1, inputs)
    : Math.ceil(inputs / (size as number));
  if (made !== groups) {
    fail(
      `the config's group_size ${size} makes ${made} groups of ${inputs} inputs, "scales" has ${groups}`,
    );
  }
  return size === -1 ? "row" : size as number;
}

/** A setting that is yes or no, with what its absence means. */
function flagOf(
  settings: unknown,
  name: string,
  absent: boolean,
  fail: Fail,
): boolean {
  const value = memberOf(settings, name) ?? absent;
  if (typeof value !== "boolean") {
    return fail(
      `the config's ${name} is ${shownValue(value)}, not true or false`,
    );
  }
  return value;
}

const VERSIONS: Readonly<Record<string, 1 | 2>> = { gptq: 1, gptq_v2: 2 };

/** How version 1 takes 1 from zero points: GPTQModel names itself, AutoGPTQ has no such setting. */
function zerosOf(
  settings: unknown,
  symmetric: boolean,
  version: 1 | 2,
  fail: Fail,
): "words" | "nibbles" {
  if (symmetric || version === 2) return "words";
  const quantizer = memberOf(memberOf(settings, "meta"), "quantizer");
  if (quantizer === undefined || quantizer === null) return "nibbles";
  const names = Array.isArray(quantizer) ? quantizer : [quantizer];
  if (names.some((n) => typeof n === "string" && n.startsWith("gptqmodel"))) {
    return "words";
  }
  return fail(
    `zero points of version 1 are stored in two ways, and the config's meta.quantizer ${
      shownValue(quantizer)
    } is neither gptqmodel's nor absent, as AutoGPTQ's is`,
  );
}

function recognize(candidate: Candidate): Recognized | undefined {
  const { config, stem = "it" } = candidate;
  const fail = (what: string): never => {
    throw new RangeError(`Cannot read ${stem} as gptq: ${what}`);
  };
  const settings = memberOf(config, "quantization_config") ?? config;
  if (!isObject(settings) || memberOf(settings, "bits") === undefined) {
    return fail(
      "it may be of version 1 or 2: put the quantize_config.json or config.json that says it beside the file",
    );
  }
  const method = memberOf(settings, "quant_method") ?? "gptq";
  const stored = memberOf(settings, "checkpoint_format") ?? "gptq";
  if (method !== "gptq" || typeof stored !== "string") return undefined;
  if (!Object.hasOwn(VERSIONS, stored)) return undefined;
  const bits = memberOf(settings, "bits");
  if (bits !== 2 && bits !== 4 && bits !== 8) return undefined;
  const sizes = sizesOf(candidate, bits, fail);
  if (bits !== 4) return undefined;
  const version = VERSIONS[stored];
  const symmetric = flagOf(settings, "sym", true, fail);
  const options: CheckpointOptions = {
    groupSize: groupSizeOf(settings, sizes, fail),
    symmetric,
    version,
    zeros: zerosOf(settings, symmetric, version, fail),
    // g_idx decides wherever it is not said to be in order.
    actOrder: flagOf(settings, "desc_act", true, fail),
  };
  return { shape: [sizes.outputs, sizes.inputs], options };
}

/** The settings that say what {@linkcode recognize} reads from them. */
function configOf(
  options: object,
  floats: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  const { groupSize, symmetric, version, zeros, actOrder } =
    options as CheckpointOptions;
  const words = !symmetric && version === 1 && zeros === "words";
  return {
    quant_method: "gptq",
    bits: 4,
    group_size: groupSize === "row" ? -1 : groupSize,
    desc_act: actOrder,
    sym: symmetric,
    ...gptqModelFloats(floats),
    checkpoint_format: version === 1 ? "gptq" : "gptq_v2",
    // GPTQModel takes zero points for its own only where this names it, from 0.9.0 on.
    ...(words && { meta: { quantizer: ["gptqmodel:0.9.0", "nibblewise"] } }),
  };
}

/** How GPTQ checkpoints name the parts of a weight, and how it is recognized. */
export const gptqConvention: Convention = {
  entries: {
    qweight: "{stem}.qweight",
    qzeros: "{stem}.qzeros",
    scales: "{stem}.scales",
    g_idx: "{stem}.g_idx",
  },
  needed: ["qweight", "qzeros", "scales", "g_idx"],
  recognize,
  layers: "linear",
  config: configOf,
  // AutoGPTQ reads nothing else, GPTQModel writes both.
  files: (options, floats) => ({
    "quantize_config.json": configOf(options, floats),
  }),
};
