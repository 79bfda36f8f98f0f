/**
 * `quantize`: the floats of a file to 4 bits.
 *
 * @module
 */
import { adviceFor } from "./advice.ts";
import { type Call, type Command, DONE, type Flag, show } from "./command.ts";
import { FAISS_FLAGS } from "./faiss.ts";
import { choice } from "./flags.ts";
import { DTYPE_FLAG, withFile } from "./input.ts";
import { FIT_FLAGS } from "./fit.ts";
import { FORMAT_FLAGS, FormatChooser } from "./formats_flag.ts";
import { META_FLAGS } from "./gguf.ts";
import { asModel, TOKENIZER_FLAG } from "./hf_folder.ts";
import { ALL_FLAG } from "./kept.ts";
import {
  leftoverWarnings,
  openOutput,
  OUTPUT_FLAGS,
  outputOf,
  pathsOf,
  STANDARD,
  tellOfOutput,
  warn,
  writeOutput,
} from "./output.ts";
import { checkPermuteCall, PERMUTE_FLAG, withPermutations } from "./permute.ts";
import { Progress } from "./progress.ts";
import { checkContainer } from "./quantize_output.ts";
import { planFile, type PlanRules } from "./quantize_plan.ts";
import { Quantizer } from "./quantize_run.ts";
import { asksForRecipe, RECIPE_FLAGS } from "./recipe_flags.ts";
import { RENAME_FLAG } from "./rename.ts";
import { quantizeJson, type QuantizeReport, quantizeText } from "./report.ts";
import { SELECTION_FLAGS } from "./select.ts";
import { SPLIT_FLAGS } from "./split.ts";
import type { Io } from "./terminal.ts";
import { IMATRIX_FLAGS } from "./weigh.ts";

/** What `quantize` and `convert` take alike. */
export const QUANTIZE_FLAGS: readonly Flag[] = [
  ...OUTPUT_FLAGS,
  ...FORMAT_FLAGS,
  ...SELECTION_FLAGS,
  ALL_FLAG,
  ...FIT_FLAGS,
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
  {
    name: "requantize",
    help:
      "go on from the values of tensors that are quantized already, where they cannot be repacked",
  },
  PERMUTE_FLAG,
  RENAME_FLAG,
  ...META_FLAGS,
  ...FAISS_FLAGS,
  ...SPLIT_FLAGS,
];

/** What a recipe decides by itself. */
const NOT_OF_RECIPES: readonly Flag[] = [...QUANTIZE_FLAGS, DTYPE_FLAG].filter(
  (flag) => !OUTPUT_FLAGS.includes(flag) && !SPLIT_FLAGS.includes(flag),
);

/** The command. */
export const quantizeCommand: Command = {
  name: "quantize",
  summary: "Quantize the floats of a file to 4 bits",
  operands: "IN -o OUT",
  count: 1,
  flags: [
    ...QUANTIZE_FLAGS,
    ...IMATRIX_FLAGS,
    DTYPE_FLAG,
    TOKENIZER_FLAG,
    ...RECIPE_FLAGS,
  ],
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
      "quantize model-f16.gguf -o model.gguf --recipe Q4_K_M --imatrix imatrix.gguf",
      "The very file that llama.cpp's own tool makes of a GGUF",
    ],
    [
      "quantize Llama-3.2-1B/ -o model.gguf --recipe Q4_K_M",
      "A folder from Hugging Face as a GGUF that llama.cpp runs",
    ],
    [
      "quantize embeddings.f32 -o embeddings.safetensors --scale-method affine",
      "Raw float32 with a zero point",
    ],
  ],
  run,
};

async function run(call: Call, io: Io): Promise<number> {
  if (!asksForRecipe(call)) return await quantizeFile(call, io);
  // All of ggml's types come with it.
  const { quantizeByRecipe } = await import("./recipe.ts");
  return await quantizeByRecipe(call, io, NOT_OF_RECIPES);
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
    "faiss",
    "folder",
  ]);
  checkContainer(call, chooser, container);
  await checkPermuteCall(call, path);
  const [input] = call.operands;
  return await withFile(call, input, async (opened) => {
    const file = await asModel(call, opened, container);
    const plan = await planFile(call, chooser, file, container, rules);
    const { tasks, output } = plan;
    const quantizer = new Quantizer({ file, tasks, output, clamp });
    const progress = new Progress(io, quantizer.bytesToRead);
    const sink = await withPermutations(
      call,
      file,
      tasks.quantized,
      await openOutput(path, call, file, output),
    );
    const errors = await writeOutput(
      sink,
      progress,
      () => quantizer.run(sink, progress),
    );
    await tellOfOutput(io, async () => {
      const report: QuantizeReport = {
        input,
        paths: pathsOf(path, output),
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
