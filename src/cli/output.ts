/**
 * The containers that are written: what goes where, known before any work.
 *
 * @module
 */
import type { ByteSink } from "../files/bytes.ts";
import { printable, quote } from "../files/errors.ts";
import { createFile } from "../files/file_sink.ts";
import { npyHeader } from "../files/npy.ts";
import { entryName, planParts, type QuantizedPlan } from "../files/parts.ts";
import { describeQuantized, QUANTIZED_KEY } from "../files/quantized.ts";
import { planSafetensors } from "../files/safetensors.ts";
import { spoolOutput } from "../files/stdio.ts";
import { abortAll } from "../files/temporary.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import type { Progress } from "./progress.ts";
import type { Io } from "./terminal.ts";
import { bytes } from "./text.ts";

/** A container that can be written. */
export type OutputContainer = "safetensors" | "npy" | "gguf" | "onnx";

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
  /** Bytes of the whole file. */
  readonly size: number;
  /** Absolute offset of a tensor, or of a part of it. */
  offsetOf(tensor: string, part?: string): number;
  /** Writes all but the tensors. */
  writeFrame(sink: ByteSink): Promise<void>;
}

/** Where the output goes, and whether it may replace a file. */
export const OUTPUT_FLAGS: readonly Flag[] = [
  {
    name: "output",
    short: "o",
    takes: "OUT",
    help: "the file to write; - is standard output",
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
  const container = ENDINGS.find(([ending]) =>
    path.toLowerCase().endsWith(ending)
  )?.[1];
  if (container === undefined || !allowed.includes(container)) {
    const endings = allowed.map((name) => `.${name}`).join(" or ");
    throw new UsageError(
      `Cannot write ${printable(path)}: the output must end in ${endings}${
        container === "npy" ? ", as .npy holds one array of plain numbers" : ""
      }`,
    );
  }
  return { path, container };
}

/** Opens the output; nothing is seen there before it commits. No file that the call reads is written, nor one of its shards. */
export function openOutput(
  path: string,
  call: Call,
  shards: readonly string[] = [],
): Promise<ByteSink> {
  const inputs = [...call.inputs, ...shards];
  return path === STANDARD
    ? spoolOutput()
    : createFile(path, { force: call.has("force"), inputs });
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
 * Lays out a safetensors file.
 *
 * @param tensors What it shall hold.
 * @param metadata Its `__metadata__`, to which what is quantized is added.
 * @returns The plan.
 */
export function safetensorsOutput(
  tensors: readonly OutputTensor[],
  metadata: ReadonlyMap<string, string> = new Map(),
): OutputPlan {
  const plans = tensors.flatMap(({ quantized }) => quantized ?? []);
  const described = new Map(metadata);
  described.delete(QUANTIZED_KEY);
  if (plans.length > 0) {
    described.set(QUANTIZED_KEY, describeQuantized(plans));
  }
  const entries = tensors.flatMap(({ name, shape, dtype, quantized }) =>
    quantized ? planParts(quantized) : [{ name, shape, dtype: dtype! }]
  );
  const plan = planSafetensors(entries, described);
  const formatOf = new Map(plans.map(({ name, format }) => [name, format]));
  const offsets = new Map(plan.tensors.map((e) => [e.name, e.offset]));
  return {
    size: plan.size,
    offsetOf: (tensor, part) =>
      offsets.get(
        part === undefined
          ? tensor
          : entryName(formatOf.get(tensor)!, tensor, part),
      )!,
    writeFrame: (sink) => sink.write(0, plan.header),
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
