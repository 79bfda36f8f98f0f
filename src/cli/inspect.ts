/**
 * `inspect`: what is in a file.
 *
 * @module
 */
import { printable } from "../files/errors.ts";
import { QUANTIZED_KEY } from "../files/quantized.ts";
import type { TensorFile } from "../files/tensors.ts";
import { sizeOf } from "../numeric/shape.ts";
import { type Call, type Command, DONE, type Io, show } from "./command.ts";
import { DTYPE_FLAG, withFile } from "./input.ts";
import { columnsOf, table } from "./table.ts";
import { bitsText, bytes, countOf, shapeText } from "./text.ts";
import { type Tensor, tensorsOf } from "./values.ts";

/** The command. */
export const inspectCommand: Command = {
  name: "inspect",
  summary: "Tell what is in a file: container, tensors, formats, metadata",
  operands: "IN",
  count: 1,
  flags: [DTYPE_FLAG],
  examples: [
    ["inspect small.safetensors", "Tensors with their formats and sizes"],
    ["inspect model.safetensors --json", "The same for a program"],
  ],
  run,
};

function run(call: Call, io: Io): Promise<number> {
  return withFile(call, call.operands[0], (file) => {
    const tensors = tensorsOf(file);
    show(
      call,
      io,
      () => fileJson(file, tensors),
      () => fileText(file, tensors),
    );
    return Promise.resolve(DONE);
  });
}

/** Bits that a value takes in the file. */
function bitsOf({ byteLength, shape }: Tensor): number {
  return byteLength * 8 / Math.max(1, sizeOf(shape));
}

function fileText(file: TensorFile, tensors: readonly Tensor[]): string {
  const { container, source } = file;
  const values = tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const facts = [
    ["file", source.name],
    ["container", container],
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
  );
  return columnsOf(facts).join("\n") + "\n\n" + list;
}

function optionsText({ quantized }: Tensor): string {
  return Object.entries(quantized?.options ?? {})
    .map(([name, value]) => `${name} ${value}`).join(", ");
}

/** What a file says about itself, without what this program put there to find its tensors. */
function metadataOf(file: TensorFile): [key: string, value: string][] {
  return [...file.metadata].filter(([key]) => key !== QUANTIZED_KEY);
}

function fileJson(file: TensorFile, tensors: readonly Tensor[]): unknown {
  return {
    file: file.source.name,
    container: file.container,
    bytes: file.source.size,
    metadata: Object.fromEntries(metadataOf(file)),
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
