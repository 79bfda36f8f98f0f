/**
 * Every format of the registry with options and shapes that it takes: a new
 * format is covered the moment it is registered.
 *
 * @module
 */
import { formats } from "../src/formats.ts";
import type { Format } from "../src/words/format.ts";
import { quantizeWith } from "../src/core.ts";
import { adversarial } from "./adversarial.ts";
import { casesOf } from "./format_cases.ts";

/** A format with options that it takes for a shape. */
export interface OptionCase {
  /** The format. */
  readonly format: Format;
  /** The shape. */
  readonly shape: readonly number[];
  /** Options as a caller gives them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** All that in few words. */
  readonly label: string;
}

/** Cases of a format: enough to meet every option, few enough to try each on many memories. */
const CASES_OF_A_FORMAT = 24;

/** The cases of all formats. */
export function* optionCases(): Generator<OptionCase, void> {
  for (const format of formats.values()) {
    for (const { shape, options } of casesOf(format, CASES_OF_A_FORMAT)) {
      if (!takesValues(format, shape, options)) continue;
      const text = JSON.stringify(
        options,
        (_, value) =>
          value instanceof Float32Array ? `${value.length} weights` : value,
      );
      const label = `${format.name} [${shape}] ${text}`;
      yield { format, shape, options, label };
    }
  }
}

/** Whether ordinary values can be quantized: gptq's zeros "nibbles" takes no group without a negative one. */
function takesValues(
  format: Format,
  shape: readonly number[],
  options: Readonly<Record<string, unknown>>,
): boolean {
  const values = adversarial(shape.reduce((a, b) => a * b, 1)).gauss;
  try {
    quantizeWith(format, values, { shape, ...options });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
