/**
 * Where everything goes that `quantize` and `convert` write, whatever the container.
 *
 * @module
 */
import type { Importance } from "../files/imatrix.ts";
import { ggufFileTypes } from "../files/gguf_types.ts";
import type { TensorFile } from "../files/tensors.ts";
import { sizeOf } from "../numeric/shape.ts";
import type { FormatTensor } from "../stream/tensor.ts";
import type { Format } from "../words/format.ts";
import type { Call } from "./command.ts";
import { checkFaissCall, checkNoFaiss, faissOutput } from "./faiss.ts";
import { checkHeld } from "./fit.ts";
import { folderOutput } from "./folder_output.ts";
import type { FormatChooser } from "./formats_flag.ts";
import { checkGgufCall, checkNoMeta, ggufOutput, metadataFor } from "./gguf.ts";
import { checkOnnxCall, onnxOutput } from "./onnx.ts";
import {
  metadataOf,
  type OutputContainer,
  type OutputPlan,
  type OutputTensor,
  safetensorsOutput,
} from "./output.ts";
import type { CopyTask, QuantizeTask } from "./quantize_tasks.ts";
import { splitLimitOf } from "./split.ts";
import { checkImatrix } from "./weigh.ts";

/**
 * Checks what can be checked before the input is opened.
 *
 * @param call The call.
 * @param chooser The formats.
 * @param container What is written.
 * @throws {UsageError} If they do not go together.
 */
export function checkContainer(
  call: Call,
  chooser: FormatChooser,
  container: OutputContainer,
): void {
  if (container === "gguf") checkGgufCall(call, chooser.formats);
  else checkNoMeta(call);
  if (container === "onnx") checkOnnxCall(call, chooser.formats);
  if (container === "faiss") checkFaissCall(call, chooser.formats);
  else checkNoFaiss(call);
  checkImatrix(call, chooser.choices);
  splitLimitOf(call, container);
}

/** What is written. */
export interface Written {
  /** What becomes of each tensor, in the order of the output. */
  readonly tasks: readonly (QuantizeTask | CopyTask)[];
  /** The importance file that was used. */
  readonly importance?: Importance;
}

/**
 * Lays out an output.
 *
 * @param call The call; knows metadata.
 * @param file The input.
 * @param container What is written.
 * @param written What it holds.
 * @returns The plan, and what the user should know.
 * @throws {RangeError} If the container cannot hold a tensor.
 */
export async function outputFor(
  call: Call,
  file: TensorFile,
  container: OutputContainer,
  { tasks, importance }: Written,
): Promise<{ output: OutputPlan; warnings: readonly string[] }> {
  const outputs = tasks.map(outputTensor);
  checkHeld(container, outputs);
  switch (container) {
    case "onnx":
      return {
        output: onnxOutput(call.get("output")!, outputs),
        warnings: operatorWarnings(file),
      };
    case "faiss":
      return { output: faissOutput(call, file, outputs), warnings: [] };
    case "folder":
      return await folderOutput(
        file,
        tasks.map((task, i) => [outputs[i], task.tensor]),
      );
    case "gguf": {
      const fileType = ggufFileTypes.get(mainFormat(tasks).name);
      const metadata = await metadataFor(call, file, fileType, importance);
      const { warnings } = metadata;
      const limit = splitLimitOf(call, container);
      const output = ggufOutput(outputs, metadata.values, limit);
      return { output, warnings };
    }
    default: {
      const output = safetensorsOutput(outputs, metadataOf(file));
      return { output, warnings: [] };
    }
  }
}

/** Whoever gives a model may expect one. */
function operatorWarnings({ container, source }: TensorFile): string[] {
  return container === "onnx"
    ? [
      `the graph of ${source.name} is not written: the output holds its tensors, and for each quantized one the operator that takes it`,
    ]
    : [];
}

function outputTensor(task: QuantizeTask | CopyTask): OutputTensor {
  if ("plan" in task) {
    const { plan } = task;
    return { name: plan.name, shape: plan.shape, quantized: plan };
  }
  const { tensor: { shape, dtype, byteLength, quantized }, name, cast } = task;
  if (cast !== undefined) return { name, shape, dtype: cast };
  return quantized
    ? { name, shape, quantized: { ...quantized, name } }
    : { name, shape, dtype, byteLength };
}

/** The format that most values are in. */
function mainFormat(tasks: readonly (QuantizeTask | CopyTask)[]): Format {
  const counts = new Map<Format, number>();
  const count = ({ format, shape }: Pick<FormatTensor, "format" | "shape">) =>
    counts.set(format, (counts.get(format) ?? 0) + sizeOf(shape));
  for (const task of tasks) {
    if ("plan" in task) count(task.layout);
    else if (task.tensor.quantized) count(task.tensor.quantized);
  }
  return [...counts].reduce((most, next) => next[1] > most[1] ? next : most)[0];
}
