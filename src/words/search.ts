/**
 * How scales are searched: an option that formats share.
 *
 * @module
 */
import { choiceOption, weightsOption } from "./options.ts";
import type { Option, Schema } from "./schema.ts";

/**
 * How the numbers of a group are found:
 *
 * - `"reference"`: as the library of the format does, to the bit
 * - `"fast"`: the best of a few scales around the usual one
 * - `"optimal"`: the least squared error that the format can have, with a proof
 * - `"best"`: a strong search without a proof
 */
export type ScaleSearch = "reference" | "fast" | "optimal" | "best";

/**
 * Options of formats whose scales can be searched.
 *
 * @example The least squared error that the format can have
 * ```ts
 * import { compare, dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i * i));
 * const decibels = (search: "reference" | "optimal") =>
 *   compare(weights, dequantize(quantize(weights, { format: "mxfp4", search }))).sqnr;
 * console.log(decibels("optimal") > decibels("reference")); // true
 * ```
 */
export interface SearchOptions {
  /**
   * How scales are found; `"reference"` by default. The bytes are read back the
   * same way, whatever found them. Less squared error is no promise about what a
   * model makes of the weights.
   */
  readonly search?: ScaleSearch;
  /**
   * How much an error in each column matters: one finite, non-negative weight
   * per column, the last axis. Searches weigh squared errors by just this; by
   * `"reference"` it is what the library does with it, where it does anything.
   */
  readonly importance?: Float32Array | readonly number[];
}

/** {@linkcode SearchOptions} after checking. */
export interface ResolvedSearchOptions {
  /** How scales are found. */
  readonly search?: ScaleSearch;
  /** One weight per column. */
  readonly importance?: Float32Array;
}

/**
 * The options as data.
 *
 * @param able The searches that the format can do beside the reference.
 * @param isWeighed Whether the reference weighs columns, too.
 */
export function searchSchema(
  able: readonly ScaleSearch[],
  isWeighed = false,
): Schema<SearchOptions> {
  return {
    search: choiceOption({
      choices: ["reference", ...able],
      default: "reference",
      kept: false,
      help: "how scales are found: as the library does, or with less error",
    }),
    importance: weightsOption({
      ofSearches: !isWeighed,
      kept: false,
      help: "how much an error in each column matters: one weight per column",
    }),
  };
}

/** Whether the reference of a format weighs columns, without a search. */
export function isWeighedByReference(schema: Schema<object>): boolean {
  const { importance } = schema as Readonly<Record<string, Option | undefined>>;
  return importance?.kind === "weights" && !importance.ofSearches;
}

/** Whether anything but the reference is asked for. */
export function isSearched({ search = "reference" }: ResolvedSearchOptions) {
  return search !== "reference";
}

/**
 * Throws a RangeError where a format cannot do a search with its other options.
 *
 * @param options What is asked for.
 * @param able The searches that it can do with them, beside the reference.
 * @param with_ The options that decide, in words.
 */
export function checkSearch(
  { search = "reference" }: ResolvedSearchOptions,
  able: readonly ScaleSearch[],
  with_: string,
): void {
  if (search === "reference" || able.includes(search)) return;
  const names = ["reference", ...able].map((name) => `"${name}"`).join(", ");
  throw new RangeError(
    `Cannot use search "${search}" with ${with_}: it can be ${names}`,
  );
}

/**
 * Throws a RangeError where weights are given to a reference that weighs nothing.
 *
 * @param name The format.
 * @param schema Its options.
 * @param options What is asked for.
 */
export function checkImportance(
  name: string,
  schema: Schema<object>,
  options: ResolvedSearchOptions,
): void {
  if (options.importance === undefined || isSearched(options)) return;
  if (isWeighedByReference(schema)) return;
  throw new RangeError(
    `Cannot use importance: the reference of ${name} weighs no columns; choose another search`,
  );
}
