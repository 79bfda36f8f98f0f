/**
 * `quantize`: the floats of a file to 4 bits.
 *
 * @module
 */
import { adviceFor } from "./advice.ts";
import { type Call, type Command, DONE, type Flag, show } from "./command.ts";
import { choice } from "./flags.ts";
import { DTYPE_FLAG, withFile } from "./input.ts";
import { FORMAT_FLAGS, FormatChooser } from "./formats_flag.ts";
import { META_FLAGS } from "./gguf.ts";
import {
  leftoverWarnings,
  openOutput,
  OUTPUT_FLAGS,
  outputOf,
  STANDARD,
  tellOfOutput,
  warn,
  writeOutput,
} from "./output.ts";
import { Progress } from "./progress.ts";
import { checkContainer, planFile, type PlanRules } from "./quantize_plan.ts";
import { Quantizer } from "./quantize_run.ts";
import { RENAME_FLAG } from "./rename.ts";
import { quantizeJson, type QuantizeReport, quantizeText } from "./report.ts";
import { SELECTION_FLAGS } from "./select.ts";
import type { Io } from "./terminal.ts";

/** What `quantize` and `convert` take alike. */
export const QUANTIZE_FLAGS: readonly Flag[] = [
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
      "take NaN as 0 and infinities as the largest magnitude of their group, and cut values whose scale overflows",
  },
  RENAME_FLAG,
  ...META_FLAGS,
];

/** The command. */
export const quantizeCommand: Command = {
  name: "quantize",
  summary: "Quantize the floats of a file to 4 bits",
  operands: "IN -o OUT",
  count: 1,
  flags: [...QUANTIZE_FLAGS, DTYPE_FLAG],
  examples: [
    [
      "quantize weights.npy -o weights.safetensors",
      "One scale for all values of a numpy array",
    ],
    [
      "quantize model.safetensors -o small.safetensors --group-size 32 --skip '*embed*' --ignore-case",
      "A scale for each 32 values, embeddings left as they are, as norms and biases are",
    ],
    [
      "quantize model.safetensors -o model.gguf --format q4_k --format 'q4_0:*embed*' --meta-from base.gguf",
      "GGUF, embeddings in another format",
    ],
    [
      "quantize embeddings.f32 -o embeddings.safetensors --scale-method affine",
      "Raw float32 with a zero point",
    ],
  ],
  run,
};

function run(call: Call, io: Io): Promise<number> {
  return quantizeFile(call, io);
}

/**
 * Quantizes a file the way a call says.
 *
 * @param call The call of `quantize` or `convert`.
 * @param io Where to print.
 * @param rules Which tensors the command leaves as they are.
 * @returns The exit code.
 */
export async function quantizeFile(
  call: Call,
  io: Io,
  rules?: PlanRules,
): Promise<number> {
  const chooser = new FormatChooser(call);
  const clamp = choice(call, "non-finite", ["throw", "clamp"]) === "clamp";
  const { path, container } = outputOf(call, io, [
    "safetensors",
    "gguf",
    "onnx",
  ]);
  checkContainer(call, chooser, container);
  const [input] = call.operands;
  return await withFile(call, input, async (file) => {
    const plan = await planFile(call, chooser, file, container, rules);
    const { tasks, output } = plan;
    const quantizer = new Quantizer({ file, tasks, output, clamp });
    const progress = new Progress(io, quantizer.bytesToRead);
    const sink = await openOutput(path, call, file.paths);
    const errors = await writeOutput(
      sink,
      progress,
      () => quantizer.run(sink, progress),
    );
    await tellOfOutput(io, async () => {
      const report: QuantizeReport = {
        input,
        output: path,
        tasks,
        errors,
        bytesBefore: file.source.size,
        bytesAfter: output.size,
        seconds: progress.seconds,
        warnings: [
          ...leftoverWarnings(sink),
          ...plan.warnings,
          ...await adviceFor(file, tasks, errors),
        ],
      };
      tell(call, io, report, path);
    });
    return DONE;
  });
}

function tell(call: Call, io: Io, report: QuantizeReport, path: string): void {
  // Standard output may hold the result itself.
  const to = path === STANDARD ? io.err : io.out;
  show(
    call,
    to,
    () => quantizeJson(report),
    (columns) => quantizeText(report, columns),
  );
  warn(call, io, report.warnings);
}
