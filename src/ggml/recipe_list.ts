/**
 * The recipes by name. Apart from what they do, so that a list of them loads little.
 *
 * @module
 */

/** The recipes, by the names that llama.cpp gives them. */
export type RecipeName =
  | "Q4_0"
  | "Q4_1"
  | "Q4_K_S"
  | "Q4_K_M"
  | "IQ4_NL"
  | "IQ4_XS"
  | "MXFP4_MOE";

/** What makes one recipe different from another, but for its mixture. */
export interface Recipe {
  /** Its number: `general.file_type`, llama.cpp's `llama_ftype`. */
  readonly fileType: number;
  /** The type of most of its matrices. */
  readonly base: string;
}

/** The recipes. */
export const recipes: ReadonlyMap<RecipeName, Recipe> = new Map([
  ["Q4_0", { fileType: 2, base: "Q4_0" }],
  ["Q4_1", { fileType: 3, base: "Q4_1" }],
  ["Q4_K_S", { fileType: 14, base: "Q4_K" }],
  ["Q4_K_M", { fileType: 15, base: "Q4_K" }],
  ["IQ4_NL", { fileType: 25, base: "IQ4_NL" }],
  ["IQ4_XS", { fileType: 30, base: "IQ4_XS" }],
  ["MXFP4_MOE", { fileType: 38, base: "MXFP4" }],
]);

/**
 * Looks a recipe up.
 *
 * @param name Its name.
 * @returns The recipe.
 * @throws {RangeError} If there is none of that name.
 */
export function recipeOf(name: string): Recipe {
  const recipe = recipes.get(name as RecipeName);
  if (recipe) return recipe;
  throw new RangeError(
    `Unknown recipe ${name}: the recipes are ${[...recipes.keys()].join(" ")}`,
  );
}
