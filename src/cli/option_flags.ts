/**
 * Flags for the options of formats, made from their schemas.
 *
 * @module
 */
import { printable } from "../files/errors.ts";
import { formats } from "../formats.ts";
import { rowLength } from "../numeric/shape.ts";
import type { Format } from "../words/format.ts";
import type { Option } from "../words/schema.ts";
import { type Call, type Flag, UsageError } from "./command.ts";

/** The flag of an option: `group-size` for `groupSize`. */
export function flagName(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Options that can be written in a word; weights are an array for each tensor. */
function hasFlag({ kind }: Option): boolean {
  return kind !== "weights";
}

/** An option as one or several formats have it. */
interface Shared {
  readonly name: string;
  readonly having: (readonly [format: string, option: Option])[];
}

function sharedOptions(): Shared[] {
  const all = new Map<string, Shared>();
  for (const { name: format, options } of formats.values()) {
    for (const [name, option] of Object.entries<Option>(options)) {
      if (!hasFlag(option)) continue;
      const shared = all.get(name) ?? { name, having: [] };
      shared.having.push([format, option]);
      all.set(name, shared);
    }
  }
  return [...all.values()];
}

/** What a flag takes, in the list of flags. */
function placeholder(option: Option): string {
  switch (option.kind) {
    case "boolean":
      return "true|false";
    case "number":
      return "N";
    case "range":
      return "MIN,MAX";
    default:
      return "NAME";
  }
}

/** What an option may be, where few words say it. */
function choicesOf(option: Option): readonly unknown[] {
  if (option.kind === "choice") return option.choices;
  if (option.kind !== "number") return [];
  return [...option.choices ?? [], ...option.words ?? []];
}

function flagOf({ name, having }: Shared): Flag {
  const [[, first]] = having;
  const choices = new Set(having.flatMap(([, option]) => choicesOf(option)));
  const defaults = new Map<string, string[]>();
  for (const [format, option] of having) {
    const value = String(option.default ?? "none");
    defaults.set(value, [...defaults.get(value) ?? [], format]);
  }
  const told = Array.from(
    defaults,
    ([value, names]) => `${names.join(", ")}: ${value} by default`,
  );
  const words = choices.size > 0 ? ` [${[...choices].join(", ")}]` : "";
  return {
    name: flagName(name),
    takes: placeholder(first),
    help: `${first.help}${words} (${told.join("; ")})`,
  };
}

/** The flags for the options of all formats. */
export const OPTION_FLAGS: readonly Flag[] = sharedOptions().map(flagOf);

/**
 * Reads the options that a call gives to formats.
 *
 * @param call The call.
 * @param chosen The formats that it chooses.
 * @param shape A shape that every format takes.
 * @returns The options of each format.
 * @throws {UsageError} For an option that none of them has, or a value that none of them takes.
 */
export function optionsOf(
  call: Call,
  chosen: readonly Format[],
  shape: readonly number[],
): Map<Format, Record<string, unknown>> {
  const given = new Map(chosen.map((format) => [format, {}]));
  for (const { name } of sharedOptions()) {
    const text = call.get(flagName(name));
    if (text !== undefined) give(name, text, given, shape);
  }
  return given;
}

/** Gives an option to the formats that have it and take its value. */
function give(
  name: string,
  text: string,
  given: ReadonlyMap<Format, Record<string, unknown>>,
  shape: readonly number[],
): void {
  const flag = `--${flagName(name)}`;
  const having = [...given.keys()].filter(({ options }) =>
    Object.hasOwn(options, name)
  );
  if (having.length === 0) {
    const names = [...given.keys()].map((format) => format.name).join(", ");
    const [why] = given.size === 1
      ? [...given.keys()].map(({ lacks }) => lacks?.[name])
      : [];
    const others = [...formats.values()].filter(({ options }) =>
      Object.hasOwn(options, name)
    ).map((format) => format.name);
    throw new UsageError(
      `Cannot take ${flag}: ${names} has no such option${
        why === undefined ? "" : `: ${why}`
      }; it is one of ${others.join(", ")}`,
    );
  }
  const refusals: string[] = [];
  for (const format of having) {
    const option = format.options[name] as Option;
    const value = parsed(option, text);
    try {
      option.check(name, value, rowLength(shape));
      given.get(format)![name] = value;
    } catch (error) {
      refusals.push((error as Error).message);
    }
  }
  if (refusals.length === having.length) {
    throw new UsageError(
      `Cannot take ${flag} ${printable(text)}: ${refusals[0]}`,
    );
  }
}

/** The value that a text stands for; what stands for none is left for the format to refuse. */
function parsed(option: Option, text: string): unknown {
  switch (option.kind) {
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "number":
      return /^[0-9]+$/.test(text) ? Number(text) : text.toLowerCase();
    case "choice":
      return option.choices.find((choice) =>
        String(choice).toLowerCase() === text.toLowerCase()
      ) ?? text;
    case "range":
      return text.split(",").map((part) => part === "" ? NaN : Number(part));
    default:
      return text;
  }
}
