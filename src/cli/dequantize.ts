/**
 * `dequantize`: quantized tensors back to floats.
 *
 * @module
 */
import { printable, quote } from "../files/errors.ts";
import type { EncodedDtype } from "../files/floats.ts";
import { isGguf } from "../files/gguf_read.ts";
import { ggufFileTypes } from "../files/gguf_types.ts";
import type { TensorFile } from "../files/tensors.ts";
import { strangerId } from "../ggml/table.ts";
import { isFloat8 } from "../numeric/float8.ts";
import { type Call, type Command, DONE, type Flag, show } from "./command.ts";
import type { CopiedTask } from "./copied.ts";
import { runDequantize } from "./dequantize_run.ts";
import { checkHeld, FIT_FLAGS, Fitting, rewriteOf } from "./fit.ts";
import { choice } from "./flags.ts";
import { folderOutput } from "./folder_output.ts";
import { checkNoMeta, ggufOutput, META_FLAGS, metadataFor } from "./gguf.ts";
import { asModel, TOKENIZER_FLAG } from "./hf_folder.ts";
import { withFile } from "./input.ts";
import { needsFloat32 } from "./kept.ts";
import { layerWarnings } from "./layer_warnings.ts";
import { floatsWarnings } from "./number_warnings.ts";
import {
  leftoverWarnings,
  metadataOf,
  npyOutput,
  openOutput,
  OUTPUT_FLAGS,
  type OutputContainer,
  outputOf,
  type OutputPlan,
  type OutputTensor,
  pathsOf,
  safetensorsOutput,
  STANDARD,
  tellOfOutput,
  warn,
  writeOutput,
} from "./output.ts";
import { Progress } from "./progress.ts";
import { selected, SELECTION_FLAGS } from "./select.ts";
import { pathsJson, pathsText, SPLIT_FLAGS, splitLimitOf } from "./split.ts";
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
  flags: [
    ...OUTPUT_FLAGS,
    TO_FLAG,
    ...SELECTION_FLAGS,
    ...FIT_FLAGS,
    ...META_FLAGS,
    ...SPLIT_FLAGS,
    TOKENIZER_FLAG,
  ],
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
    [
      "dequantize Llama-3.2-1B/ -o model.gguf --to bf16",
      "A folder from Hugging Face as a GGUF of floats",
    ],
    [
      "dequantize model.gguf -o model.safetensors --cast '*norm*=bf16' --drop rope_freqs",
      "Floats of a GGUF of any types",
    ],
  ],
  run,
};

interface Plan {
  /** What becomes of each tensor that is written; what has values to be read is cast. */
  readonly tasks: readonly CopiedTask[];
  /** What the others become where nothing else is said. */
  readonly dtype: EncodedDtype;
}

