/**
 * The words of the command line: what a command is, what it is called with,
 * and where its output goes.
 *
 * @module
 */

/** Where a command prints, and what it may know about the terminal. */
export interface Io {
  /** Prints a result. */
  out(text: string): void;
  /** Prints what is no result: progress, warnings, errors. */
  err(text: string): void;
  /** Waits until what was printed by `out` has left; rejects where it cannot. */
  flushed?(): Promise<void>;
  /** Columns of the terminal that shows `err`; undefined when it is none. */
  readonly columns?: number;
}

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
}

/** The arguments of a call, checked against the flags of its command. */
export interface Call {
  /** What is no flag. */
  readonly operands: readonly string[];
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

/**
 * Prints the result of a command the way it was asked for.
 *
 * @param call The call; knows `--json` and `--quiet`.
 * @param io Where to print.
 * @param json The result as data.
 * @param text The result for people.
 */
export function show(
  call: Call,
  io: Pick<Io, "out">,
  json: () => unknown,
  text: () => string,
): void {
  if (call.has("json")) io.out(JSON.stringify(json(), null, 2) + "\n");
  else if (!call.has("quiet")) io.out(text());
}
