/**
 * The flags of `quantize --recipe`. What they do is loaded when one is asked for.
 *
 * @module
 */
import { recipes } from "../ggml/recipe_list.ts";
import { type Call, type Flag, UsageError } from "./command.ts";

/** The flags of a recipe. All but the first go with that only. */
export const RECIPE_FLAGS: readonly Flag[] = [
  {
    name: "recipe",
    takes: "NAME",
    help: `a mixture of llama.cpp: ${[...recipes.keys()].join(", ")}`,
  },
  {
    name: "output-tensor-type",
    takes: "TYPE",
    help: "the type of output.weight, and of embeddings that stand for it",
  },
  {
    name: "token-embedding-type",
    takes: "TYPE",
    help: "the type of token_embd.weight",
  },
  {
    name: "tensor-type",
    takes: "PATTERN=TYPE",
    many: true,
    help: "the type of tensors in whose name a regular expression is found",
  },
  { name: "leave-output-tensor", help: "leave output.weight as it is" },
  { name: "pure", help: "one type for all matrices" },
  { name: "keep-split", help: "write as many files as the input has" },
  {
    name: "mend-norms",
    help:
      "write norms and biases of sixteen bits in float32, which llama.cpp needs",
  },
];

/** Whether a call asks for a recipe. Throws a UsageError for flags that go with one, and without. */
export function asksForRecipe(call: Call): boolean {
  if (call.has("recipe")) return true;
  const lost = RECIPE_FLAGS.find(({ name }) => call.has(name));
  if (!lost) return false;
  throw new UsageError(
    `Flag --${lost.name} goes with --recipe: name one of ${
      [...recipes.keys()].join(" ")
    }`,
  );
}
