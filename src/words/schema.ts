/**
 * Options as data: what a format can be asked for, in a form from which checks,
 * defaults, command-line flags, documentation and test cases are made. options.ts
 * makes them.
 *
 * @module
 */

/** What every option says of itself. */
export interface OptionBase<T> {
  /**
   * Checks a value that a caller passed.
   *
   * @param name What the option is called, for messages.
   * @param value The value.
   * @param columns Length of the last axis: how many weights there have to be.
   * @returns The value as the format has it.
   * @throws {TypeError} When it is of the wrong kind.
   * @throws {RangeError} When it is not allowed.
   */
  readonly check: (name: string, value: unknown, columns: number) => unknown;
  /** One line of help, without a period. */
  readonly help: string;
  /** What holds where the option is not given; absent where nothing does. */
  readonly default?: T;
  /** Whether it has to be kept to read the parts back. */
  readonly kept: boolean;
}

/** A whole number, or one of a few names in its place. */
export interface NumberOption<T> extends OptionBase<T> {
  /** Tells it from the other kinds. */
  readonly kind: "number";
  /** The smallest number allowed. */
  readonly min: number;
  /** The largest number allowed. */
  readonly max: number;
  /** Only powers of two are. */
  readonly powerOfTwo?: boolean;
  /** Only these numbers are. */
  readonly choices?: readonly number[];
  /** Words that stand for a number that the shape decides. */
  readonly words?: readonly string[];
}

/** One of a few names. */
export interface ChoiceOption<T> extends OptionBase<T> {
  /** Tells it from the other kinds. */
  readonly kind: "choice";
  /** The names. */
  readonly choices: readonly T[];
}

/** Yes or no. */
export interface BooleanOption<T> extends OptionBase<T> {
  /** Tells it from the other kinds. */
  readonly kind: "boolean";
}

/** Smallest and largest value: two finite floats, in order. */
export interface RangeOption<T> extends OptionBase<T> {
  /** Tells it from the other kinds. */
  readonly kind: "range";
}

/** One weight for each column: finite, not negative. */
export interface WeightsOption<T> extends OptionBase<T> {
  /** Tells it from the other kinds. */
  readonly kind: "weights";
  /** Whether searches for scales are all that weighs. */
  readonly ofSearches?: boolean;
}

/** One option. */
export type Option<T = unknown> =
  | NumberOption<T>
  | ChoiceOption<T>
  | BooleanOption<T>
  | RangeOption<T>
  | WeightsOption<T>;

/** All options of a format by name. */
export type Schema<O extends object> = {
  readonly [K in keyof O]-?: Option<NonNullable<O[K]>>;
};

/** What options a format has. */
export interface FormatOptions {
  /** Its name, for messages. */
  readonly name: string;
  /** The options. */
  readonly options: Schema<Record<string, unknown>>;
  /** See `lacks` of a format. */
  readonly lacks?: Readonly<Record<string, string>>;
}

/**
 * Fills in defaults and checks every option.
 *
 * @param format What options there are.
 * @param given What a caller passed.
 * @param columns Length of the last axis: how many weights there have to be.
 * @returns A new object with every option that has a value.
 * @throws {TypeError} When an option is of the wrong kind.
 * @throws {RangeError} When an option is unknown or its value is not allowed.
 */
export function resolveOptions(
  format: FormatOptions,
  given: Readonly<Record<string, unknown>>,
  columns: number,
): Record<string, unknown> {
  rejectUnknown(format, given);
  const resolved: Record<string, unknown> = {};
  for (const name of Object.keys(format.options)) {
    const option = format.options[name];
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value !== undefined) {
      resolved[name] = option.check(name, value, columns);
    } else if (option.default !== undefined) resolved[name] = option.default;
  }
  return resolved;
}

/** The resolved options that have to be kept to read the parts back. */
export function keptOptions(
  schema: Schema<Record<string, unknown>>,
  resolved: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of Object.keys(resolved)) {
    if (schema[name].kept) kept[name] = resolved[name];
  }
  return kept;
}

function rejectUnknown(
  { name: format, options, lacks = {} }: FormatOptions,
  given: object,
): void {
  const known = Object.keys(options);
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const has = known.length > 0 ? `it has ${known.join(", ")}` : "it has none";
    const why = Object.hasOwn(lacks, name) ? lacks[name] : has;
    throw new RangeError(`Format ${format} has no option "${name}": ${why}`);
  }
}
