/**
 * Recipes: which type each tensor of a model gets, as llama.cpp's quantizer decides it.
 *
 * Source: ggml-org/llama.cpp, src/llama-quant.cpp: `llama_tensor_get_type`,
 * `tensor_type_fallback`.
 *
 * @module
 */

import { type RecipeName, recipeOf } from "./recipe_list.ts";
import {
  type Choice,
  isValue,
  Mixture,
  type RecipeModel,
} from "./recipe_mixture.ts";
import { purposeOf, type RecipeTensor, whyKept } from "./recipe_names.ts";
import { ggmlLayouts, strangerId } from "./table.ts";
import { writableTypes } from "./writable.ts";

/** A type for the tensors whose name a pattern is found in. */
export interface TypeOverride {
  /** Searched for in names; the first that is found counts. */
  readonly pattern: RegExp;
  /** ggml's name of the type. */
  readonly type: string;
}

/** How to depart from a recipe. */
export interface RecipeOptions {
  /** Which one. */
  readonly recipe: RecipeName;
  /** Type of `output.weight`; also of the token embedding where there is none. */
  readonly outputType?: string;
  /** Type of the token embedding. */
  readonly embeddingType?: string;
  /** Leave `output.weight` as it is. */
  readonly keepOutput?: boolean;
  /** The recipe's main type for all matrices. */
  readonly pure?: boolean;
  /** Types of chosen tensors. */
  readonly overrides?: readonly TypeOverride[];
  /** Whether there is an importance file: some rules ask. */
  readonly weighed?: boolean;
}

/** What becomes of a tensor. */
export interface PlannedTensor extends Choice {
  /** Its name. */
  readonly name: string;
  /** The type that it has. */
  readonly dtype: string;
  /** The type that its rows were too short for, or of an odd length. */
  readonly instead?: string;
}

/** What is taken in place of a type whose blocks a row is no multiple of. */
const FALLBACKS: ReadonlyMap<string, string> = new Map([
  ["IQ1_S", "IQ4_NL"],
  ["IQ1_M", "IQ4_NL"],
  ["IQ2_XXS", "IQ4_NL"],
  ["IQ2_XS", "IQ4_NL"],
  ["IQ2_S", "IQ4_NL"],
  ["IQ3_XXS", "IQ4_NL"],
  ["IQ3_S", "IQ4_NL"],
  ["IQ4_XS", "IQ4_NL"],
  ["Q2_0", "Q4_0"],
  ["Q2_K", "Q4_0"],
  ["Q3_K", "Q4_0"],
  ["TQ1_0", "Q4_0"],
  ["TQ2_0", "Q4_0"],
  ["Q4_K", "Q5_0"],
  ["Q5_K", "Q5_1"],
  ["Q6_K", "Q8_0"],
]);

/**
 * Decides what becomes of the tensors of a model.
 *
 * @param model What its metadata says.
 * @param tensors Its tensors, in the order in which they will be written ({@linkcode inRecipeOrder}): some rules count.
 * @param options The recipe, and how to depart from it.
 * @returns A type for each tensor, in the same order; that which it has where it is left as it is.
 * @throws {RangeError} If a type is not known or cannot be written, or a row fits no type.
 *
 * @example
 * ```ts
 * import { planRecipe } from "@nibblewise/nibblewise/ggml";
 *
 * const model = { architecture: "llama", layers: 8, experts: 0, heads: 8, keyHeads: 2 };
 * const tensors = [
 *   { name: "token_embd.weight", dtype: "F32", shape: [1000, 256] },
 *   { name: "blk.0.attn_norm.weight", dtype: "F32", shape: [256] },
 *   { name: "blk.0.attn_q.weight", dtype: "F32", shape: [256, 256] },
 * ];
 * const plan = planRecipe(model, tensors, { recipe: "Q4_K_M" });
 * console.log(plan.map(({ type }) => type)); // [ "Q6_K", "F32", "Q4_K" ]
 * ```
 */
