/**
 * The containers that are written: what goes where, known before any work.
 *
 * @module
 */
import { dirname, join } from "node:path";
import type { ByteSink } from "../files/bytes.ts";
import { fileError, printable, quote } from "../files/errors.ts";
import { createFile } from "../files/file_sink.ts";
import {
  checkOutside,
  createFolder,
  type FolderOptions,
} from "../files/folder_sink.ts";
import { shardPath } from "../files/gguf_shards.ts";
import { JoinedSink } from "../files/joined_sink.ts";
import { npyHeader } from "../files/npy.ts";
import { partNames, planParts, type QuantizedPlan } from "../files/parts.ts";
import { describeQuantized, QUANTIZED_KEY } from "../files/quantized.ts";
import {
  type MetadataText,
  planSafetensors,
  type TensorPlan,
} from "../files/safetensors_write.ts";
import { classesOf, withoutClasses } from "../files/tensor_classes.ts";
import { spoolOutput } from "../files/stdio.ts";
import { PairSink } from "../files/pair_sink.ts";
import type { TensorFile } from "../files/tensors.ts";
import { abortAll } from "../files/temporary.ts";
import type { ByteWriter } from "../stream/bytes.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import type { Progress } from "./progress.ts";
import type { Io } from "./terminal.ts";
import { alternatives, bytes } from "./text.ts";

/** A container that can be written. */
export type OutputContainer =
  | "safetensors"
  | "npy"
  | "gguf"
  | "onnx"
  | "faiss"
  | "folder";

/** A tensor that shall be written: quantized, or elements of a dtype. */
export interface OutputTensor {
  /** Its name. */
  readonly name: string;
  /** The logical shape. */
  readonly shape: readonly number[];
  /** Type of its elements; absent where it is quantized. */
  readonly dtype?: string;
  /** Its size in bytes, where the type does not tell. */
  readonly byteLength?: number;
  /** How it is quantized. */
  readonly quantized?: QuantizedPlan;
}

/** Where everything goes. */
export interface OutputPlan {
  /** Bytes of the whole file, and of one beside it. */
  readonly size: number;
  /** Absolute offset of a tensor, by its number among those that are written, or of a part of it. */
  offsetOf(index: number, part?: string): number;
  /** Writes all but the tensors; called once. */
  writeFrame(sink: ByteWriter): Promise<void> | undefined;
  /** The file beside it that is written, too: what goes to it, and from which offset on. */
  readonly beside?: { readonly name: string; readonly start: number };
  /** What it takes to write a folder, where the output is one. */
  readonly folder?: FolderOptions;
  /** Where each file of a split GGUF starts, where the output is one. */
  readonly shards?: readonly number[];
}

/** Where the output goes, and whether it may replace a file. */
export const OUTPUT_FLAGS: readonly Flag[] = [
  {
    name: "output",
    short: "o",
    takes: "OUT",
    help:
      "the file to write; FOLDER/ for a checkpoint's, - for standard output",
  },
  { name: "force", help: "replace the output if it exists" },
];

/** `-` is standard output. */
export const STANDARD = "-";

const ENDINGS: readonly [ending: string, container: OutputContainer][] = [
  [".safetensors", "safetensors"],
  [".npy", "npy"],
  [".gguf", "gguf"],
  [".onnx", "onnx"],
  [".faiss", "faiss"],
];

/**
 * The output that a call names.
 *
 * @param call The call; knows `--output`.
 * @param io Whether standard output is a terminal, which bytes are not for.
 * @param allowed The containers that its command writes; the first is what standard output gets.
 * @returns Path and container.
 * @throws {UsageError} If there is none, or its ending says nothing.
 */
