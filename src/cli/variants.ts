/**
 * Settings of a format that are worth a try, made from the schema of its options.
 *
 * @module
 */
import type { Format } from "../words/format.ts";
import type { Option } from "../words/schema.ts";
import { flagName } from "./option_flags.ts";

/** A format with options, and the flags that ask for them. */
export interface Variant {
  /** The format. */
  readonly format: Format;
  /** Options as a caller gives them. */
  readonly options: Readonly<Record<string, unknown>>;
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
  from: Readonly<Record<string, unknown>>,
  shape: readonly number[],
  most = MOST,
): Variant[] {
  let all: Variant[] = [{ format, options: from, flags: [] }];
  for (const [name, option] of Object.entries<Option>(format.options)) {
    if (!option.kept) continue;
    const now = from[name] ?? option.default;
    all = all.flatMap((variant) => [
      variant,
      ...alternatives(option).filter((value) => value !== now).map((value) => ({
        format,
        options: { ...variant.options, [name]: value },
        flags: [...variant.flags, `--${flagName(name)} ${value}`],
      })),
    ]).slice(0, most);
  }
  return all.filter(({ options }) => takes(format, options, shape));
}

function takes(
  format: Format,
  options: object,
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
