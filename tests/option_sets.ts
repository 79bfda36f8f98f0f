/**
 * Options of a format worth a run, made from its schema: for tests in every
 * runtime and for benchmarks. Nothing here names a format.
 *
 * @module
 */
import type { Option, Schema } from "../src/words/schema.ts";

/** Options by name. */
export type OptionSet = Record<string, unknown>;

/** Group sizes that people use. */
const USUAL_SIZES = [32, 128];

/**
 * The defaults, then every notable value of every option by itself.
 *
 * @param schema The options of a format.
 * @param weights One weight per column, for the formats that weigh columns.
 */
export function optionSets(
  schema: Schema<object>,
  weights?: Float32Array,
): OptionSet[] {
  const single = Object.entries(schema as Record<string, Option>).flatMap(
    ([name, option]) =>
      notable(option, weights)
        .filter((value) => value !== option.default)
        .map((value) => ({ [name]: value })),
  );
  return [{}, ...single];
}

function notable(
  option: Option,
  weights: Float32Array | undefined,
): readonly unknown[] {
  switch (option.kind) {
    case "boolean":
      return [true, false];
    case "choice":
      return option.choices;
    case "number":
      return [
        ...(option.choices ?? USUAL_SIZES).filter((n) =>
          n >= option.min && n <= option.max
        ),
        ...(option.words ?? []),
      ];
    case "weights":
      return weights ? [weights] : [];
    case "range":
      return [];
  }
}

/** Options in few words: `groupSize 32`. */
export function optionsText(options: OptionSet): string {
  return Object.entries(options).map(([name, value]) =>
    `${name} ${ArrayBuffer.isView(value) ? "weights" : value}`
  ).join(", ");
}