export function outputOf(
  call: Call,
  io: Pick<Io, "out">,
  allowed: readonly OutputContainer[],
): { path: string; container: OutputContainer } {
  const path = call.get("output");
  if (path === undefined) {
    throw new UsageError("No output is named: give one with -o OUT");
  }
  if (path === STANDARD) {
    if (call.has("json")) {
      throw new UsageError(
        "Both --json and -o - write to standard output: drop one of them",
      );
    }
    if (io.out.columns !== undefined) {
      throw new UsageError(
        "Standard output is a terminal, and the output no text: send it to a file or a program",
      );
    }
    return { path, container: allowed[0] };
  }
  const container = /[/\\]$/.test(path)
    ? "folder"
    : ENDINGS.find(([ending]) => path.toLowerCase().endsWith(ending))?.[1];
  if (container === undefined || !allowed.includes(container)) {
    const endings = allowed.map((name) =>
      name === "folder" ? "/ for a folder" : `.${name}`
    );
    throw new UsageError(
      `Cannot write ${printable(path)}: the output must end in ${
        alternatives(endings)
      }${
        container === "npy" ? ", as .npy holds one array of plain numbers" : ""
      }`,
    );
  }
  return { path, container };
}

/**
 * The files that are written.
 *
 * @param path What the call names.
 * @param output What is written.
 * @returns One path, or one for each file of a split GGUF.
 */
export function pathsOf(
  path: string,
  { shards }: Pick<OutputPlan, "shards">,
): readonly string[] {
  return shards?.map((_, no) => shardPath(path, no, shards.length)) ?? [path];
}

/**
 * Opens the output; nothing is seen there before it commits.
 *
 * @param path Where.
 * @param call The call; no file that it reads is written.
 * @param file The input; none of its shards is written, and nothing in its folder.
 * @param output What is written.
 * @returns The sink.
 */
export async function openOutput(
  path: string,
  call: Call,
  { paths = [], checkpoint }: Pick<TensorFile, "paths" | "checkpoint"> = {},
  output: Pick<OutputPlan, "folder" | "shards" | "beside"> = {},
): Promise<ByteSink> {
  if (output.folder) return await createFolder(path, output.folder);
  if (path === STANDARD) return await spoolOutput();
  if (checkpoint) {
    await checkOutside(path, checkpoint.folder).catch((error) => {
      throw fileError(`Cannot write ${printable(path)}`, error);
    });
  }
  const inputs = [...call.inputs, ...paths];
  const options = { force: call.has("force"), inputs };
  if (output.beside) return await openPair(path, output.beside, options);
  if (!output.shards) return await createFile(path, options);
  const sinks: ByteSink[] = [];
  const joined = new JoinedSink(printable(path), sinks, output.shards);
  try {
    for (const shard of pathsOf(path, output)) {
      sinks.push(await createFile(shard, options));
    }
  } catch (error) {
    await joined.abort();
    throw error;
  }
  return joined;
}

