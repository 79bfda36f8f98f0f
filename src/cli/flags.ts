/**
 * Arguments, read strictly: an unknown flag is an error and never a path.
 *
 * @module
 */
import {
  type Call,
  type Command,
  COMMON_FLAGS,
  type Flag,
  UsageError,
} from "./command.ts";
import { alternatives } from "./text.ts";
import { printable } from "../files/errors.ts";
import { didYouMean } from "./suggest.ts";

/** Everything behind it is an operand. */
const END_OF_FLAGS = "--";

/**
 * Reads the arguments of a command.
 *
 * @param command The command; its flags are the only ones that are known.
 * @param args What comes behind its name.
 * @returns The call.
 * @throws {UsageError} For an unknown flag, a flag without its value, with one too many, or given twice.
 */
export function parseCall(
  command: Pick<Command, "flags">,
  args: readonly string[],
): Call {
  const flags = [...command.flags, ...COMMON_FLAGS];
  const operands: string[] = [];
  const values = new Map<Flag, string[]>(flags.map((flag) => [flag, []]));
  for (let i = 0; i < args.length; i++) {
    if (args[i] === END_OF_FLAGS) {
      for (const operand of args.slice(i + 1)) operands.push(operand);
      break;
    }
    if (!looksLikeFlag(args[i])) {
      operands.push(args[i]);
      continue;
    }
    for (const { flag, attached } of written(args[i], flags)) {
      const next = args[i + 1];
      const follows = flag.takes !== undefined && attached === undefined &&
        next !== undefined && !looksLikeFlag(next);
      values.get(flag)!.push(valueOf(flag, follows ? next : attached));
      if (follows) i++;
    }
  }
  return callOf(operands, values);
}

/** `-` alone is standard input or output. */
function looksLikeFlag(argument: string): boolean {
  return argument.startsWith("-") && argument !== "-";
}

/** A flag as it is written, with the value that is attached to it by `=`. */
interface Written {
  readonly flag: Flag;
  readonly attached?: string;
}

/** The flags of one argument: `--output=x`, `-o`, `-ox`, `-qf`. */
function written(argument: string, flags: readonly Flag[]): Written[] {
  const equals = argument.indexOf("=");
  const name = equals < 0 ? argument : argument.slice(0, equals);
  const attached = equals < 0 ? undefined : argument.slice(equals + 1);
  if (name.startsWith("--")) {
    const flag = flags.find((flag) => `--${flag.name}` === name);
    if (!flag) throw unknownFlag(name, flags);
    return [{ flag, attached }];
  }
  // A long name behind one dash is no row of letters.
  if (flags.some((flag) => `-${flag.name}` === name)) {
    throw unknownFlag(name, flags);
  }
  return letters(argument.slice(1), flags);
}

/** Flags by their letters; what is behind one that takes a value is that. */
function letters(text: string, flags: readonly Flag[]): Written[] {
  const found: Written[] = [];
  for (let i = 0; i < text.length; i++) {
    const flag = flags.find(({ short }) => short === text[i]);
    if (!flag) {
      throw unknownFlag(
        `-${String.fromCodePoint(text.codePointAt(i)!)}`,
        flags,
      );
    }
    const rest = text.slice(i + 1);
    if (rest !== "" && (flag.takes || rest.startsWith("="))) {
      return [...found, { flag, attached: rest.replace(/^=/, "") }];
    }
    found.push({ flag });
  }
  return found;
}

function valueOf(flag: Flag, value: string | undefined): string {
  if (flag.takes === undefined) {
    if (value === undefined) return "";
    throw new UsageError(
      `Flag --${flag.name} takes no value: give it without =${
        printable(value)
      }`,
    );
  }
  if (value !== undefined && value !== "") return value;
  throw new UsageError(
    `Flag --${flag.name} takes a value: --${flag.name} ${flag.takes}`,
  );
}

function callOf(
  operands: readonly string[],
  values: ReadonlyMap<Flag, readonly string[]>,
): Call {
  const byName = new Map<string, readonly string[]>();
  const inputs = [...operands];
  for (const [flag, given] of values) {
    if (given.length > 1 && flag.takes && !flag.many) {
      throw new UsageError(
        `Flag --${flag.name} is given ${given.length} times: give it once`,
      );
    }
    byName.set(flag.name, given);
    for (const value of given) {
      const file = flag.reads?.(value);
      if (file !== undefined) inputs.push(file);
    }
  }
  return {
    operands,
    inputs,
    has: (name) => (byName.get(name)?.length ?? 0) > 0,
    get: (name) => byName.get(name)?.[0],
    all: (name) => byName.get(name) ?? [],
  };
}

/**
 * Whether arguments ask for JSON, also where they are wrong otherwise.
 *
 * @param args All arguments.
 * @returns Whether `--json` is among those that may be flags.
 */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf(END_OF_FLAGS);
  return (end < 0 ? args : args.slice(0, end)).includes("--json");
}

function unknownFlag(given: string, flags: readonly Flag[]): UsageError {
  const known = flags.map(({ name }) => `--${name}`);
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
      alternatives(choices)
    }`,
  );
}
