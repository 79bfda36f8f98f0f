/**
 * `quantize`: the floats of a file to 4 bits.
 *
 * @module
 */
import { openTensorFile } from "../files/open.ts";
import type { TensorFile } from "../files/tensors.ts";
import { adviceFor } from "./advice.ts";
import {
  type Call,
  type Command,
  DONE,
  type Flag,
  type Io,
  show,
} from "./command.ts";
import { choice } from "./flags.ts";
import { FORMAT_FLAGS, FormatChooser } from "./formats_flag.ts";
import {
  openOutput,
  outputOf,
  type OutputTensor,
  safetensorsOutput,
  STANDARD,
  writeOutput,
} from "./output.ts";
import { Progress } from "./progress.ts";
import { planQuantize, type QuantizeTasks } from "./quantize_plan.ts";
import { Quantizer } from "./quantize_run.ts";
import { quantizeJson, type QuantizeReport, quantizeText } from "./report.ts";
import { SELECTION_FLAGS } from "./select.ts";
import { tensorsOf } from "./values.ts";

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

/** What a `.npy` file does not say. */
export const DTYPE_FLAG: Flag = {
  name: "dtype",
  takes: "DTYPE",
  help: "bf16: take the opaque pairs of bytes of a .npy file for bfloat16",
};

/** The command. */
export const quantizeCommand: Command = {
  name: "quantize",
  summary: "Quantize the floats of a file to 4 bits",
  operands: "IN -o OUT",
  count: 1,
  flags: [
    ...OUTPUT_FLAGS,
    ...FORMAT_FLAGS,
    ...SELECTION_FLAGS,
    {
      name: "strict",
      help:
        "fail when a chosen tensor cannot be quantized, in place of copying it",
    },
    {
      name: "non-finite",
      takes: "clamp",
      help:
        "take NaN as 0 and infinities as the largest magnitude of their group",
    },
    DTYPE_FLAG,
  ],
  examples: [
    [
      "quantize weights.npy -o weights.safetensors",
      "One scale for all values of a numpy array",
    ],
    [
      "quantize model.safetensors -o small.safetensors --group-size 32 --skip '*norm*'",
      "A scale for each 32 values, norms left as they are",
    ],
    [
      "quantize embeddings.f32 -o embeddings.safetensors --scale-method affine",
      "Raw float32 with a zero point",
    ],
  ],
  run,
};

async function run(call: Call, io: Io): Promise<number> {
  const chooser = new FormatChooser(call);
  const clamp = choice(call, "non-finite", ["throw", "clamp"]) === "clamp";
  const dtype = choice(call, "dtype", ["bf16"]);
  const target = outputOf(call, ["safetensors"]);
  const [input] = call.operands;
  const file = await openTensorFile(input, { dtype });
  try {
    const tasks = planQuantize(call, chooser, file, tensorsOf(file));
    const output = safetensorsOutput(
      outputTensors(tasks),
      file.metadata,
      tasks.copied.flatMap(({ tensor }) => tensor.quantized ?? []),
    );
    const quantizer = new Quantizer({ file, tasks, output, clamp });
    const sink = await openOutput(target.path, call, [input]);
    const progress = new Progress(io, quantizer.bytesToRead);
    const errors = await writeOutput(sink, async () => {
      try {
        return await quantizer.run(sink, progress);
      } finally {
        progress.end();
      }
    });
    const report: QuantizeReport = {
      input: file.source.name,
      output: sink.name,
      tasks,
      errors,
      bytesBefore: file.source.size,
      bytesAfter: output.size,
      seconds: progress.seconds,
      warnings: await adviceFor(file, tasks, errors),
    };
    tell(call, io, report, target.path);
    return DONE;
  } finally {
    await close(file);
  }
}

function tell(call: Call, io: Io, report: QuantizeReport, path: string): void {
  // Standard output may hold the result itself.
  const to = path === STANDARD ? { out: io.err } : io;
  show(call, to, () => quantizeJson(report), () => quantizeText(report));
  if (call.has("quiet")) return;
  for (const warning of report.warnings) {
    io.err(`nibblewise: warning: ${warning}\n`);
  }
}

/** Closes a file that was only read: a failure changes nothing. */
export async function close(file: TensorFile): Promise<void> {
  await file.source.close().catch(() => {});
}

function outputTensors({ quantized, copied }: QuantizeTasks): OutputTensor[] {
  return [
    ...quantized.map(({ plan }) => ({
      name: plan.name,
      shape: plan.shape,
      quantized: plan,
    })),
    ...copied.flatMap(({ tensor: { entries } }) =>
      entries.map(({ name, shape, dtype }) => ({ name, shape, dtype }))
    ),
  ];
}
