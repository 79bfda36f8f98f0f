/**
 * `dequantize`: quantized tensors back to floats.
 *
 * @module
 */
import { printable, quote } from "../files/errors.ts";
import type { EncodedDtype } from "../files/floats.ts";
import { strangerId } from "../ggml/table.ts";
import type { TensorFile } from "../files/tensors.ts";
import { isFloat8 } from "../numeric/float8.ts";
import { type Call, type Command, DONE, type Flag, show } from "./command.ts";
import { runDequantize } from "./dequantize_run.ts";
import { choice } from "./flags.ts";
import { folderOutput } from "./folder_output.ts";
import { withFile } from "./input.ts";
import {
  leftoverWarnings,
  npyOutput,
  openOutput,
  OUTPUT_FLAGS,
  outputOf,
  type OutputTensor,
  safetensorsOutput,
  STANDARD,
  tellOfOutput,
  warn,
  writeOutput,
} from "./output.ts";
import { Progress } from "./progress.ts";
import { selected, SELECTION_FLAGS } from "./select.ts";
import { table } from "./table.ts";
import type { Io } from "./terminal.ts";
import { bytes, countOf, seconds, shapeText } from "./text.ts";
import { isQuantized, type Tensor, tensorsOf, whyNoValues } from "./tensors.ts";

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
  readonly dtype: EncodedDtype;
}

async function run(call: Call, io: Io): Promise<number> {
  const { path, container } = outputOf(call, io, [
    "safetensors",
    "npy",
    "folder",
  ]);
  const to = choice(call, "to", ["f32", "f16", "bf16"]) ?? "f32";
  const [input] = call.operands;
  return await withFile(call, input, async (file) => {
    const plan = await planDequantize(
      call,
      file,
      to.toUpperCase() as EncodedDtype,
    );
    const tensors = outputTensors(plan);
    const all = [...plan.quantized, ...plan.copied];
    const written = container === "folder"
      ? await folderOutput(file, tensors.map((tensor, i) => [tensor, all[i]]))
      : undefined;
    const output = written?.output ??
      (container === "npy"
        ? npyOutput(tensors)
        : safetensorsOutput(tensors, file.metadata));
    const total = all.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const progress = new Progress(io, total);
    const sink = await openOutput(path, call, file, output);
    await writeOutput(
      sink,
      progress,
      () => runDequantize({ ...plan, file, output }, sink, progress),
    );
    await tellOfOutput(io, () => {
      const report = {
        input,
        output: path,
        bytesBefore: file.source.size,
        bytesAfter: output.size,
        seconds: progress.seconds,
      };
      const warnings = [
        ...leftoverWarnings(sink),
        ...written?.warnings ?? [],
      ];
      show(
        call,
        path === STANDARD ? io.err : io.out,
        () => ({ ...report, ...planJson(plan), warnings }),
        (columns) => [
          ...planText(plan, columns),
          `${printable(sink.name)}: ${
            countOf(plan.quantized.length, "tensor")
          } dequantized${
            plan.copied.length > 0 ? `, ${plan.copied.length} copied` : ""
          }; ${bytes(report.bytesBefore)} → ${bytes(report.bytesAfter)} in ${
            seconds(report.seconds)
          }`,
        ],
      );
      warn(call, io, warnings);
    });
    return DONE;
  });
}

async function planDequantize(
  call: Call,
  file: TensorFile,
  dtype: EncodedDtype,
): Promise<Plan> {
  const tensors = await tensorsOf(file);
  const chosen = selected(call, tensors.map(({ name }) => name));
  const wanted = tensors.filter(({ name }) => chosen.has(name));
  const stranger = wanted.find(({ dtype, foreign }) =>
    foreign !== undefined || strangerId(dtype) !== undefined
  );
  if (stranger) {
    throw new RangeError(
      `Cannot dequantize tensor ${quote(stranger.name)}: ${
        whyNoValues(stranger)
      }; leave it out with --skip`,
    );
  }
  if (!tensors.some(isNarrow)) {
    throw new RangeError(
      `Nothing to dequantize in ${file.source.name}: none of its ${
        countOf(tensors.length, "tensor")
      } is quantized in a format of this program or of eight-bit floats`,
    );
  }
  if (wanted.length === 0) {
    throw new RangeError(
      `Nothing to dequantize in ${file.source.name}: --tensors and --skip leave no tensor`,
    );
  }
  return {
    quantized: wanted.filter(isNarrow),
    // Scales are in the values of their weights.
    copied: wanted.filter((tensor) =>
      !isNarrow(tensor) && tensor.scalesOf === undefined
    ),
    dtype,
  };
}

/** Whether a tensor is widened: it is quantized, or its floats have eight bits. */
function isNarrow(tensor: Tensor): boolean {
  return isQuantized(tensor) ||
    isFloat8(tensor.dtype) && tensor.scalesOf === undefined;
}

function outputTensors({ quantized, copied, dtype }: Plan): OutputTensor[] {
  return [
    ...quantized.map(({ name, shape }) => ({ name, shape, dtype })),
    ...copied.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
  ];
}

function planText({ quantized, dtype }: Plan, columns?: number): string[] {
  return table(
    ["tensor", "shape", "from", "to"],
    quantized.map((tensor) => [
      printable(tensor.name),
      shapeText(tensor.shape),
      tensor.dtype,
      dtype,
    ]),
    [],
    columns,
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
