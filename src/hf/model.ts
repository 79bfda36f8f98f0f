/**
 * The folder of a model seen as the GGUF that llama.cpp's converter writes of it: the header is
 * made, the tensors are read from the folder as they are asked for, and nothing is written.
 *
 * @module
 */
import { basename, join, resolve } from "node:path";
import type { ByteSource } from "../files/bytes.ts";
import { printable, quote } from "../files/errors.ts";
import type { EncodedDtype } from "../files/floats.ts";
import type { GgufFile } from "../files/gguf_read.ts";
import { ggufFileTypes, ggufQuantizationVersion } from "../files/gguf_types.ts";
import { planGguf } from "../files/gguf_write.ts";
import { sortTensors } from "../files/quantized.ts";
import type { Checkpoint, TensorFile } from "../files/tensors.ts";
import { sizeOf } from "../numeric/shape.ts";
import type { Config } from "./config.ts";
import type { Family } from "./family.ts";
import { readBytes, readConfig } from "./folder_files.ts";
import { ggufSource } from "./gguf_source.ts";
import { folderTensors, type ModelTensor } from "./folder_tensors.ts";
import { ModelValues } from "./model_values.ts";
import { nameOfModel, sizeLabel } from "./naming.ts";
import { poolingOf } from "./pooling.ts";
import { familyOf, knownClasses } from "./registry.ts";
import { describeSampling } from "./sampling.ts";
import { type ReadFile, tokenizerValues } from "./tokenizer/mod.ts";

/** How to see a folder. */
export interface ModelOptions {
  /** What matrices are; by default what they are in the folder. */
  readonly dtype?: EncodedDtype;
  /** llama.cpp's name of the pre-tokenizer, where it is not known by its hash. */
  readonly pre?: string;
}

/**
 * Whether a folder says of what architecture its model is.
 *
 * @param checkpoint The folder.
 */
export async function namesArchitecture(
  { folder }: Checkpoint,
): Promise<boolean> {
  const config = await readConfig(join(folder, "config.json"));
  return config?.has("architectures") ?? false;
}

/**
 * Sees the folder of a model as a GGUF.
 *
 * @param file The folder, opened; its source is closed with that of the result.
 * @param options How to see it.
 * @returns The model.
 * @throws {RangeError} If its architecture is not known, its config makes no sense or does not go
 * with its tensors, or it is quantized.
 * @throws {SyntaxError} If a file of the folder cannot be parsed.
 */
export async function openModel(
  file: TensorFile & { readonly checkpoint: Checkpoint },
  options: ModelOptions = {},
): Promise<GgufFile> {
  const { folder } = file.checkpoint;
  const whole = await readConfig(join(folder, "config.json")) ??
    fail(folder, "it has no config.json");
  const family = familyFor(folder, whole);
  const config = whole.withFieldsOf("text_config");
  await checkFloats(file, folder, whole);
  const read: ReadFile = (name) => readBytes(join(folder, name));
  const vocabSize = config.count("vocab_size", family.vocabulary);
  const tokens = await within(folder, () =>
    tokenizerValues(read, {
      architecture: family.architecture,
      unigram: family.unigram,
      vocabSize,
      pre: options.pre,
    }));
  const tensors = folderTensors(file, family, config, {
    ...options,
    tokens: tokens.get("tokenizer.ggml.tokens")?.length,
  });
  const values = new ModelValues(family.architecture);
  values.text("general.type", "model");
  describeSampling(
    await readConfig(join(folder, "generation_config.json")),
    values,
  );
  values.text(
    "general.name",
    nameOfModel(whole.text("_name_or_path"), basename(resolve(folder))),
  );
  values.text("general.size_label", sizeLabel(countOf(tensors)));
  const dtype = options.dtype ?? usualDtype(tensors);
  family.describe({
    config,
    fileType: ggufFileTypes.get(dtype.toLowerCase())!,
    pooling: await poolingOf(folder),
  }, values);
  values.u32("general.quantization_version", ggufQuantizationVersion);
  const all = new Map([...values.all, ...tokens]);
  return ggufOf(file, all, tensors);
}

/** All that a folder's header has, and where the bytes come from. */
function ggufOf(
  file: TensorFile,
  values: GgufFile["values"],
  tensors: readonly ModelTensor[],
): GgufFile {
  const plan = planGguf(values, tensors);
  const source: ByteSource = ggufSource(
    file.source,
    plan,
    tensors.map(({ contents }) => contents),
  );
  return {
    container: "gguf",
    source,
    version: 3,
    bigEndian: false,
    alignment: plan.alignment,
    values,
    tensors: plan.tensors,
    metadata: new Map(),
    paths: file.paths,
    checkpoint: file.checkpoint,
  };
}

function familyFor(folder: string, config: Config): Family {
  const [name] = config.texts("architectures") ?? [];
  if (name === undefined) {
    return fail(folder, "its config.json names no architecture");
  }
  return familyOf(name) ??
    fail(
      folder,
      `its architecture ${quote(name)} is none of ${
        knownClasses().join(", ")
      }; --rename with --format takes its tensors under names that you give, without metadata of a model`,
    );
}

/** Throws a RangeError where weights are not plain floats. */
async function checkFloats(
  file: TensorFile,
  folder: string,
  config: Config,
): Promise<void> {
  const { quantized } = await sortTensors(file);
  const what = quantized.length > 0
    ? `tensor ${quote(quantized[0].name)} is ${quantized[0].format.name}`
    : config.has("quantization_config") || await file.config?.() !== undefined
    ? "its config has settings of quantization"
    : undefined;
  if (what === undefined) return;
  fail(
    folder,
    `it is quantized already (${what}); dequantize it to a folder first, by dequantize FOLDER -o FLOATS/`,
  );
}

function fail(folder: string, reason: string, cause?: unknown): never {
  const message = `Cannot make a GGUF of ${printable(folder)}: ${reason}`;
  throw new RangeError(message, { cause });
}

/** Does something whose errors tell of files of the folder, and names the folder in them. */
async function within<T>(
  folder: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) {
      throw error;
    }
    return fail(folder, error.message, error);
  }
}

function countOf(tensors: readonly ModelTensor[]): number {
  return tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** What matrices are. */
function usualDtype(tensors: readonly ModelTensor[]): EncodedDtype {
  return tensors.find(({ dtype }) => dtype !== "F32")?.dtype ?? "F32";
}
