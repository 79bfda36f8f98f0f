/**
 * `quantize --recipe`: a GGUF to a GGUF, as llama.cpp's own tool does it.
 *
 * @module
 */
import { printable, quote } from "../files/errors.ts";
import { type GgufFile, isGguf } from "../files/gguf_read.ts";
import { openImportance } from "../files/imatrix.ts";
import { writeRecipeFile } from "../files/quantize_gguf.ts";
import {
  planRecipeFiles,
  type RecipeFile,
  type RecipeFileOptions,
  type RecipeFilePlan,
  type RecipeTask,
} from "../files/recipe_plan.ts";
import { shardPath } from "../files/gguf_shards.ts";
import type { ByteSink } from "../files/bytes.ts";
import { commitAll } from "../files/joined_sink.ts";
import { type RecipeName, recipes } from "../ggml/recipe_list.ts";
import type { TypeOverride } from "../ggml/recipes.ts";
import { ggmlLayouts } from "../ggml/table.ts";
import { type Call, DONE, type Flag, show, UsageError } from "./command.ts";
import { asModel } from "./hf_folder.ts";
import { withFile } from "./input.ts";
import {
  leftoverWarnings,
  openOutput,
  outputOf,
  STANDARD,
  tellOfOutput,
  warn,
} from "./output.ts";
import { Progress } from "./progress.ts";
import { pathsJson, pathsText, splitLimitOf } from "./split.ts";
import { didYouMean } from "./suggest.ts";
import { table } from "./table.ts";
import type { Io } from "./terminal.ts";
import { bytes, seconds, shapeText } from "./text.ts";

/**
 * Quantizes a file by a recipe the way a call says.
 *
 * @param call The call.
 * @param io Where to print.
 * @param others Flags of the command that do not go with a recipe.
 * @returns The exit code.
 */
export async function quantizeByRecipe(
  call: Call,
  io: Io,
  others: readonly Flag[] = [],
): Promise<number> {
  for (const { name } of others) {
    if (!call.has(name)) continue;
    throw new UsageError(
      `Flag --${name} does not go with --recipe, which decides by itself: drop one of them`,
    );
  }
  const recipe = recipeNamed(call.get("recipe")!);
  const { path, container } = outputOf(call, io, ["gguf"]);
  const split = splitLimitOf(call, container);
  const options = { ...optionsOf(call), split };
  if (split && options.keepSplit) {
    throw new UsageError(
      "Both --keep-split and a largest file: one of them says how many files are written, drop the other",
    );
  }
  if (path === STANDARD && options.keepSplit) {
    throw new UsageError(
      "Both --keep-split and -o -: standard output is one file, drop one of them",
    );
  }
  const [input] = call.operands;
  const weights = call.get("imatrix");
  return await withFile(call, input, async (opened) => {
    const file = await asModel(call, opened, container);
    if (!isGguf(file)) {
      throw new UsageError(
        `Cannot quantize ${
          printable(input)
        } by a recipe: it is ${file.container}, recipes are for GGUF and folders with a config.json; choose types with --format`,
      );
    }
    const importance = weights === undefined
      ? undefined
      : await openImportance(weights);
    const plan = planRecipeFiles(file, recipe, { ...options, importance });
    const paths = options.keepSplit || split
      ? plan.files.map((_, no) => shardPath(path, no, plan.files.length))
      : [path];
    const progress = new Progress(io, file.source.size);
    const sinks = await writeAll(call, file, plan.files, paths, progress);
    await tellOfOutput(io, () => {
      const warnings = [...plan.warnings, ...sinks.flatMap(leftoverWarnings)];
      const report = { input, paths, recipe, file, plan, warnings };
      tell(call, io, { ...report, seconds: progress.seconds });
    });
    return DONE;
  });
}

function recipeNamed(text: string): RecipeName {
  const name = text.toUpperCase();
  // llama.cpp takes this one too.
  if (name === "Q4_K") return "Q4_K_M";
  if (recipes.has(name as RecipeName)) return name as RecipeName;
  const known = [...recipes.keys()];
  throw new UsageError(
    `Unknown recipe ${quote(text)}: ${
      didYouMean(name, known, `the recipes are ${known.join(", ")}`)
    }`,
  );
}

function optionsOf(call: Call): RecipeFileOptions {
  return {
    outputType: typeNamed(call, "output-tensor-type"),
    embeddingType: typeNamed(call, "token-embedding-type"),
    overrides: call.all("tensor-type").map(overrideOf),
    keepOutput: call.has("leave-output-tensor"),
    pure: call.has("pure"),
    keepSplit: call.has("keep-split"),
    mendNorms: call.has("mend-norms"),
    partialImportance: call.has("imatrix-partial"),
  };
}

