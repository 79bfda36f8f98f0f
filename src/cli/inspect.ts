/**
 * `inspect`: what is in a file.
 *
 * @module
 */
import { basename } from "node:path";
import { isCheckpoint } from "../files/checkpoint.ts";
import { printable, quote } from "../files/errors.ts";
import { isGguf } from "../files/gguf_read.ts";
import { shardsText } from "../files/gguf_shards.ts";
import {
  type Importance,
  isImportance,
  openLegacyImportance,
  readImportance,
} from "../files/imatrix.ts";
import { importanceJson, importanceText } from "./importance.ts";
import { STANDARD } from "./output.ts";
import { QUANTIZED_KEY } from "../files/quantized.ts";
import { withoutClasses } from "../files/tensor_classes.ts";
import type { TensorFile } from "../files/tensors.ts";
import { sizeOf } from "../numeric/shape.ts";
import { type Call, type Command, DONE, show, UsageError } from "./command.ts";
import { FIT_FLAGS } from "./fit.ts";
import { FORMAT_FLAGS, FormatChooser } from "./formats_flag.ts";
import { ggmlTypeOf, valueJson, valueText } from "./gguf.ts";
import { DTYPE_FLAG, withFile } from "./input.ts";
import { ALL_FLAG } from "./kept.ts";
import { planFile } from "./quantize_plan.ts";
import { copiedJson, copiedText, taskJson, tasksTable } from "./report.ts";
import { SELECTION_FLAGS } from "./select.ts";
import { columnsOf, table } from "./table.ts";
import type { Io } from "./terminal.ts";
import { bitsText, bytes, countOf, shapeText } from "./text.ts";
import { warn } from "./output.ts";
import { type Tensor, tensorsOf } from "./tensors.ts";

/** The command. */
export const inspectCommand: Command = {
  name: "inspect",
  summary: "Tell what is in a file: container, tensors, formats, metadata",
  operands: "IN",
  count: 1,
  flags: [
    {
      name: "dry-run",
      help: "tell what quantize would make of it, and how large, by --format",
    },
    ...FORMAT_FLAGS,
    ...SELECTION_FLAGS,
    ALL_FLAG,
    ...FIT_FLAGS,
    DTYPE_FLAG,
  ],
  examples: [
    ["inspect small.safetensors", "Tensors with their formats and sizes"],
    ["inspect model.gguf --json", "The same for a program"],
    [
      "inspect model.safetensors --dry-run --format q4_k",
      "The size of a GGUF before it is made",
    ],
  ],
  run,
};

async function run(call: Call, io: Io): Promise<number> {
  const chooser = call.has("dry-run") ? new FormatChooser(call) : undefined;
  checkFlags(call);
  const [path] = call.operands;
  const legacy = path === STANDARD || chooser || await isCheckpoint(path)
    ? undefined
    : await openLegacyImportance(path);
  if (legacy) {
    tellImportance(call, io, legacy);
    return DONE;
  }
  await withFile(call, path, async (file) => {
    if (isGguf(file) && isImportance(file) && !chooser) {
      return tellImportance(call, io, await readImportance(file.source));
    }
    if (chooser) return await dryRun(call, io, file, chooser);
    const doubts: string[] = [];
    const tensors = await tensorsOf(file, doubts);
    const warnings = [doubts, foreignReasons(tensors), boundReasons(file)]
      .flatMap(shortened);
    warn(call, io, warnings);
    show(
      call,
      io.out,
      () => ({ file: call.operands[0], ...fileJson(file, tensors), warnings }),
      (columns) => fileText(file, tensors, columns),
    );
  });
  return DONE;
}

function tellImportance(call: Call, io: Io, importance: Importance): void {
  show(
    call,
    io.out,
    () => ({ file: call.operands[0], ...importanceJson(importance) }),
    (columns) => importanceText(importance, columns),
  );
}

/** Reasons of this kind that are told. */
const SHOWN_REASONS = 5;

/** A line for each module that another program has quantized. */
function foreignReasons(tensors: readonly Tensor[]): string[] {
  return [...new Set(tensors.flatMap(({ foreign }) => foreign ?? []))];
}

/** A line for each reason why tensors belong to something that is not read. */
function boundReasons({ bound }: TensorFile): string[] {
  const names = new Map<string, string[]>();
  for (const [name, why] of bound ?? []) {
    const others = names.get(why);
    if (others) others.push(name);
    else names.set(why, [name]);
  }
  return Array.from(names, ([why, [first, ...more]]) => {
    const others = more.length > 0 ? `, and ${more.length} more` : "";
    return `tensor ${quote(first)}${others}: ${why}`;
  });
}

