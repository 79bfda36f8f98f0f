/**
 * The folder of a checkpoint as an output: the shards of the input again, with
 * index and config rewritten and everything else copied.
 *
 * @module
 */
import { join } from "node:path";
import { readSmallText } from "../files/small_files.ts";
import {
  type FilesBeside,
  filesBeside,
  fillFolder,
  weightMap,
} from "../files/checkpoint_files.ts";
import { printable, quote } from "../files/errors.ts";
import { floatModules } from "../files/modules.ts";
import type { QuantizedPlan } from "../files/parts.ts";
import type { Convention } from "../words/format.ts";
import { changeMembers } from "../files/json_text.ts";
import { CONFIG_BYTES, INDEX_BYTES } from "../files/limits.ts";
import type { TensorPlan } from "../files/safetensors_write.ts";
import { classesOf } from "../files/tensor_classes.ts";
import type { Checkpoint, TensorFile } from "../files/tensors.ts";
import { dtypes } from "../numeric/dtypes.ts";
import { sizeOf } from "../numeric/shape.ts";
import {
  entriesOf,
  type OutputPlan,
  type OutputTensor,
  safetensorsOutput,
} from "./output.ts";
import { type FilePlace, placesIn } from "./places.ts";
import type { Tensor } from "./tensors.ts";

const CONFIG = "config.json";
/** Members of the config that tell how a model is quantized. */
const SETTINGS = ["quantization", "quantization_config", "compression_config"];
/** Files that a warning names. */
const SHOWN_FILES = 5;

/** A tensor that is written, and what it comes from. */
export type FromTensor = readonly [output: OutputTensor, from: Tensor];

/**
 * Lays out a folder.
 *
 * @param file The input.
 * @param tensors What is written.
 * @returns The plan, and what the user should know.
 * @throws {RangeError} If the input is no folder, or two tensors have one name.
 */
export async function folderOutput(
  file: TensorFile,
  tensors: readonly FromTensor[],
): Promise<{ output: OutputPlan; warnings: readonly string[] }> {
  const { checkpoint } = file;
  if (!checkpoint) {
    throw new RangeError(
      `Cannot write a folder: ${file.source.name} is not the folder of a checkpoint; name a file as the output`,
    );
  }
  const shards = planShards(checkpoint, tensors);
  const texts = new Map<string, string>();
  const index = await indexText(checkpoint, shards);
  if (index !== undefined) texts.set(checkpoint.index!, index);
  const names = new Set(checkpoint.shards.map(({ name }) => name));
  const beside = await filesBeside(checkpoint.folder, names);
  const config = settingsFor(tensors);
  for (const [name, settings] of Object.entries(config.files)) {
    texts.set(name, `${JSON.stringify(settings, null, 2)}\n`);
  }
  const copies = copiesOf(beside, config);
  if (beside.kept.includes(CONFIG)) {
    const path = join(checkpoint.folder, CONFIG);
    const text = await readSmallText(path, CONFIG_BYTES);
    texts.set(CONFIG, config.kept ? text : changed(path, text, config.members));
  }
  return {
    output: {
      ...placesIn(shards),
      folder: {
        files: shards,
        inputs: [checkpoint.folder],
        fill: (to) => fillFolder(checkpoint.folder, to, copies, texts),
      },
    },
    warnings: [...config.warnings, ...leftOut(beside)],
  };
}

/** A shard that is written. */
interface ShardPlan extends FilePlace {
  readonly name: string;
  /** What they become. */
  readonly entries: readonly TensorPlan[];
}

/** The shards of the input, without those that nothing is left of. */
function planShards(
  { shards }: Checkpoint,
  tensors: readonly FromTensor[],
): ShardPlan[] {
  const groups = shards.map((): number[] => []);
  tensors.forEach(([_, { entries: [{ offset }] }], number) => {
    groups[shards.findLastIndex(({ start }) => start <= offset)].push(number);
  });
  const classes = classesOf(tensors.map(([output]) => output));
  const plans: ShardPlan[] = [], seen = new Set<string>();
  let start = 0;
  shards.forEach(({ name, metadata }, i) => {
    const numbers = groups[i];
    if (numbers.length === 0) return;
    const outputs = numbers.map((number) => tensors[number][0]);
    const plan = safetensorsOutput(outputs, metadata, classes);
    const entries = outputs.flatMap(entriesOf);
    for (const { name } of entries) {
      if (seen.has(name)) {
        throw new RangeError(`Cannot write two tensors named ${quote(name)}`);
      }
      seen.add(name);
    }
    plans.push({ name, start, plan, numbers, entries });
    start += plan.size;
  });
  return plans;
}

