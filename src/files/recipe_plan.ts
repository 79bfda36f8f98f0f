/**
 * What a recipe makes of a GGUF: types, metadata, where everything goes, and what to warn of.
 *
 * @module
 */
import { type RecipeName, recipeOf } from "../ggml/recipe_list.ts";
import { axesOf, inRecipeOrder } from "../ggml/recipe_names.ts";
import {
  type PlannedTensor,
  planRecipe,
  type RecipeOptions,
} from "../ggml/recipes.ts";
import { writableTypes } from "../ggml/writable.ts";
import type { GgufFile } from "./gguf_read.ts";
import { shardOf } from "./gguf_shards.ts";
import { splitGroups, type SplitLimit } from "./gguf_split.ts";
import { ggufDefaultAlignment } from "./gguf_types.ts";
import type { GgufValue } from "./gguf_value.ts";
import { type GgufPlan, planGguf } from "./gguf_write.ts";
import { type Importance, rejectImportance } from "./imatrix.ts";
import {
  listed,
  matchImportance,
  type WeighedTensor,
} from "./importance_match.ts";
import { isWeighedByReference } from "../words/search.ts";
import { recipeModelOf, recipeValues, splitValues } from "./recipe_metadata.ts";
import type { TensorEntry } from "./tensors.ts";

/** How to depart from a recipe, and what to use with it. */
export interface RecipeFileOptions
  extends Omit<RecipeOptions, "recipe" | "weighed"> {
  /** How much columns matter. */
  readonly importance?: Importance;
  /** Do without importance where it is missing or of the wrong length, and warn. */
  readonly partialImportance?: boolean;
  /** Write in float32 what llama.cpp needs so, where its own tool copies sixteen bits. */
  readonly mendNorms?: boolean;
  /** Write as many files as the source has. */
  readonly keepSplit?: boolean;
  /** What a file holds at most; without it, and without `keepSplit`, one file holds all. */
  readonly split?: SplitLimit;
}

/** A tensor, and what becomes of it. */
export interface RecipeTask extends PlannedTensor {
  /** Where it is in the source. */
  readonly from: TensorEntry;
  /** Where it goes. */
  readonly to: TensorEntry;
  /** Weights for each column, matrix after matrix of the third axis. */
  readonly importance?: Float32Array;
}

/** A file to be written. */
export interface RecipeFile {
  /** Its header, and where its tensors go. */
  readonly layout: GgufPlan;
  /** Its tensors in order. Each can be done by itself. */
  readonly tasks: readonly RecipeTask[];
}

/** All that is known before any value is read. */
export interface RecipeFilePlan {
  /** The files: one, or with `keepSplit` as many as the source has, or with `split` as many as it takes. */
  readonly files: readonly RecipeFile[];
  /** What to tell the user, each one sentence without a period. */
  readonly warnings: readonly string[];
}

/**
 * Plans what a recipe makes of a model.
 *
 * @param file The model.
 * @param recipe The recipe.
 * @param options How to depart from it.
 * @returns The plan.
 * @throws {RangeError} If the model or its importance does not suit the recipe.
 */
export function planRecipeFiles(
  file: GgufFile,
  recipe: RecipeName,
  options: RecipeFileOptions = {},
): RecipeFilePlan {
  rejectImportance(file);
  const { importance, keepSplit } = options;
  const { fileType } = recipeOf(recipe);
  const tensors = keepSplit ? file.tensors : inRecipeOrder(file.tensors);
  const planned = planRecipe(recipeModelOf(file), tensors, {
    ...options,
    recipe,
    weighed: importance !== undefined,
  }).map((plan, i) =>
    options.mendNorms && needsFloat32(plan, tensors[i])
      ? { ...plan, type: "F32", why: "llama.cpp needs it in float32" }
      : plan
  );
  const weights = importance
    ? matchImportance(
      importance,
      weighedTensors(tensors, planned),
      options.partialImportance,
    )
    : { byName: new Map<string, Float32Array>(), warnings: [] };
  const all = tensors.map((from, i) => ({ from, ...planned[i] }));
  const files = keepSplit && file.paths
    ? shardsOf(file, tensors)
    : options.split
    ? splitGroups(sizesOf(all), options.split)
    : [[...tensors.keys()]];
  const values = recipeValues(file.values, fileType, importance);
  // llama.cpp's quantizer says nothing of a single file, its splitter does.
  const isSplit = files.length > 1 || options.split !== undefined;
  return {
    files: files.map((indices, no) => {
      const metadata = new Map([
        ...(no === 0 ? values : []),
        ...(isSplit ? splitValues(no, files.length, tensors.length) : []),
      ]);
      const own = indices.map((i) => all[i]);
      return recipeFile(own, metadata, weights.byName);
    }),
    warnings: [
      ...normWarnings(tensors, planned),
      ...alignmentWarnings(file),
      ...weights.warnings,
    ],
  };
}

