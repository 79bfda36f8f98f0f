/**
 * From arguments to an exit code.
 *
 * @module
 */
import process from "node:process";
import "../model/install.ts";
import "../model/install_searches.ts";
import { printable } from "../files/errors.ts";
import { benchCommand } from "./bench.ts";
import {
  type Command,
  DONE,
  FAILED,
  JSON_VERSION,
  UsageError,
  WRONG_CALL,
} from "./command.ts";
import { indexCommand } from "./commands/index.ts";
import { recallCommand } from "./commands/recall.ts";
import { searchCommand } from "./commands/search.ts";
import { compareCommand } from "./compare.ts";
import { convertCommand } from "./convert.ts";
import { demoCommand } from "./demo.ts";
import { dequantizeCommand } from "./dequantize.ts";
import { parseCall, wantsJson } from "./flags.ts";
import { formatsCommand } from "./formats.ts";
import { commandHelp, programHelp } from "./help.ts";
import { inspectCommand } from "./inspect.ts";
import { removeUnfinished } from "./output.ts";
import { quantizeCommand } from "./quantize.ts";
import { PrintStream } from "./streams.ts";
import { didYouMean } from "./suggest.ts";
import { Io, type Streams } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Every command. */
export const COMMANDS: readonly Command[] = [
  quantizeCommand,
  dequantizeCommand,
  convertCommand,
  inspectCommand,
  compareCommand,
  indexCommand,
  searchCommand,
  recallCommand,
  formatsCommand,
  demoCommand(main),
  benchCommand,
];

/**
 * Runs the program.
 *
 * @param args What comes behind its name.
 * @param streams Where to print; those of the process by default.
 * @returns The exit code: 0 done, 1 the work failed, 2 the call was wrong.
 */
export async function main(
  args: readonly string[],
  streams: Streams = processStreams(),
): Promise<number> {
  const io = new Io(streams);
  try {
    const code = await dispatch(args, io);
    await io.flushed();
    return code;
  } catch (error) {
    return explain(error, io, wantsJson(args));
  }
}

async function dispatch(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-V") {
    io.out.lines([`nibblewise ${VERSION}`]);
    return DONE;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    io.out.lines(helpFor(rest[0], io.out.columns));
    return DONE;
  }
  if (name === undefined) {
    io.err.lines(programHelp(COMMANDS, io.err.columns));
    return WRONG_CALL;
  }
  const command = commandNamed(name);
  const call = parseCall(command, rest);
  if (call.has("help")) {
    io.out.lines(commandHelp(command, io.out.columns));
    return DONE;
  }
  checkOperands(command, call.operands);
  return await command.run(call, io);
}

function helpFor(name: string | undefined, columns?: number): string[] {
  return name === undefined
    ? programHelp(COMMANDS, columns)
    : commandHelp(commandNamed(name), columns);
}

function commandNamed(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command) return command;
  const names = COMMANDS.map((candidate) => candidate.name);
  const what = name.startsWith("-") ? "flag" : "command";
  throw new UsageError(
    `Unknown ${what} ${printable(name)}: ${
      didYouMean(name, names, `the commands are ${names.join(", ")}`)
    }`,
  );
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const usage = `nibblewise ${command.name} ${command.operands}`.trimEnd();
  if (operands.includes("")) {
    throw new UsageError(`An argument is empty: the call is ${usage}`);
  }
  if (operands.length === command.count) return;
  const extra = operands[command.count];
  throw new UsageError(
    extra === undefined
      ? `Too few arguments: the call is ${usage}`
      : `Unexpected argument ${printable(extra)}: the call is ${usage}`,
  );
}

/** One line about an error, and a document where one was asked for. Returns the exit code. */
function explain(error: unknown, io: Io, json: boolean): number {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replace(/\s*\n\s*/g, " ");
  const wrongCall = error instanceof UsageError;
  if (json) io.out.json({ version: JSON_VERSION, error: line });
  io.err.lines([
    `nibblewise: ${line}${wrongCall ? "; see nibblewise --help" : ""}`,
  ]);
  return wrongCall ? WRONG_CALL : FAILED;
}

/** The process's own streams and signals. */
function processStreams(): Streams {
  const { stdout, stderr } = process;
  catchSignals(stdout.isTTY || stderr.isTTY);
  const out = new PrintStream(stdout, "standard output");
  // Whom it cannot be told to, it is not told to.
  const err = new PrintStream(stderr, "standard error");
  return {
    out: (text) => out.print(text),
    err: (text) => err.print(text),
    flushed: () => out.flushed(),
    columns: { out: columnsOf(stdout), err: columnsOf(stderr) },
  };
}

function columnsOf(
  stream: { isTTY?: boolean; columns?: number },
): number | undefined {
  return stream.isTTY ? stream.columns || USUAL_COLUMNS : undefined;
}

/** Columns of a terminal that does not tell. */
const USUAL_COLUMNS = 80;

/** Exit codes of processes that a signal ended, as shells count them. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Removes what is unfinished before a signal ends the process.
 *
 * Whether `nohup` has SIGHUP ignored cannot be asked for: Deno and Node put their
 * own handling in its place. But it leaves no output on a terminal, and without a
 * terminal there is none to hang up: the run goes on.
 */
function catchSignals(onTerminal: boolean): void {
  for (const [signal, code] of Object.entries(SIGNALS)) {
    const goesOn = signal === "SIGHUP" && !onTerminal;
    try {
      process.on(signal as keyof typeof SIGNALS, () => {
        if (goesOn) return;
        removeUnfinished();
        process.exit(code);
      });
    } catch {
      // Windows does not know all of them.
    }
  }
}