async function run(call: Call, io: Io): Promise<number> {
  const { path, container } = outputOf(call, io, [
    "safetensors",
    "npy",
    "gguf",
    "folder",
  ]);
  if (container !== "gguf") checkNoMeta(call);
  splitLimitOf(call, container);
  const to = choice(call, "to", ["f32", "f16", "bf16"]) ?? "f32";
  const dtype = to.toUpperCase() as EncodedDtype;
  const [input] = call.operands;
  return await withFile(call, input, async (opened) => {
    const asked = call.has("to") ? dtype : undefined;
    const file = await asModel(call, opened, container, asked);
    const plan = await planDequantize(call, file, dtype, container);
    const { output, warnings: told } = await outputFor(
      call,
      file,
      container,
      plan,
    );
    const { tasks } = plan;
    const total = tasks.reduce((sum, { tensor }) => sum + tensor.byteLength, 0);
    const progress = new Progress(io, total);
    const sink = await openOutput(path, call, file, output);
    await writeOutput(
      sink,
      progress,
      () => runDequantize({ file, tasks, output }, sink, progress),
    );
    const paths = pathsOf(path, output);
    await tellOfOutput(io, () => {
      const report = {
        input,
        output: pathsJson(paths),
        bytesBefore: file.source.size,
        bytesAfter: output.size,
        seconds: progress.seconds,
      };
      const warnings = [
        ...leftoverWarnings(sink),
        ...told,
        ...layerWarnings(
          tasks.filter(isCast).map(({ tensor }) => tensor),
          tasks.filter((task) => !isCast(task)).map(({ tensor }) => tensor),
        ),
        ...floatsWarnings(
          tasks.flatMap(({ tensor }) =>
            tensor.quantized ? { tensor, format: tensor.quantized.format } : []
          ),
        ),
      ];
      const cast = tasks.filter(isCast).length;
      const copied = tasks.length - cast;
      show(
        call,
        path === STANDARD ? io.err : io.out,
        () => ({ ...report, ...planJson(plan), warnings }),
        (columns) => [
          ...planText(plan, columns),
          `${pathsText(paths)}: ${countOf(cast, "tensor")} dequantized${
            copied > 0 ? `, ${copied} copied` : ""
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

function isCast({ cast }: CopiedTask): boolean {
  return cast !== undefined;
}

/** Lays out what is written. */
async function outputFor(
  call: Call,
  file: TensorFile,
  container: OutputContainer,
  { tasks, dtype }: Plan,
): Promise<{ output: OutputPlan; warnings: readonly string[] }> {
  const tensors = tasks.map(outputTensor);
  checkHeld(container, tensors);
  switch (container) {
    case "folder":
      return await folderOutput(
        file,
        tasks.map(({ tensor }, i) => [tensors[i], tensor]),
      );
    case "npy":
      return { output: npyOutput(tensors), warnings: [] };
    case "gguf": {
      // The model of a folder says itself what most of its values are.
      const fileType = file.checkpoint && isGguf(file)
        ? undefined
        : ggufFileTypes.get(dtype.toLowerCase());
      const { values, warnings } = await metadataFor(call, file, fileType);
      const limit = splitLimitOf(call, container);
      return { output: ggufOutput(tensors, values, limit), warnings };
    }
    default:
      return {
        output: safetensorsOutput(tensors, metadataOf(file)),
        warnings: [],
      };
  }
}

async function planDequantize(
  call: Call,
  file: TensorFile,
  dtype: EncodedDtype,
  container: OutputContainer,
): Promise<Plan> {
  const fitting = new Fitting(call);
  const tensors = fitting.kept(await tensorsOf(file));
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
  const casts = wanted.map((tensor) =>
    fitting.castOf(tensor) ??
      (needsFloat32(container, tensor.name, tensor)
        ? "F32"
        : isNarrow(tensor)
        ? dtype
        : rewriteOf(tensor))
  );
  // Floats may go to another container as they are.
  const same = file.container === container && !file.checkpoint ||
    file.container === "safetensors" && container === "folder";
  if (same && !tensors.some(isNarrow) && casts.every((cast) => !cast)) {
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
  const scaled = new Set(
    wanted.flatMap(({ name }, i) => casts[i] ? name : []),
  );
  const tasks = wanted.map((tensor, i) => ({ tensor, cast: casts[i] }))
    // Scales are in the values of their weights.
    .filter(({ tensor: { scalesOf } }) =>
      scalesOf === undefined || !scaled.has(scalesOf)
    );
  return {
    tasks: [
      ...tasks.filter(({ cast }) => cast),
      ...tasks.filter(({ cast }) => !cast),
    ]
      .map((task, index) => ({ ...task, index })),
    dtype,
  };
}

/** Whether a tensor is widened: it is quantized, or its floats have eight bits. */
function isNarrow(tensor: Tensor): boolean {
  return isQuantized(tensor) ||
    isFloat8(tensor.dtype) && tensor.scalesOf === undefined;
}

function outputTensor(
  { tensor: { name, shape, dtype }, cast }: CopiedTask,
): OutputTensor {
  return { name, shape, dtype: cast ?? dtype };
}

function planText({ tasks }: Plan, columns?: number): string[] {
  return table(
    ["tensor", "shape", "from", "to"],
    tasks.filter(isCast).map(({ tensor, cast }) => [
      printable(tensor.name),
      shapeText(tensor.shape),
      tensor.dtype,
      cast!,
    ]),
    [],
    columns,
  );
}

function planJson({ tasks }: Plan): object {
  return {
    tensors: tasks.filter(isCast).map(({ tensor, cast }) => ({
      name: tensor.name,
      shape: tensor.shape,
      format: tensor.dtype,
      dtype: cast,
      bytesBefore: tensor.byteLength,
    })),
    copied: tasks.filter((task) => !isCast(task)).map((
      { tensor: { name, shape, dtype } },
    ) => ({ name, shape, dtype })),
  };
}