/** The index of what is written; undefined where the input has none. */
async function indexText(
  { folder, index }: Checkpoint,
  shards: readonly ShardPlan[],
): Promise<string | undefined> {
  if (index === undefined) return undefined;
  const shardOf = new Map<string, string>();
  let total = 0;
  for (const { name: shard, entries } of shards) {
    for (const { name, dtype, shape } of entries) {
      shardOf.set(name, shard);
      total += sizeOf(shape) * dtypes.get(dtype)!.bits / 8;
    }
  }
  const text = await readSmallText(join(folder, index), INDEX_BYTES);
  const changes = new Map<string, unknown>([
    ["metadata", { total_size: total }],
    ["weight_map", weightMap(shardOf)],
  ]);
  return changeMembers(text, changes);
}

/** What the config has to say. */
interface ConfigChange {
  /** Whether it stays as it is. */
  readonly kept: boolean;
  /** Its new members. */
  readonly members: Readonly<Record<string, unknown>>;
  /** Files of settings beside it. */
  readonly files: Readonly<Record<string, object>>;
  readonly warnings: readonly string[];
}

/** Settings of quantization that all quantized tensors agree on. */
function settingsFor(tensors: readonly FromTensor[]): ConfigChange {
  const outputs = tensors.map(([output]) => output);
  const settings = new Map<string, Settings>();
  let untold: OutputTensor | undefined;
  for (const output of outputs) {
    if (!output.quantized) continue;
    const told = settingsOf(output.quantized);
    if (told) settings.set(told.key, told);
    else untold ??= output;
  }
  const before = tensors.some(([_, { foreign, scalesOf }]) =>
    foreign !== undefined || scalesOf !== undefined
  );
  if (before) {
    const warnings = settings.size > 0 || untold
      ? [
        `${CONFIG} stays as it is: it tells of the tensors that were copied, and cannot tell of the others`,
      ]
      : [];
    return { kept: true, members: {}, files: {}, warnings };
  }
  const [first] = settings.values();
  if (untold || settings.size !== 1) {
    const why = untold
      ? `no library knows ${untold.quantized!.format.name} by one`
      : "the tensors differ in their settings, and it tells of one only";
    const warnings = untold || settings.size > 1
      ? [`${CONFIG} says nothing of quantization: ${why}`]
      : [];
    return { kept: false, members: {}, files: {}, warnings };
  }
  const { convention, options } = first;
  const floats = floatModules(outputs, convention.layers);
  const told = convention.config(options, floats);
  const whole = SETTINGS.some((member) => member in told);
  return {
    kept: false,
    members: whole ? told : { quantization_config: told },
    files: convention.files?.(options, floats) ?? {},
    warnings: [],
  };
}

/** What a config can tell of a tensor. */
interface Settings {
  readonly convention: Convention & Required<Pick<Convention, "config">>;
  readonly options: object;
  /** The same for all tensors of which it tells the same. */
  readonly key: string;
}

function settingsOf(
  { format, options: given, shape }: QuantizedPlan,
): Settings | undefined {
  const { convention } = format;
  if (!convention || !hasConfig(convention)) return undefined;
  const options = format.resolve(given, shape);
  return {
    convention,
    options,
    key: JSON.stringify(convention.config(options)),
  };
}

function hasConfig(
  convention: Convention,
): convention is Settings["convention"] {
  return convention.config !== undefined;
}

function changed(
  path: string,
  text: string,
  members: Readonly<Record<string, unknown>>,
): string {
  const changes = new Map<string, unknown>([
    ...SETTINGS.map((name) => [name, undefined] as const),
    ...Object.entries(members),
  ]);
  try {
    return changeMembers(text, changes);
  } catch (error) {
    throw new SyntaxError(
      `Cannot read ${printable(path)}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** Settings of quantization stay beside a config that stays. */
function copiesOf(
  { kept, settings }: FilesBeside,
  config: ConfigChange,
): string[] {
  const others = kept.filter((path) => path !== CONFIG);
  return config.kept ? [...others, ...settings] : others;
}

function leftOut({ weights }: FilesBeside): string[] {
  if (weights.length === 0) return [];
  const shown = weights.slice(0, SHOWN_FILES).map((path) => printable(path));
  const more = weights.length - shown.length;
  return [
    `other weights of the folder are not copied: ${shown.join(", ")}${
      more > 0 ? ` and ${more} more` : ""
    }`,
  ];
}
