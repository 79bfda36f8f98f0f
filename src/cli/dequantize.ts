/**
 * `dequantize`: quantized tensors back to floats.
 *
 * @module
 */
import { pathsOf } from "../files/gguf_shards.ts";
import { printable, quote } from "../files/errors.ts";
import { strangerId } from "../ggml/table.ts";
import type { TensorFile } from "../files/tensors.ts";
import {
  type Call,
  type Command,
  DONE,
  type Flag,
  type Io,
  show,
} from "./command.ts";
import { runDequantize, type TargetDtype } from "./dequantize_run.ts";
import { choice } from "./flags.ts";
import { withFile } from "./input.ts";
import {
  npyOutput,
  openOutput,
  OUTPUT_FLAGS,
  outputOf,
  type OutputTensor,
  safetensorsOutput,
  STANDARD,
  writeOutput,
} from "./output.ts";
import { Progress } from "./progress.ts";
import { selected, SELECTION_FLAGS } from "./select.ts";
import { table } from "./table.ts";
import { bytes, countOf, seconds, shapeText } from "./text.ts";
import { isQuantized, type Tensor, tensorsOf, whyNoValues } from "./values.ts";

const TO_FLAG: Flag = {
  name: "to",
  takes: "DTYPE",
  help: "what to write: f32 (the default), f16 or bf16",
};

/** The command. */
export const dequantizeCommand: Command = {
  name: "dequantize",
  summary: "Turn the quantized tensors of a file back into floats",
  operands: "IN -o OUT",
  count: 1,
  flags: [...OUTPUT_FLAGS, TO_FLAG, ...SELECTION_FLAGS],
  examples: [
    [
      "dequantize weights.safetensors -o weights.npy",
      "A file of one tensor as a numpy array",
    ],
    [
      "dequantize small.safetensors -o model.safetensors --to bf16",
      "All tensors as bfloat16, under their old names",
    ],
    [
      "dequantize small.safetensors -o head.npy --tensors lm_head.weight",
      "One tensor of many",
    ],
  ],
  run,
};

interface Plan {
  readonly quantized: readonly Tensor[];
  readonly copied: readonly Tensor[];
  readonly dtype: TargetDtype;
}

async function run(call: Call, io: Io): Promise<number> {
  const { path, container } = outputOf(call, ["safetensors", "npy"]);
  const to = choice(call, "to", ["f32", "f16", "bf16"]) ?? "f32";
  const [input] = call.operands;
  return await withFile(call, input, async (file) => {
    const plan = planDequantize(call, file, to.toUpperCase() as TargetDtype);
    const tensors = outputTensors(plan);
    const output = container === "npy"
      ? npyOutput(tensors)
      : safetensorsOutput(tensors, file.metadata);
    const all = [...plan.quantized, ...plan.copied];
    const total = all.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const progress = new Progress(io, total);
    const sink = await openOutput(path, call, pathsOf(file, input));
    await writeOutput(
      sink,
      progress,
      () => runDequantize({ ...plan, file, output }, sink, progress),
    );
    const report = {
      input: file.source.name,
      output: sink.name,
      bytesBefore: file.source.size,
      bytesAfter: output.size,
      seconds: progress.seconds,
    };
    show(
      call,
      path === STANDARD ? { out: io.err } : io,
      () => ({ ...report, ...planJson(plan) }),
      () =>
        planText(plan) +
        `${printable(report.output)}: ${
          countOf(plan.quantized.length, "tensor")
        } dequantized${
          plan.copied.length > 0 ? `, ${plan.copied.length} copied` : ""
        }; ${bytes(report.bytesBefore)} → ${bytes(report.bytesAfter)} in ${
          seconds(report.seconds)
        }\n`,
    );
    return DONE;
  });
}

function planDequantize(
  call: Call,
  file: TensorFile,
  dtype: TargetDtype,
): Plan {
  const tensors = tensorsOf(file);
  const chosen = selected(call, tensors.map(({ name }) => name));
  const wanted = tensors.filter(({ name }) => chosen.has(name));
  if (!tensors.some(isQuantized)) {
    throw new RangeError(
      `Nothing to dequantize in ${file.source.name}: none of its ${
        countOf(tensors.length, "tensor")
      } is quantized in a format of this program`,
    );
  }
  if (wanted.length === 0) {
    throw new RangeError(
      `Nothing to dequantize in ${file.source.name}: --tensors and --skip leave no tensor`,
    );
  }
  const stranger = wanted.find(({ dtype }) => strangerId(dtype) !== undefined);
  if (stranger) {
    throw new RangeError(
      `Cannot dequantize tensor ${quote(stranger.name)}: ${
        whyNoValues(stranger)
      }; leave it out with --skip`,
    );
  }
  return {
    quantized: wanted.filter(isQuantized),
    copied: wanted.filter((tensor) => !isQuantized(tensor)),
    dtype,
  };
}

function outputTensors({ quantized, copied, dtype }: Plan): OutputTensor[] {
  return [
    ...quantized.map(({ name, shape }) => ({ name, shape, dtype })),
    ...copied.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
  ];
}

function planText({ quantized, dtype }: Plan): string {
  return table(
    ["tensor", "shape", "from", "to"],
    quantized.map((tensor) => [
      printable(tensor.name),
      shapeText(tensor.shape),
      tensor.dtype,
      dtype,
    ]),
  );
}

function planJson({ quantized, copied, dtype }: Plan): object {
  return {
    tensors: quantized.map(({ name, shape, dtype: format, byteLength }) => ({
      name,
      shape,
      format,
      dtype,
      bytesBefore: byteLength,
    })),
    copied: copied.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
  };
}
