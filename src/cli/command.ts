/**
 * The words of the command line: what a command is, what it is called with,
 * and how its result is told.
 *
 * @module
 */
import type { Io, Printer } from "./terminal.ts";

/** A flag of a command. */
export interface Flag {
  /** Its long name, without dashes. */
  readonly name: string;
  /** A letter for it. */
  readonly short?: string;
  /** What to call its value in the help; a flag without is a switch. */
  readonly takes?: string;
  /** Whether it may be given several times. */
  readonly many?: boolean;
  /** One line of help. */
  readonly help: string;
  /** The file that a value makes the program read, where it does. */
  reads?(value: string): string | undefined;
}

/** The arguments of a call, checked against the flags of its command. */
export interface Call {
  /** What is no flag. */
  readonly operands: readonly string[];
  /** Every file that the call names to be read, by operands and flags; never written. */
  readonly inputs: readonly string[];
  /** Whether a switch is on. */
  has(name: string): boolean;
  /** The value of a flag, or undefined where it is not given. */
  get(name: string): string | undefined;
  /** The values of a flag that may be given several times. */
  all(name: string): readonly string[];
}

/** A command of the program. */
export interface Command {
  /** What to type. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What comes behind the name, without the flags: `IN -o OUT`. */
  readonly operands: string;
  /** How many operands there must be. */
  readonly count: number;
  /** Its own flags, beside {@linkcode COMMON_FLAGS}. */
  readonly flags: readonly Flag[];
  /** Calls that show what it is for, each with a word about it. */
  readonly examples: readonly (readonly [call: string, about: string])[];
  /** Does the work. Returns the exit code. */
  run(call: Call, io: Io): Promise<number>;
}

/** The flags that every command has. */
export const COMMON_FLAGS: readonly Flag[] = [
  { name: "json", help: "print one JSON document in place of text" },
  { name: "quiet", short: "q", help: "print no results and no warnings" },
  { name: "help", short: "h", help: "explain the command" },
];

/** The work was done. */
export const DONE = 0;
/** The work failed: bad data, bad file. */
export const FAILED = 1;
/** The call was wrong. */
export const WRONG_CALL = 2;

/** The call is wrong: a flag, a name, a combination. The exit code is 2. */
export class UsageError extends Error {}

/** Version of the shape of what `--json` prints: another one where a name goes or changes its meaning. */
export const JSON_VERSION = 1;

/**
 * Prints the result of a command the way it was asked for.
 *
 * @param call The call; knows `--json` and `--quiet`.
 * @param to Where to print.
 * @param json The result as data; its version is added.
 * @param text The result for people as lines, for a terminal of so many columns if it is one.
 */
export function show(
  call: Call,
  to: Printer,
  json: () => object,
  text: (columns?: number) => readonly string[],
): void {
  if (call.has("json")) to.json({ version: JSON_VERSION, ...json() });
  else if (!call.has("quiet")) to.lines(text(to.columns));
}