export function planRecipe(
  model: RecipeModel,
  tensors: readonly RecipeTensor[],
  options: RecipeOptions,
): PlannedTensor[] {
  checkTypes(options);
  const { base } = recipeOf(options.recipe);
  const purposes = tensors.map(({ name }) => purposeOf(name));
  const mixture = new Mixture({
    model,
    base,
    recipe: options.recipe,
    weighed: options.weighed ?? false,
    outputType: options.outputType,
    tied: !purposes.includes("output"),
    values: purposes.filter(isValue).length,
  });
  return tensors.map((tensor, i) => {
    const kept = whyKept(tensor) ??
      (options.keepOutput && purposes[i] === "output"
        ? "as asked for"
        : undefined);
    const { name, dtype } = tensor;
    if (kept !== undefined) return { name, dtype, type: dtype, why: kept };
    const choice = chosenType(tensor, options) ?? fitting(
      tensor,
      overridden(name, options) ??
        (options.pure
          ? { type: base, why: "all matrices alike" }
          : mixture.choose(tensor, purposes[i])),
    );
    checkFit(tensor, choice.type);
    return { name, dtype, ...choice };
  });
}

function checkTypes(options: RecipeOptions): void {
  const types = [
    options.outputType,
    options.embeddingType,
    ...(options.overrides ?? []).map(({ type }) => type),
  ];
  for (const type of types) {
    if (type === undefined || ggmlLayouts.has(type)) continue;
    throw new RangeError(
      `Unknown ggml type ${type}: the types are ${
        [...ggmlLayouts.keys()].join(" ")
      }`,
    );
  }
}

/** A type that goes before all rules. */
function chosenType(
  { name }: RecipeTensor,
  { embeddingType, outputType }: RecipeOptions,
): Choice | undefined {
  const purpose = purposeOf(name), why = "as asked for";
  if (embeddingType && purpose === "token embedding") {
    return { type: embeddingType, why };
  }
  return outputType && purpose === "output"
    ? { type: outputType, why }
    : undefined;
}

function overridden(
  name: string,
  { overrides = [] }: RecipeOptions,
): Choice | undefined {
  for (const { pattern, type } of overrides) {
    // A global pattern would go on where it stopped last.
    if (name.search(pattern) < 0) continue;
    return { type, why: `asked for by ${pattern.source}` };
  }
  return undefined;
}

/** The type itself, or what is taken in place of it where rows are no whole number of its blocks. */
function fitting(
  { name, shape }: RecipeTensor,
  choice: Choice,
): Choice & { readonly instead?: string } {
  const columns = shape.at(-1)!, { type } = choice;
  const { blockSize } = ggmlLayouts.get(type)!;
  if (columns % blockSize === 0) return choice;
  const why =
    `${choice.why}; its rows of ${columns} are no multiple of ${type}'s ${blockSize}`;
  const fallback = FALLBACKS.get(type);
  if (fallback === undefined) {
    throw new RangeError(
      `Cannot quantize tensor ${
        JSON.stringify(name)
      } to ${type}: rows have ${columns} values, no multiple of ${blockSize}, ` +
        "and llama.cpp has nothing in place of that; give it another type, such as F16",
    );
  }
  const fits = columns % ggmlLayouts.get(fallback)!.blockSize === 0;
  return { type: fits ? fallback : "F16", why, instead: type };
}

/** Types that can be written: blocks, and the floats beside them. */
function canWrite(type: string): boolean {
  return writableTypes.has(type) || type === "F32" || type === "F16" ||
    type === "BF16";
}

function checkFit({ name, dtype, shape }: RecipeTensor, type: string): void {
  if (dtype === type) return;
  const fail = (reason: string) =>
    new RangeError(
      `Cannot make ${type} of tensor ${JSON.stringify(name)}: ${reason}`,
    );
  if (!canWrite(type)) {
    throw fail(
      `it can be written as ${
        [...writableTypes.keys()].join(" ")
      } F16 BF16 F32`,
    );
  }
  const layout = ggmlLayouts.get(dtype);
  if (!layout || layout.kind === "integer" || dtype === "F64") {
    const what = strangerId(dtype) === undefined ? dtype : `ggml ${dtype}`;
    throw fail(
      `llama.cpp quantizes no ${what}${
        layout ? `; give it the type ${dtype} to leave it as it is` : ""
      }`,
    );
  }
  const { blockSize } = ggmlLayouts.get(type)!;
  if (shape.at(-1)! % blockSize !== 0) {
    throw fail(
      `rows have ${
        shape.at(-1)
      } values, they must have a multiple of ${blockSize}`,
    );
  }
}
