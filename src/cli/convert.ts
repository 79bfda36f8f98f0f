/**
 * `convert`: quantized tensors to another format or another container.
 *
 * @module
 */
import { type Call, type Command, UsageError } from "./command.ts";
import { TOKENIZER_FLAG } from "./hf_folder.ts";
import { DTYPE_FLAG } from "./input.ts";
import { QUANTIZE_FLAGS, quantizeFile } from "./quantize.ts";
import type { Io } from "./terminal.ts";
import { isQuantized } from "./tensors.ts";

/** The command. */
export const convertCommand: Command = {
  name: "convert",
  summary: "Bring quantized tensors to another format; floats stay as they are",
  operands: "IN -o OUT --format FORMAT",
  count: 1,
  flags: [...QUANTIZE_FLAGS, TOKENIZER_FLAG, DTYPE_FLAG],
  examples: [
    [
      "convert gptq.safetensors -o model.safetensors --format matmul_nbits",
      "From GPTQ's layout to onnxruntime's: repacked, not a number changes",
    ],
    [
      "convert model.gguf -o model.safetensors --format int4 --group-size 64 --requantize",
      "From ggml's format to other groups, through the values",
    ],
    [
      "convert act-order.safetensors -o model.safetensors --format awq --permute-to columns.safetensors",
      "GPTQ in act-order: columns in the order of their groups, and where each of them was",
    ],
  ],
  run,
};

function run(call: Call, io: Io): Promise<number> {
  if (call.all("format").length === 0) {
    throw new UsageError("No format is named: give one with --format FORMAT");
  }
  return quantizeFile(call, io, {
    leaves: (tensor) =>
      isQuantized(tensor) ? undefined : `it is ${tensor.dtype}, not quantized`,
  });
}
