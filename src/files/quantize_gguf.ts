/**
 * Quantizes a GGUF by a recipe, byte for byte as llama.cpp's quantizer writes it.
 *
 * A tensor is cut into stretches of a few hundred thousand values that depend on nothing
 * else; while one is computed, the next is read and the last is written.
 *
 * @module
 */
import type { RecipeName } from "../ggml/recipe_list.ts";
import { type GgmlType, ggmlTypes } from "../ggml/mod.ts";
import { allocate } from "../kernels/engine.ts";
import { firstNonFinite, ScaleOverflow } from "../numeric/finite.ts";
import type { ByteSink, ByteSource } from "./bytes.ts";
import { quote } from "./errors.ts";
import type { GgufFile } from "./gguf_read.ts";
import { writeGgufFrame } from "./gguf_write.ts";
import { readAhead } from "../stream/pipeline.ts";
import {
  planRecipeFiles,
  type RecipeFile,
  type RecipeFileOptions,
  type RecipeTask,
} from "./recipe_plan.ts";

/** Values in a stretch, unless a single row with importance has more: 2 MiB as float32. */
const STRETCH = 512 * 1024;
/** A multiple of the block sizes of all types. */
const STEP = 256;
/** Stretches in memory: one is computed while the next is read. */
const SLOTS = 2;

/** Told of every stretch: how many bytes of the source are done, and of which tensor. */
export type RecipeProgress = (bytes: number, tensor: string) => void;

/**
 * Quantizes a model that is open into one file.
 *
 * @param file The model.
 * @param sink Where to; the caller commits it, or aborts it when this rejects.
 * @param recipe The recipe.
 * @param options How to depart from it; `keepSplit` needs {@linkcode planRecipeFiles} and a sink for each file.
 * @returns Warnings.
 * @throws {RangeError} If the model does not suit the recipe, or values cannot be quantized; names the tensor.
 */
export async function quantizeGguf(
  file: GgufFile,
  sink: ByteSink,
  recipe: RecipeName,
  options: Omit<RecipeFileOptions, "keepSplit"> = {},
): Promise<readonly string[]> {
  const { files: [whole], warnings } = planRecipeFiles(file, recipe, options);
  await writeRecipeFile(file.source, whole, sink);
  return warnings;
}

/**
 * Writes one of the files of a plan.
 *
 * @param source The bytes of the model.
 * @param file What to write.
 * @param sink Where to; the caller commits it, or aborts it when this rejects.
 * @param progress Told of every stretch.
 * @throws {RangeError} If values cannot be quantized; names the tensor.
 */
export async function writeRecipeFile(
  source: ByteSource,
  file: RecipeFile,
  sink: ByteSink,
  progress: RecipeProgress = () => {},
): Promise<void> {
  await writeGgufFrame(sink, file.layout);
  const room = file.tasks.reduce(
    (most, task) => Math.max(most, roomOf(task)),
    0,
  );
  const slots = Array.from({ length: SLOTS }, () => new Slot(room));
  const outputs = Array.from({ length: SLOTS }, () => new Slot(room));
  const jobs = stretchesOf(file.tasks);
  const read = async (stretch: Stretch, slot: Slot) => {
    const bytes = slot.bytes(stretch.bytes);
    await source.read(stretch.task.from.offset + stretch.from, bytes);
    return { stretch, slot, bytes };
  };
  let turn = 0;
  try {
    for await (const { stretch, bytes } of readAhead(jobs, slots, read)) {
      const output = outputs[turn++ % outputs.length];
      await output.busy;
      const done = convert(stretch, bytes, output);
      const { task, to } = stretch;
      output.occupy(sink.write(task.to.offset + to, done));
      progress(stretch.bytes, task.name);
    }
  } finally {
    await Promise.allSettled(outputs.map(({ busy }) => busy));
  }
  for (const { busy } of outputs) await busy;
}

/** A part of a tensor that can be done by itself. */
interface Stretch {
  readonly task: RecipeTask;
  /** Where its bytes begin in the tensor, and how many there are. */
  readonly from: number;
  readonly bytes: number;
  /** Where its result begins. */
  readonly to: number;
  /** How many values it has. */
  readonly count: number;
  /** Where its weights begin. */
  readonly weightsAt: number;
}

/** Memory for a stretch, in WebAssembly where that works: kernels copy nothing then. */
class Slot {
  #memory: Float32Array<ArrayBuffer>;
  #values: Float32Array<ArrayBuffer> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(room: number) {
    this.#memory = allocate(room);
  }

  /** The memory's first bytes. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    const { buffer, byteOffset } = this.#memory;
    return new Uint8Array(buffer, byteOffset, count);
  }

  /** Memory for as many values, beside the bytes. */
  values(count: number): Float32Array<ArrayBuffer> {
    this.#values ??= allocate(this.#memory.length);
    return this.#values.subarray(0, count);
  }

  /** Settled when what was written last is written. */
  get busy(): Promise<void> {
    return this.#writing;
  }

  /** Says that the memory is being written. */
  occupy(writing: Promise<void> = Promise.resolve()): void {
    writing.catch(() => {}); // it surfaces where `busy` is awaited
    this.#writing = writing;
  }
}