/** A file, and the one beside it that holds what comes behind `start`. */
async function openPair(
  path: string,
  { name, start }: NonNullable<OutputPlan["beside"]>,
  options: Parameters<typeof createFile>[1],
): Promise<ByteSink> {
  const sink = await createFile(path, options);
  try {
    const other = await createFile(join(dirname(path), name), options);
    return new PairSink(sink, start, other);
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

/**
 * Writes an output by `work`: committed when that is through, removed when it fails.
 *
 * @param sink The output.
 * @param progress What is cleared when the work ends.
 * @param work What writes it.
 * @returns What `work` returns.
 */
export async function writeOutput<T>(
  sink: ByteSink,
  progress: Progress,
  work: () => Promise<T>,
): Promise<T> {
  try {
    const result = await work();
    await sink.commit();
    return result;
  } catch (error) {
    await sink.abort();
    throw error;
  } finally {
    progress.end();
  }
}

/**
 * Tells of an output that has its name already: whatever goes wrong with the
 * telling, the work is done.
 *
 * @param io Where it is told.
 * @param tell Prints.
 */
export async function tellOfOutput(
  io: Io,
  tell: () => void | Promise<void>,
): Promise<void> {
  try {
    await tell();
    await io.flushed();
  } catch (error) {
    io.err.lines([
      `nibblewise: warning: the output is written, but not its report: ${
        (error as Error).message
      }`,
    ]);
  }
}

/** Prints warnings; not where no text is wanted, or where they are in the JSON. */
export function warn(call: Call, io: Io, warnings: readonly string[]): void {
  if (call.has("quiet") || call.has("json")) return;
  io.err.lines(warnings.map((warning) => `nibblewise: warning: ${warning}`));
}

/** What the user should know about files beside the output. */
export function leftoverWarnings({ leftovers = [] }: ByteSink): string[] {
  return leftovers.map(({ path, size }) =>
    `${printable(path)} (${
      bytes(size)
    }) is the unfinished output of a run that was killed, or of one that still runs; delete it if none does`
  );
}

/** Removes every unfinished output, when the process is told to end. */
export const removeUnfinished = abortAll;

/**
 * What `__metadata__` of a safetensors file says of where it comes from.
 *
 * @param file The input.
 * @returns What that says; of a GGUF that its tensors are as PyTorch's, which transformers asks of every file.
 */
export function metadataOf(
  { container, metadata }: TensorFile,
): ReadonlyMap<string, string> {
  return container === "gguf" ? new Map([["format", "pt"]]) : metadata;
}

/**
 * Lays out a safetensors file.
 *
 * @param tensors What it shall hold.
 * @param metadata Its `__metadata__`, to which what is quantized is added.
 * @param classes What else is said of the tensors of the checkpoint.
 * @returns The plan.
 */
export function safetensorsOutput(
  tensors: readonly OutputTensor[],
  metadata: ReadonlyMap<string, string> = new Map(),
  classes = classesOf(tensors),
): OutputPlan {
  const plans = tensors.flatMap(({ quantized }) => quantized ?? []);
  const described = new Map<string, MetadataText>(withoutClasses(metadata));
  described.delete(QUANTIZED_KEY);
  for (const [name, text] of classes) described.set(name, text);
  if (plans.length > 0) {
    described.set(QUANTIZED_KEY, describeQuantized(plans));
  }
  const { pieces, offsets, size } = planSafetensors(
    tensors.flatMap(entriesOf),
    described,
  );
  return { size, ...placed(tensors, offsets), ...frameOf(pieces) };
}

/** The entries of safetensors that a tensor becomes. */
export function entriesOf(
  { name, shape, dtype, quantized }: OutputTensor,
): TensorPlan[] {
  return quantized ? planParts(quantized) : [{ name, shape, dtype: dtype! }];
}

/** Finds the place of a part by numbers: there may be very many names. */
function placed(
  tensors: readonly OutputTensor[],
  offsets: Float64Array,
): Pick<OutputPlan, "offsetOf"> {
  const firsts = new Uint32Array(tensors.length);
  const parts: (readonly string[])[] = [];
  let first = 0;
  for (const { quantized } of tensors) {
    const names = quantized ? partNames(quantized) : [];
    firsts[parts.length] = first;
    first += quantized ? names.length : 1;
    parts.push(names);
  }
  return {
    offsetOf: (index, part) =>
      offsets[
        firsts[index] + (part === undefined ? 0 : parts[index].indexOf(part))
      ],
  };
}

/** Writes a header, and lets go of it: it may be a hundred megabytes. */
function frameOf(
  pieces: readonly Uint8Array[],
): Pick<OutputPlan, "writeFrame"> {
  const left = [...pieces];
  return {
    async writeFrame(sink) {
      let at = 0;
      for (let piece = left.shift(); piece; piece = left.shift()) {
        await sink.write(at, piece);
        at += piece.length;
      }
    },
  };
}

/**
 * Lays out a `.npy` file.
 *
 * @param tensors What it shall hold: one tensor.
 * @returns The plan.
 * @throws {RangeError} If there are more.
 */
export function npyOutput(tensors: readonly OutputTensor[]): OutputPlan {
  if (tensors.length !== 1) {
    const names = tensors.slice(0, 3).map(({ name }) => quote(name)).join(", ");
    throw new RangeError(
      `Cannot write ${tensors.length} tensors (${names}${
        tensors.length > 3 ? ", …" : ""
      }) to .npy: choose one with --tensors NAME, or write .safetensors`,
    );
  }
  const [{ name, dtype, shape }] = tensors;
  const header = npyHeader(dtype!, shape);
  const [{ byteLength }] =
    planSafetensors([{ name, dtype: dtype!, shape }]).tensors;
  return {
    size: header.length + byteLength,
    offsetOf: () => header.length,
    writeFrame: (sink) => sink.write(0, header),
  };
}
