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
import type { Candidate, Convention, Recognized } from "../words/format.ts";
import type { PartSpec } from "../words/layout.ts";

/** The options that a checkpoint's settings decide. */
interface CheckpointOptions {
  readonly groupSize: number | "row";
  readonly symmetric: boolean;
  readonly version: 1 | 2;
  readonly zeros: "words" | "nibbles";
  readonly actOrder: boolean;
}

type Settings = Readonly<Record<string, unknown>>;

const DIMENSIONS: Readonly<Record<string, readonly [string, number]>> = {
  qweight: ["I32", 2],
  qzeros: ["I32", 2],
  scales: ["F16", 2],
  g_idx: ["I32", 1],
};

/** A member of what a config file says, never one of its prototype. */
function setting(settings: unknown, name: string): unknown {
  return isObject(settings) && Object.hasOwn(settings, name)
    ? settings[name]
    : undefined;
}

function isObject(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fail(what: string): never {
  throw new RangeError(`Cannot read it as gptq: ${what}`);
}

/** A value of a config file in a message: short, on one line. */
function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 40);
}

// ---- shapes ----

/** Inputs, outputs and groups, by parts that do not contradict each other. */
function sizesOf(
  { parts }: Candidate,
  bits: number,
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
  expectShape("qweight", parts.qweight, [Math.ceil(inputs / perWord), outputs]);
  expectShape("qzeros", parts.qzeros, [groups, Math.ceil(outputs / perWord)]);
  return { inputs, outputs, groups };
}

function expectShape(
  name: string,
  { shape }: PartSpec,
  expected: readonly number[],
): void {
  if (String(shape) === String(expected)) return;
  fail(
    `part "${name}" is [${shape}], which "g_idx" and "scales" make [${expected}]`,
  );
}

// ---- settings ----

function groupSizeOf(
  settings: Settings,
  { inputs, groups }: { inputs: number; groups: number },
): number | "row" {
  const size = setting(settings, "group_size");
  if (!Number.isSafeInteger(size) || size !== -1 && !((size as number) > 0)) {
    fail(`the config's group_size is ${shown(size)}`);
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
function flagOf(settings: Settings, name: string, absent: boolean): boolean {
  const value = setting(settings, name) ?? absent;
  if (typeof value !== "boolean") {
    fail(`the config's ${name} is ${shown(value)}, not true or false`);
  }
  return value;
}

const VERSIONS: Readonly<Record<string, 1 | 2>> = { gptq: 1, gptq_v2: 2 };

/** How version 1 takes 1 from zero points: GPTQModel names itself, AutoGPTQ has no such setting. */
function zerosOf(
  settings: Settings,
  symmetric: boolean,
  version: 1 | 2,
): "words" | "nibbles" {
  if (symmetric || version === 2) return "words";
  const quantizer = setting(setting(settings, "meta"), "quantizer");
  if (quantizer === undefined || quantizer === null) return "nibbles";
  const names = Array.isArray(quantizer) ? quantizer : [quantizer];
  if (names.some((n) => typeof n === "string" && n.startsWith("gptqmodel"))) {
    return "words";
  }
  return fail(
    `zero points of version 1 are stored in two ways, and the config's meta.quantizer ${
      shown(quantizer)
    } is neither gptqmodel's nor absent, as AutoGPTQ's is`,
  );
}

function recognize(candidate: Candidate): Recognized | undefined {
  const { config } = candidate;
  if (!isObject(config) || setting(config, "bits") === undefined) {
    fail(
      "without the settings of its quantize_config.json or config.json it may be of version 1 or 2",
    );
  }
  const method = setting(config, "quant_method") ?? "gptq";
  const stored = setting(config, "checkpoint_format") ?? "gptq";
  if (method !== "gptq" || typeof stored !== "string") return undefined;
  if (!Object.hasOwn(VERSIONS, stored)) return undefined;
  const bits = setting(config, "bits");
  if (bits !== 2 && bits !== 4 && bits !== 8) return undefined;
  const sizes = sizesOf(candidate, bits);
  if (bits !== 4) return undefined;
  const version = VERSIONS[stored];
  const symmetric = flagOf(config, "sym", true);
  const options: CheckpointOptions = {
    groupSize: groupSizeOf(config, sizes),
    symmetric,
    version,
    zeros: zerosOf(config, symmetric, version),
    // g_idx decides wherever it is not said to be in order.
    actOrder: flagOf(config, "desc_act", true),
  };
  return { shape: [sizes.outputs, sizes.inputs], options };
}

/** The settings that say what {@linkcode recognize} reads from them. */
function configOf(options: object): Readonly<Record<string, unknown>> {
  const { groupSize, symmetric, version, zeros, actOrder } =
    options as CheckpointOptions;
  const words = !symmetric && version === 1 && zeros === "words";
  return {
    quant_method: "gptq",
    bits: 4,
    group_size: groupSize === "row" ? -1 : groupSize,
    desc_act: actOrder,
    sym: symmetric,
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
  config: configOf,
};