/** How many float32 a stretch of a tensor takes at most, as values or as bytes. */
function roomOf(task: RecipeTask): number {
  return Math.min(stretchOf(task), Math.ceil(sizeOf(task) / STEP) * STEP);
}

function sizeOf({ from }: RecipeTask): number {
  return from.shape.reduce((product, length) => product * length, 1);
}

/** How many values are done at a time. */
function stretchOf({ from, importance }: RecipeTask): number {
  if (!importance) return STRETCH;
  // Weights belong to columns: rows stay whole.
  const columns = from.shape.at(-1)!;
  return columns * Math.max(1, Math.floor(STRETCH / columns));
}

function* stretchesOf(tasks: readonly RecipeTask[]): Generator<Stretch, void> {
  for (const task of tasks) {
    if (task.dtype === task.type) yield* copiesOf(task);
    else yield* conversionsOf(task);
  }
}

function* copiesOf(task: RecipeTask): Generator<Stretch, void> {
  const size = task.from.byteLength, step = 4 * roomOf(task);
  for (let at = 0; at < size; at += step) {
    const bytes = Math.min(step, size - at);
    yield { task, from: at, to: at, bytes, count: 0, weightsAt: 0 };
  }
}

function* conversionsOf(task: RecipeTask): Generator<Stretch, void> {
  const { from: { shape }, importance, dtype, type } = task;
  const columns = shape.at(-1)!, total = sizeOf(task);
  // Each matrix of the third axis has weights of its own.
  const matrix = importance ? columns * (shape.at(-2) ?? 1) : total;
  const step = stretchOf(task);
  const bytesOf = (name: string, values: number) => {
    const { blockSize, blockBytes } = ggmlTypes.get(name)!;
    return values / blockSize * blockBytes;
  };
  for (let start = 0; start < total; start += matrix) {
    for (let at = 0; at < matrix; at += step) {
      const first = start + at, count = Math.min(step, matrix - at);
      yield {
        task,
        count,
        from: bytesOf(dtype, first),
        bytes: bytesOf(dtype, count),
        to: bytesOf(type, first),
        weightsAt: importance ? start / matrix * columns : 0,
      };
    }
  }
}

/** The bytes of a stretch in its new type. */
function convert(
  { task, count, from, weightsAt }: Stretch,
  bytes: Uint8Array<ArrayBuffer>,
  output: Slot,
): Uint8Array {
  const { name, dtype, type, importance, from: { shape } } = task;
  if (dtype === type) {
    const copy = output.bytes(bytes.length);
    copy.set(bytes);
    return copy;
  }
  const source = ggmlTypes.get(dtype)!, target = ggmlTypes.get(type)!;
  const values = valuesOf(source, bytes, count, output);
  const columns = shape.at(-1)!;
  const first = from / source.blockBytes * source.blockSize;
  const where = (index: number) =>
    `Cannot quantize tensor ${quote(name)} to ${type}, row ${
      Math.floor((first + index) / columns)
    }`;
  if (target.kind === "float") return floats(target, values, output, where);
  const blocks = output.bytes(count / target.blockSize * target.blockBytes);
  try {
    if (importance) {
      const weights = importance.subarray(weightsAt, weightsAt + columns);
      target.quantize!(values, blocks, columns, weights);
    } else target.quantize!(values, blocks, count);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const bad = firstNonFinite(values);
    const [at, reason] = bad >= 0
      ? [bad, `it holds ${values[bad]}, which llama.cpp refuses too`]
      : error instanceof ScaleOverflow
      ? [error.first, `the scale of a block overflows ${error.stored}`]
      : [0, error.message];
    throw new RangeError(`${where(at)}: ${reason}`, { cause: error });
  }
  return blocks;
}

function valuesOf(
  source: GgmlType,
  bytes: Uint8Array<ArrayBuffer>,
  count: number,
  output: Slot,
): Float32Array<ArrayBuffer> {
  if (source.name === "F32") {
    return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  }
  const values = output.values(count);
  source.dequantize(bytes, values);
  return values;
}

/** Floats in place of blocks. llama.cpp checks them all, and so refuses what it cannot hold. */
function floats(
  target: GgmlType,
  values: Float32Array,
  output: Slot,
  where: (index: number) => string,
): Uint8Array {
  const bytes = output.bytes(values.length * target.blockBytes);
  target.quantize!(values, bytes, values.length);
  const back = new Float32Array(values.length);
  target.dequantize(bytes, back);
  const bad = firstNonFinite(back);
  if (bad < 0) return bytes;
  throw new RangeError(
    `${where(bad)}: it holds ${values[bad]}, which is no finite ${target.name}`,
  );
}
