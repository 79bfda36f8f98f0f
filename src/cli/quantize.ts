/**
 * `quantize`: the floats of a file to 4 bits.
 *
 * @module
 */
import { adviceFor } from "./advice.ts";
import { type Call, type Command, DONE, type Io, show } from "./command.ts";
import { choice } from "./flags.ts";
import { DTYPE_FLAG, withFile } from "./input.ts";
import { FORMAT_FLAGS, FormatChooser } from "./formats_flag.ts";
import {
  openOutput,
  OUTPUT_FLAGS,
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
  const { path } = outputOf(call, ["safetensors"]);
  const [input] = call.operands;
  return await withFile(call, input, async (file) => {
    const tasks = planQuantize(call, chooser, file, tensorsOf(file));
    const output = safetensorsOutput(
      outputTensors(tasks),
      file.metadata,
      tasks.copied.flatMap(({ tensor }) => tensor.quantized ?? []),
    );
    const quantizer = new Quantizer({ file, tasks, output, clamp });
    const progress = new Progress(io, quantizer.bytesToRead);
    const sink = await openOutput(path, call, [input]);
    const errors = await writeOutput(
      sink,
      progress,
      () => quantizer.run(sink, progress),
    );
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
    tell(call, io, report, path);
    return DONE;
  });
}

function tell(call: Call, io: Io, report: QuantizeReport, path: string): void {
  // Standard output may hold the result itself.
  const to = path === STANDARD ? { out: io.err } : io;
  show(call, to, () => quantizeJson(report), () => quantizeText(report));
  if (call.has("quiet") || call.has("json")) return;
  for (const warning of report.warnings) {
    io.err(`nibblewise: warning: ${warning}\n`);
  }
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