type Planned = PlannedTensor & { readonly from: TensorEntry };

/** Bytes of each tensor. */
function sizesOf(all: readonly Planned[]): number[] {
  const { tasks } = recipeFile(all, new Map(), new Map());
  return tasks.map(({ to }) => to.byteLength);
}

function recipeFile(
  own: readonly Planned[],
  values: ReadonlyMap<string, GgufValue>,
  weights: ReadonlyMap<string, Float32Array>,
): RecipeFile {
  const layout = planGguf(
    values,
    own.map(({ name, type, from: { shape, byteLength } }) => ({
      name,
      dtype: type,
      // ggml counts no slow axes of length 1, but at least one.
      shape: shape.length === 0 ? [1] : shape.slice(-axesOf(shape)),
      byteLength,
    })),
  );
  const tasks = own.map((task, i) => ({
    ...task,
    to: layout.tensors[i],
    importance: weights.get(task.name),
  }));
  return { layout, tasks };
}

/** Which tensors each shard has; their order is that of the source. */
function shardsOf(
  file: GgufFile,
  tensors: readonly TensorEntry[],
): number[][] {
  const shards: number[][] = file.paths!.map(() => []);
  for (const [i, tensor] of tensors.entries()) {
    shards[shardOf(file, tensor)].push(i);
  }
  // llama.cpp counts shards by their tensors: one without any at the end is none.
  return shards.slice(0, shards.findLastIndex((own) => own.length > 0) + 1);
}

const SIXTEEN_BITS: readonly string[] = ["F16", "BF16"];

/** Tensors that llama.cpp adds to, multiplies with or convolves float32 with, and aborts otherwise. */
function needsFloat32(
  { type, name }: PlannedTensor,
  { shape }: TensorEntry,
): boolean {
  return SIXTEEN_BITS.includes(type) &&
    (axesOf(shape) < 2 ||
      /_norm\.weight$|ssm_conv1d|shortconv\.conv/.test(name));
}

function normWarnings(
  tensors: readonly TensorEntry[],
  planned: readonly PlannedTensor[],
): string[] {
  const names = planned.filter((plan, i) => needsFloat32(plan, tensors[i]));
  if (names.length === 0) return [];
  return [
    `${names.length} tensors (${listed(names.map(({ name }) => name))}) keep ` +
    "sixteen bits, as llama.cpp's own tool keeps them, but llama.cpp aborts where it uses them; " +
    "--mend-norms writes them in float32",
  ];
}

function alignmentWarnings({ alignment }: GgufFile): string[] {
  if (alignment === ggufDefaultAlignment) return [];
  return [
    `the file keeps its alignment of ${alignment}; llama.cpp's own tool aligns by ${ggufDefaultAlignment} ` +
    "without saying so in the metadata, and then cannot read its result",
  ];
}

function weighedTensors(
  tensors: readonly TensorEntry[],
  planned: readonly PlannedTensor[],
): WeighedTensor[] {
  return planned.flatMap(({ name, dtype, type }, i) =>
    dtype === type
      ? []
      : [{ name, shape: tensors[i].shape, weighs: weighs(type) }]
  );
}

/** Whether importance changes anything in a type. */
function weighs(type: string): boolean {
  return isWeighedByReference(writableTypes.get(type)?.options ?? {});
}
