/**
 * Which format each tensor gets: `--format q4_k --format 'q4_0:*.embed*'`.
 *
 * @module
 */
import { formats } from "../formats.ts";
import { printable, quote } from "../files/errors.ts";
import type { RecipeName } from "../ggml/recipe_list.ts";
import { recipes } from "../ggml/recipe_list.ts";
import { ggmlLayouts, removedGgmlTypes } from "../ggml/table.ts";
import { findFormat } from "../quantize.ts";
import type { Format } from "../words/format.ts";
import { type Call, type Flag, UsageError } from "./command.ts";
import { matches } from "./glob.ts";
import { OPTION_FLAGS, optionsOf } from "./option_flags.ts";
import { checkPattern } from "./select.ts";
import { didYouMean } from "./suggest.ts";

/** The flags that choose a format and its options. */
export const FORMAT_FLAGS: readonly Flag[] = [
  {
    name: "format",
    short: "f",
    takes: "FORMAT",
    many: true,
    help: "the format, int4 by default; FORMAT:GLOB for some tensors only",
  },
  ...OPTION_FLAGS,
];

/** A format with the options that a call gives it. */
export interface FormatChoice {
  /** The format. */
  readonly format: Format;
  /** Options as the format's `resolve` takes them. */
  readonly options: object;
}

/** A shape that every format takes, to check options before there is a tensor: every block size divides it. */
const PROBE_SHAPE = [4, 1024];

/** The formats that a call chooses for tensors by name. */
export class FormatChooser {
  readonly #call: Call;
  readonly #choices: readonly (FormatChoice & { readonly glob?: string })[];

  /**
   * Reads the flags.
   *
   * @param call The call.
   * @throws {UsageError} For a format, an option or a value that is unknown.
   */
  constructor(call: Call) {
    this.#call = call;
    const given = call.all("format");
    const texts = given.length > 0 ? given : ["int4"];
    this.#choices = texts.map((text) => {
      const colon = text.indexOf(":");
      const name = colon < 0 ? text : text.slice(0, colon);
      const glob = colon < 0 ? undefined : text.slice(colon + 1);
      return { format: chosenFormat(name), glob, options: {} };
    });
    if (this.#choices.filter(({ glob }) => glob === undefined).length > 1) {
      throw new UsageError(
        `Several formats for all tensors (${
          texts.map((text) => printable(text)).join(", ")
        }): give one, and FORMAT:GLOB for the others`,
      );
    }
    const options = optionsOf(call, this.formats, PROBE_SHAPE);
    this.#choices = this.#choices.map((choice) => ({
      ...choice,
      options: options.get(choice.format)!,
    }));
  }

  /** The formats that may be used, with their options. */
  get choices(): readonly FormatChoice[] {
    return this.#choices;
  }

  /** Every format that may be used. */
  get formats(): Format[] {
    return [...new Set(this.#choices.map(({ format }) => format))];
  }

  /** Throws a UsageError when a pattern matches none of the names. */
  checkPatterns(names: readonly string[]): void {
    for (const { glob } of this.#choices) {
      if (glob !== undefined) checkPattern(this.#call, "format", glob, names);
    }
  }

  /**
   * The format of a tensor: the last one whose pattern matches its name, or the one without a pattern.
   *
   * @param name The tensor.
   * @returns Undefined where no pattern matches and there is no format for all.
   */
  of(name: string): FormatChoice | undefined {
    const special = this.#choices.findLast(({ glob }) =>
      glob !== undefined && this.#matches(glob, name)
    );
    return special ?? this.#choices.find(({ glob }) => glob === undefined);
  }

  /** Whether a tensor is named in full, not only matched. */
  names(name: string): boolean {
    return this.#choices.some(({ glob }) =>
      glob !== undefined && !/[*?]/.test(glob) && this.#matches(glob, name)
    );
  }

  #matches(glob: string, name: string): boolean {
    return matches(glob, name, this.#call.has("ignore-case"));
  }
}

/**
 * The format of this name.
 *
 * @throws {UsageError} If there is none.
 */
export function chosenFormat(name: string): Format {
  const format = findFormat(name.toLowerCase());
  if (format) return format;
  const known = [...formats.keys()];
  const all = `the formats are ${known.join(", ")}`;
  const foreign = foreignFormat(name);
  if (foreign) {
    throw new UsageError(
      `Cannot use format ${quote(name)}: ${foreign}; ${all}`,
    );
  }
  // Another number is another format, and no slip of the finger.
  const digits = (text: string) => text.replace(/[^0-9]/g, "");
  const alike = known.filter((other) => digits(other) === digits(name));
  throw new UsageError(
    `Unknown format ${quote(name)}: ${didYouMean(name, alike, all)}`,
  );
}

/** What a format is that others have and this program does not write. */
function foreignFormat(name: string): string | undefined {
  const type = name.toUpperCase();
  if (ggmlLayouts.has(type)) {
    return `${type} is a type of ggml that this program does not write`;
  }
  if ([...removedGgmlTypes.values()].includes(type)) {
    return `${type} is a type that ggml has no more`;
  }
  const recipe = recipes.has(type as RecipeName)
    ? `; --recipe ${type} makes it of a GGUF`
    : "";
  const [, base] = /^(Q[0-9]_K|IQ[0-9])_(?:XS|S|M|L|XL)$/.exec(type) ?? [];
  if (base === undefined && recipe === "") return undefined;
  const main = base !== undefined && findFormat(base.toLowerCase())
    ? `; --format ${base.toLowerCase()} and --format FORMAT:GLOB choose a type for each tensor`
    : "";
  return `${type} is a mixture of types that llama.cpp chooses${recipe}${main}`;
}
