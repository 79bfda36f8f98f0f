/**
 * Arguments, read strictly: an unknown flag is an error and never a path.
 *
 * @module
 */
import { parseArgs } from "./std/bundle.js";
import { printable } from "../files/errors.ts";
import {
  type Call,
  type Command,
  COMMON_FLAGS,
  type Flag,
  UsageError,
} from "./command.ts";
import { didYouMean } from "./suggest.ts";

/**
 * Reads the arguments of a command.
 *
 * @param command The command; its flags are the only ones that are known.
 * @param args What comes behind its name.
 * @returns The call.
 * @throws {UsageError} For an unknown flag, a flag without its value or given twice.
 */
export function parseCall(
  command: Pick<Command, "flags">,
  args: readonly string[],
): Call {
  const flags = [...command.flags, ...COMMON_FLAGS];
  const parsed = parseArgs(args, {
    boolean: flags.filter(({ takes }) => !takes).map(({ name }) => name),
    string: [
      "_",
      ...flags.filter(({ takes }) => takes).map(({ name }) => name),
    ],
    collect: flags.map(({ name }) => name),
    alias: Object.fromEntries(
      flags.flatMap(({ name, short }) => short ? [[short, name]] : []),
    ),
    unknown: (argument, key) => {
      if (key !== undefined) throw unknownFlag(argument, flags);
      return true;
    },
  });
  const values = new Map(
    flags.map((flag) => [flag.name, valuesOf(flag, parsed[flag.name])]),
  );
  return {
    operands: parsed._.map(String),
    has: (name) => (values.get(name)?.length ?? 0) > 0,
    get: (name) => values.get(name)?.[0],
    all: (name) => values.get(name) ?? [],
  };
}

function unknownFlag(argument: string, flags: readonly Flag[]): UsageError {
  const known = flags.map(({ name }) => `--${name}`);
  const given = argument.split("=", 1)[0];
  const shorts = flags.flatMap(({ short }) => short ? [`-${short}`] : []);
  return new UsageError(
    `Unknown flag ${printable(given)}: ${
      didYouMean(
        given,
        known,
        `the flags are ${[...known, ...shorts].join(" ")}`,
      )
    }`,
  );
}

function valuesOf(flag: Flag, given: unknown): string[] {
  const values = Array.isArray(given) ? given : [given];
  if (!flag.takes) return values.includes(true) ? ["true"] : [];
  const texts = values.map(String);
  if (texts.includes("")) {
    throw new UsageError(
      `Flag --${flag.name} takes a value: --${flag.name} ${flag.takes}`,
    );
  }
  if (texts.length > 1 && !flag.many) {
    throw new UsageError(
      `Flag --${flag.name} is given ${texts.length} times: give it once`,
    );
  }
  return texts;
}

/**
 * The one of a few words that a flag is set to.
 *
 * @param call The call.
 * @param name The flag.
 * @param choices What it may be.
 * @returns The word, or undefined where the flag is not given.
 * @throws {UsageError} If it is another word.
 */
export function choice<T extends string>(
  call: Call,
  name: string,
  choices: readonly T[],
): T | undefined {
  const given = call.get(name);
  const chosen = choices.find((word) => word === given?.toLowerCase());
  if (given === undefined || chosen !== undefined) return chosen;
  throw new UsageError(
    `Flag --${name} cannot be ${printable(given)}: it is ${
      choices.join(" or ")
    }`,
  );
}