function shortened(reasons: readonly string[]): readonly string[] {
  const more = reasons.length - SHOWN_REASONS;
  return more > 0
    ? [...reasons.slice(0, SHOWN_REASONS), `and ${more} more of this kind`]
    : reasons;
}

function checkFlags(call: Call): void {
  if (call.has("dry-run")) return;
  for (
    const { name } of [
      ...FORMAT_FLAGS,
      ...SELECTION_FLAGS,
      ALL_FLAG,
      ...FIT_FLAGS,
    ]
  ) {
    if (call.has(name)) {
      throw new UsageError(`Flag --${name} goes with --dry-run: add that`);
    }
  }
}

/** Tells what `quantize` would do; formats of ggml go to GGUF, others to safetensors. */
async function dryRun(
  call: Call,
  io: Io,
  file: TensorFile,
  chooser: FormatChooser,
): Promise<void> {
  const container = chooser.formats.every(ggmlTypeOf) ? "gguf" : "safetensors";
  const { tasks, output } = await planFile(call, chooser, file, container);
  const sizes = { bytesBefore: file.source.size, bytesAfter: output.size };
  show(
    call,
    io.out,
    () => ({
      file: call.operands[0],
      container,
      ...sizes,
      tensors: tasks.quantized.map(taskJson),
      copied: tasks.copied.map(copiedJson),
    }),
    (columns) => [
      ...tasksTable(tasks, columns),
      ...copiedText(tasks),
      `as ${container}: ${bytes(sizes.bytesBefore)} → ${
        bytes(sizes.bytesAfter)
      } (${sizes.bytesAfter} bytes); nothing was written`,
    ],
  );
}

/** Bits that a value takes in the file. */
function bitsOf({ byteLength, shape }: Tensor): number {
  return byteLength * 8 / Math.max(1, sizeOf(shape));
}

function fileText(
  file: TensorFile,
  tensors: readonly Tensor[],
  columns?: number,
): string[] {
  const { container, source } = file;
  const values = tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const facts = [
    ["file", source.name],
    [
      "container",
      isGguf(file)
        ? `gguf ${file.version}${
          file.bigEndian ? ", big-endian" : ""
        }, aligned to ${file.alignment}${shardsText(file)}`
        : container + shardsText(file),
    ],
    ["size", bytes(source.size)],
    ["tensors", `${tensors.length} of ${countOf(values, "value")}`],
    ...metadataOf(file).map(([key, value]) => [
      printable(key, 40),
      printable(value),
    ]),
  ];
  const right = "right" as const;
  const list = table(
    ["tensor", "type", "shape", "bits", "bytes", "options"],
    tensors.map((tensor) => [
      printable(tensor.name),
      printable(tensor.dtype, 16),
      shapeText(tensor.shape),
      bitsText(bitsOf(tensor)),
      bytes(tensor.byteLength),
      optionsText(tensor),
    ]),
    ["left", "left", "left", right, right],
    columns,
  );
  return [...columnsOf(facts, [], columns), "", ...list];
}

function optionsText({ quantized }: Tensor): string {
  return Object.entries(quantized?.options ?? {})
    .map(([name, value]) => `${name} ${value}`).join(", ");
}

/** What a file says about itself, without what is there for this program and torchao to find its tensors. */
function metadataOf(file: TensorFile): [key: string, value: string][] {
  if (isGguf(file)) {
    return Array.from(file.values, ([key, value]) => [key, valueText(value)]);
  }
  return [...withoutClasses(file.metadata)].filter(([key]) =>
    key !== QUANTIZED_KEY
  );
}

function metadataJson(file: TensorFile): object {
  return Object.fromEntries(
    isGguf(file)
      ? Array.from(file.values, ([key, value]) => [key, valueJson(value)])
      : metadataOf(file),
  );
}

function fileJson(file: TensorFile, tensors: readonly Tensor[]): object {
  return {
    container: file.container,
    ...(file.paths && { files: file.paths.map((path) => basename(path)) }),
    bytes: file.source.size,
    metadata: metadataJson(file),
    tensors: tensors.map((tensor) => ({
      name: tensor.name,
      shape: tensor.shape,
      ...(tensor.quantized
        ? {
          format: tensor.quantized.format.name,
          options: tensor.quantized.options,
          parts: Object.fromEntries(
            Array.from(tensor.quantized.parts, ([part, entry]) => [part, {
              dtype: entry.dtype,
              shape: entry.shape,
              bytes: entry.byteLength,
            }]),
          ),
        }
        : { dtype: tensor.dtype }),
      bitsPerValue: bitsOf(tensor),
      bytes: tensor.byteLength,
    })),
  };
}
