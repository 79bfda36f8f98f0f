/**
 * Options to try on a format: combinations of values, and whether it takes them.
 *
 * @module
 */
import type { Format } from "./format.ts";
import type { Option } from "./schema.ts";

/** Options by name, as a caller gives them. */
export type GivenOptions = Readonly<Record<string, unknown>>;

/**
 * All combinations of option values, the last option changing first.
 *
 * @param format The format.
 * @param valuesOf The values of an option to try; `undefined` leaves it as it is.
 * @param from Options that all have in common, where they are not tried.
 * @param most How many at most: those that come first.
 */
export function combinationsOf(
  format: Format,
  valuesOf: (option: Option, name: string) => readonly unknown[],
  from: GivenOptions = {},
  most = Infinity,
): GivenOptions[] {
  let all = [from];
  for (const [name, option] of Object.entries<Option>(format.options)) {
    const values = valuesOf(option, name);
    all = all.flatMap((options) =>
      values.map((value) =>
        value === undefined ? options : { ...options, [name]: value }
      )
    ).slice(0, most);
  }
  return all;
}

/** Whether a format takes options for a shape. */
export function takes(
  format: Format,
  options: GivenOptions,
  shape: readonly number[],
): boolean {
  try {
    format.resolve(options, shape);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
