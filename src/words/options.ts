/**
 * Options of every kind, each with the check of its values: a bundle has those of the
 * kinds that its formats have.
 *
 * @module
 */
import {
  floatValues,
  intervalOf,
  listed,
  notAllowed,
  wrongKind,
} from "../numeric/arguments.ts";
import type {
  BooleanOption,
  ChoiceOption,
  NumberOption,
  RangeOption,
  WeightsOption,
} from "./schema.ts";

/** What an option says of itself beside its kind. */
type Of<O> = Omit<O, "kind" | "check">;

/** One of a few names. */
export function choiceOption<T extends string>(
  of: Of<ChoiceOption<T>>,
): ChoiceOption<T> {
  const { choices } = of;
  return {
    kind: "choice",
    check(name, value): unknown {
      if ((choices as readonly unknown[]).includes(value)) return value;
      throw notAllowed(name, listed(choices.map(quoted)), value, ["string"]);
    },
    ...of,
  };
}

function quoted(word: string): string {
  return `"${word}"`;
}

/** Yes or no. */
export function booleanOption(
  of: Of<BooleanOption<boolean>>,
): BooleanOption<boolean> {
  return {
    kind: "boolean",
    check(name, value): unknown {
      if (typeof value === "boolean") return value;
      throw wrongKind(name, "true or false", value);
    },
    ...of,
  };
}

/** Smallest and largest value: two finite floats, in order. */
export function rangeOption(
  of: Of<RangeOption<readonly [number, number]>>,
): RangeOption<readonly [number, number]> {
  return {
    kind: "range",
    check: (name, value) => intervalOf(value, name),
    ...of,
  };
}

/** A whole number, or one of a few names in its place. */
export function numberOption<T extends number | string>(
  of: Of<NumberOption<T>>,
): NumberOption<T> {
  const { words = [] } = of;
  return {
    kind: "number",
    check(name, value): unknown {
      if (isAllowed(value, of)) return value;
      if ((words as readonly unknown[]).includes(value)) return value;
      const kinds = words.length > 0 ? ["number", "string"] : ["number"];
      throw notAllowed(name, inWords(of), value, kinds);
    },
    ...of,
  };
}

/** Which numbers there are. */
type Numbers = Of<NumberOption<unknown>>;

function isAllowed(
  value: unknown,
  { min, max, powerOfTwo, choices }: Numbers,
): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) &&
    value >= min && value <= max &&
    (!powerOfTwo || Number.isInteger(Math.log2(value))) &&
    (choices?.includes(value) ?? true);
}

/** What an option takes: `a whole number of 1 or more, "row" or "tensor"`. */
function inWords({ choices, words = [], ...of }: Numbers): string {
  const numbers = choices?.map(String) ?? [rangeInWords(of)];
  return listed([...numbers, ...words.map(quoted)]);
}

function rangeInWords(
  { min, max, powerOfTwo }: Pick<Numbers, "min" | "max" | "powerOfTwo">,
): string {
  const what = powerOfTwo ? "a power of two" : "a whole number";
  return max === Number.MAX_SAFE_INTEGER
    ? `${what} of ${min} or more`
    : `${what} from ${min} to ${max}`;
}

/** One weight for each column: finite, not negative. */
export function weightsOption(
  of: Of<WeightsOption<Float32Array>>,
): WeightsOption<Float32Array> {
  return { kind: "weights", check: checkWeights, ...of };
}

function checkWeights(
  name: string,
  value: unknown,
  columns: number,
): Float32Array {
  const weights = floatValues(value, name);
  if (weights.length !== columns) {
    throw new RangeError(
      `Cannot use ${name}: it has ${weights.length} weights, the last axis has ${columns} columns`,
    );
  }
  const bad = weights.findIndex((weight) =>
    !(weight >= 0 && weight < Infinity)
  );
  if (bad < 0) return weights;
  throw new RangeError(
    `Cannot use ${name}: weight ${
      weights[bad]
    } at index ${bad} must be finite and not negative`,
  );
}