function typeNamed(call: Call, flag: string): string | undefined {
  const given = call.get(flag);
  return given === undefined ? undefined : typeOf(flag, given);
}

function typeOf(flag: string, given: string): string {
  const type = given.toUpperCase();
  if (ggmlLayouts.has(type)) return type;
  const known = [...ggmlLayouts.keys()];
  throw new UsageError(
    `Flag --${flag} cannot be ${printable(given)}: ${
      didYouMean(type, known, `ggml's types are ${known.join(" ")}`)
    }`,
  );
}

/** `attn_v=q8_0`: the pattern in small letters, as llama.cpp takes it. */
function overrideOf(text: string): TypeOverride {
  const equals = text.indexOf("=");
  if (equals < 1) {
    throw new UsageError(
      `Flag --tensor-type cannot be ${
        printable(text)
      }: it is PATTERN=TYPE, such as attn_v=q8_0`,
    );
  }
  const type = typeOf("tensor-type", text.slice(equals + 1));
  try {
    return { pattern: new RegExp(text.slice(0, equals).toLowerCase()), type };
  } catch (error) {
    throw new UsageError(
      `Flag --tensor-type cannot be ${printable(text)}: ${
        printable((error as Error).message)
      }`,
    );
  }
}

/** Writes all files; none appears before all are written. */
async function writeAll(
  call: Call,
  file: GgufFile,
  files: readonly RecipeFile[],
  paths: readonly string[],
  progress: Progress,
): Promise<ByteSink[]> {
  const sinks: ByteSink[] = [];
  try {
    for (const path of paths) {
      sinks.push(await openOutput(path, call, file));
    }
    for (const [no, own] of files.entries()) {
      await writeRecipeFile(
        file.source,
        own,
        sinks[no],
        (count, name) => progress.add(count, name),
      );
    }
    await commitAll(sinks);
    return sinks;
  } catch (error) {
    for (const sink of sinks) await sink.abort();
    throw error;
  } finally {
    progress.end();
  }
}

interface Report {
  readonly input: string;
  readonly paths: readonly string[];
  readonly recipe: RecipeName;
  readonly file: GgufFile;
  readonly plan: RecipeFilePlan;
  readonly warnings: readonly string[];
  readonly seconds: number;
}

function tell(call: Call, io: Io, report: Report): void {
  const to = report.paths[0] === STANDARD ? io.err : io.out;
  show(
    call,
    to,
    () => reportJson(report),
    (columns) => reportText(report, columns),
  );
  warn(call, io, report.warnings);
}

function tasksOf({ plan }: Report): RecipeTask[] {
  return plan.files.flatMap(({ tasks }) => tasks);
}

function bytesAfter({ plan }: Report): number {
  return plan.files.reduce((sum, { layout }) => sum + layout.size, 0);
}

function reportJson(report: Report): object {
  const { input, paths, recipe, file, warnings } = report;
  return {
    input,
    output: pathsJson(paths),
    recipe,
    bytesBefore: file.source.size,
    bytesAfter: bytesAfter(report),
    seconds: report.seconds,
    tensors: tasksOf(report).map((task) => ({
      name: task.name,
      shape: task.from.shape,
      from: task.dtype,
      to: task.type,
      why: task.why,
      ...(task.instead && { instead: task.instead }),
      weighed: task.importance !== undefined,
      bytes: task.to.byteLength,
    })),
    warnings,
  };
}

function reportText(report: Report, columns?: number): string[] {
  const { paths, file } = report;
  const tasks = tasksOf(report);
  const changed = tasks.filter(({ dtype, type }) => dtype !== type);
  const right = "right" as const;
  const lines = table(
    ["tensor", "shape", "from", "to", "before", "after", "why"],
    changed.map(({ name, from, to, dtype, type, why }) => [
      printable(name),
      shapeText(from.shape),
      dtype,
      type,
      bytes(from.byteLength),
      bytes(to.byteLength),
      why,
    ]),
    ["left", "left", "left", "left", right, right],
    columns,
  );
  return [
    ...lines,
    `kept ${
      tasks.length - changed.length
    } of ${tasks.length} tensors as they are`,
    `${pathsText(paths)}: ${bytes(file.source.size)} → ${
      bytes(bytesAfter(report))
    } in ${seconds(report.seconds)}`,
  ];
}
