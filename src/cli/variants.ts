/**
 * Settings of a format that are worth a try, made from the schema of its options.
 *
 * @module
 */
import type { Format } from "../words/format.ts";
import type { Option } from "../words/schema.ts";
import { combinationsOf, type GivenOptions, takes } from "../words/trials.ts";
import { flagName } from "./option_flags.ts";

/** A format with options, and the flags that ask for them. */
export interface Variant {
  /** The format. */
  readonly format: Format;
  /** Options as a caller gives them. */
  readonly options: GivenOptions;
  /** The flags of the options. */
  readonly flags: readonly string[];
}

/** Numbers that are tried where an option takes nearly any: usual lengths of groups. */
const NUMBERS = [128, 32];
/** Variants of a format at most, where they are all tried on a tensor. */
const MOST = 48;

/** Values of an option that are worth a try beside the one in force. */
function alternatives(option: Option): unknown[] {
  switch (option.kind) {
    case "boolean":
      return [true, false];
    case "choice":
      return [...option.choices];
    case "number":
      return option.choices
        ? [...option.choices]
        : [...option.words ?? [], ...NUMBERS];
    default:
      return [];
  }
}

/**
 * All combinations of what the options of a format may be.
 *
 * @param format The format.
 * @param from The options in force; every variant differs from them by its flags.
 * @param shape Variants that cannot hold it are left out.
 * @param most How many at most.
 */
export function variantsOf(
  format: Format,
  from: GivenOptions,
  shape: readonly number[],
  most = MOST,
): Variant[] {
  const valuesOf = (option: Option, name: string): unknown[] => {
    if (!option.kept) return [undefined];
    const now = from[name] ?? option.default;
    const others = alternatives(option).filter((value) => value !== now);
    return [undefined, ...others];
  };
  return combinationsOf(format, valuesOf, from, most)
    .filter((options) => takes(format, options, shape))
    .map((options) => ({
      format,
      options,
      flags: flagsOf(format, options, from),
    }));
}

/** The flags by which options of a format differ from others. */
function flagsOf(
  format: Format,
  options: GivenOptions,
  from: GivenOptions,
): string[] {
  return Object.keys(format.options)
    .filter((name) => options[name] !== from[name])
    .map((name) => `--${flagName(name)} ${options[name]}`);
}
