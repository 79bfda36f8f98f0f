/**
 * Which weights of an importance file go with which tensor of a model.
 *
 * @module
 */
import { quote } from "./errors.ts";
import type { Importance } from "./imatrix.ts";

/** A tensor that is quantized. */
export interface WeighedTensor {
  /** Its name, as the importance file has it. */
  readonly name: string;
  /** Dimensions, slowest first. */
  readonly shape: readonly number[];
  /** Whether weights change anything in what it becomes. */
  readonly weighs: boolean;
}

/** What goes with what. */
export interface MatchedImportance {
  /** Weights for each column, matrix after matrix of the third axis, by the tensor's name. */
  readonly byName: ReadonlyMap<string, Float32Array>;
  /** What to tell the user, each one sentence without a period. */
  readonly warnings: readonly string[];
}

/** Tensors that llama-imatrix has no weights for, and llama.cpp's tool does without. */
const UNWEIGHED: readonly string[] = [
  "token_embd.weight",
  "per_layer_token_embd.weight",
  "output.weight",
];

/**
 * Finds the weights of tensors.
 *
 * @param importance The importance file.
 * @param tensors What is quantized.
 * @param partial Do without weights where they are missing or of the wrong length, and warn.
 * @returns The weights.
 * @throws {RangeError} If some are missing or of the wrong length; lists them.
 */
export function matchImportance(
  importance: Importance,
  tensors: readonly WeighedTensor[],
  partial = false,
): MatchedImportance {
  const byName = new Map<string, Float32Array>();
  const faults: string[] = [];
  for (const { name, shape, weighs } of tensors) {
    const weights = importance.entries.get(name);
    const wanted = (shape.at(-1) ?? 1) * (shape.at(-3) ?? 1);
    if (weights?.length === wanted) byName.set(name, weights);
    else if (weights) {
      // There it always is, and llama.cpp's tool does without.
      if (UNWEIGHED[0] === name || UNWEIGHED[1] === name) continue;
      faults.push(`${quote(name)} has ${weights.length} weights for ${wanted}`);
    } else if (!UNWEIGHED.includes(name) && weighs) {
      faults.push(`${quote(name)} has none`);
    }
  }
  if (faults.length === 0) return { byName, warnings: [] };
  const what = `${importance.name} does not go with the model: ${
    listed(faults, "; ")
  }`;
  if (partial) {
    return {
      byName,
      warnings: [`${what}; these are quantized without importance`],
    };
  }
  throw new RangeError(
    `Cannot quantize with importance: ${what}; pass --imatrix-partial to do without it there`,
  );
}

/** How many are named in a message. */
const LISTED = 20;

/**
 * The first of many texts.
 *
 * @param texts All of them.
 * @param separator What stands between two.
 * @returns One line, which tells how many more there are.
 */
export function listed(texts: readonly string[], separator = ", "): string {
  const shown = texts.slice(0, LISTED).join(separator);
  const more = texts.length - LISTED;
  return more > 0 ? `${shown}${separator}and ${more} more` : shown;
}
