/**
 * MLX checkpoints: the names of their entries, and what `quantization` in
 * `config.json` says of them, for all modules and for single ones.
 *
 * ```text
 * {"group_size": 64, "bits": 4, "mode": "affine", "model.embed_tokens": false}
 * ```
 *
 * The entries alone do not tell 4 bits in groups of 64 from 8 bits in groups of 32.
 *
 * @module
 */
import { isObject, memberOf, shownValue } from "./config.ts";
import { FLOATS } from "./groups.ts";
import { rowLength, withLastAxis } from "../numeric/shape.ts";
import type { Candidate, Convention, Recognized } from "../words/format.ts";
import type { ComputeDtype } from "../words/scheme.ts";

/** What the numbers of an `mlx` tensor are: even steps with a bias, or E2M1 values under a scale. */
export type MlxMode = "affine" | "mxfp4" | "nvfp4";

/** The options that a checkpoint's parts and settings decide. */
interface CheckpointOptions {
  readonly mode: MlxMode;
  readonly groupSize: number;
  readonly scaleDtype?: ComputeDtype;
  readonly globalScale?: boolean;
}

/** The group sizes of each mode, its default first. */
export const GROUP_SIZES: Readonly<Record<MlxMode, readonly number[]>> = {
  affine: [64, 32, 128],
  mxfp4: [32],
  nvfp4: [16],
};

/** The convention of `mlx`. */
export const mlxConvention: Convention = {
  entries: {
    weight: "{stem}.weight",
    scales: "{stem}.scales",
    biases: "{stem}.biases",
    global_scale: "{stem}.global_scale",
  },
  library: "MLX",
  needed: ["weight", "scales"],
  recognize,
  config(options, floats = []): Readonly<Record<string, unknown>> {
    const { mode, groupSize } = options as Required<CheckpointOptions>;
    const settings = {
      ...{ group_size: groupSize, bits: 4, mode },
      ...Object.fromEntries(floats.map((module) => [module, false])),
    };
    // mlx-lm writes both and reads the first; others look for the second.
    return { quantization: settings, quantization_config: settings };
  },
};

/** What the config says of a tensor. */
interface Settings {
  readonly group_size?: unknown;
  readonly bits?: unknown;
  readonly mode?: unknown;
}

function recognize(candidate: Candidate): Recognized | undefined {
  const { parts: { weight }, stem } = candidate;
  if (weight.dtype !== "U32" || weight.shape.length === 0) return undefined;
  const fail = (fault: string): never => {
    const name = stem === undefined ? "" : ` ${stem}`;
    throw new RangeError(`Cannot read${name} as mlx: ${fault}`);
  };
  const settings = settingsOf(candidate, fail);
  if (settings?.bits !== undefined && settings.bits !== 4) return undefined;
  const group = groupOf(candidate, fail);
  const mode = modeOf(candidate, settings, group, fail);
  if (mode === undefined) return undefined;
  const said = settings?.group_size;
  if (said !== undefined && said !== group) {
    fail(
      `the config says group_size ${shownValue(said)}, its parts make ${group}`,
    );
  }
  if (!GROUP_SIZES[mode].includes(group)) {
    fail(`its parts make groups of ${group}, ${mode} has ${GROUP_SIZES[mode]}`);
  }
  return {
    shape: withLastAxis(weight.shape, 8 * rowLength(weight.shape)),
    options: optionsOf(candidate, mode, group),
  };
}

function optionsOf(
  { parts: { scales, global_scale } }: Candidate,
  mode: MlxMode,
  groupSize: number,
): CheckpointOptions {
  return mode === "affine"
    ? { mode, groupSize, scaleDtype: scales.dtype as ComputeDtype }
    : { mode, groupSize, globalScale: global_scale !== undefined };
}

/** The settings of one tensor: its own, or those of all. */
function settingsOf(
  { config, stem = "" }: Candidate,
  fail: (fault: string) => never,
): Settings | undefined {
  const all = memberOf(config, "quantization") ??
    memberOf(config, "quantization_config") ?? config;
  const own = memberOf(all, stem);
  if (own === false) fail("the config says that it is not quantized");
  const settings: Settings | undefined = isObject(own)
    ? own
    : isObject(all)
    ? all
    : undefined;
  const isAny = settings?.bits !== undefined ||
    settings?.group_size !== undefined;
  return isAny ? settings : undefined;
}

/** Values that share a scale, if codes have 4 bits. */
function groupOf(
  { parts: { weight, scales, biases } }: Candidate,
  fail: (fault: string) => never,
): number {
  const group = 8 * rowLength(weight.shape) / rowLength(scales.shape);
  const expected = withLastAxis(weight.shape, rowLength(scales.shape));
  if (!Number.isInteger(group) || String(expected) !== String(scales.shape)) {
    fail(
      `its weight [${weight.shape}] and scales [${scales.shape}] make no whole groups`,
    );
  }
  const alike = !biases || biases.dtype === scales.dtype &&
      String(biases.shape) === String(scales.shape);
  if (alike) return group;
  return fail(
    `its scales are ${scales.dtype} [${scales.shape}], its biases ` +
      `${biases.dtype} [${biases.shape}]`,
  );
}

/** The mode by parts and config; undefined where codes do not have 4 bits. */
function modeOf(
  { parts: { scales, biases, global_scale } }: Candidate,
  settings: Settings | undefined,
  group: number,
  fail: (fault: string) => never,
): MlxMode | undefined {
  const isFloat = Object.hasOwn(FLOATS, scales.dtype);
  if (!isFloat && scales.dtype !== "U8") {
    fail(`its scales are ${scales.dtype}, not F32, F16, BF16 or U8`);
  }
  if (isFloat && !biases) fail("it has scales that are floats and no biases");
  if (!isFloat && biases) fail("it has biases beside scales that are bytes");
  const said = settings && (settings.mode ?? "affine");
  const mode = isFloat ? "affine" : group === 16 ? "nvfp4" : "mxfp4";
  if (said === undefined) {
    if (isFloat) {
      fail(
        `its shapes do not tell 4 bits in groups of ${group} from other widths: ` +
          "put the config.json that says it beside the file",
      );
    }
    // Bytes as scales of 64 nibbles are those of mxfp8: 32 codes of 8 bits.
    if (group === 64) return undefined;
  } else if (said !== mode) {
    fail(
      `the config says mode ${
        shownValue(said)
      }, its parts are those of ${mode}`,
    );
  }
  const fits = !global_scale || mode === "nvfp4" &&
      global_scale.dtype === "F32" && global_scale.shape.length === 0;
  if (!fits) {
    fail(
      `its global_scale is ${global_scale.dtype} [${global_scale.shape}] in mode ${mode}`,
    );
  }
  return mode;
}
