/**
 * From arguments to an exit code.
 *
 * @module
 */
import process from "node:process";
import { errorCode, printable } from "../files/errors.ts";
import { benchCommand } from "./bench.ts";
import {
  type Command,
  DONE,
  FAILED,
  type Io,
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
import { parseCall } from "./flags.ts";
import { formatsCommand } from "./formats.ts";
import { commandHelp, programHelp } from "./help.ts";
import { inspectCommand } from "./inspect.ts";
import { removeUnfinished } from "./output.ts";
import { quantizeCommand } from "./quantize.ts";
import { didYouMean } from "./suggest.ts";
import { VERSION } from "./version.ts";

const COMMANDS: readonly Command[] = [
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
 * @param io Where to print; the process itself by default.
 * @returns The exit code: 0 done, 1 the work failed, 2 the call was wrong.
 */
export async function main(
  args: readonly string[],
  io: Io = processIo(),
): Promise<number> {
  try {
    return await dispatch(args, io);
  } catch (error) {
    return explain(error, io);
  }
}

async function dispatch(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-V") {
    io.out(`nibblewise ${VERSION}\n`);
    return DONE;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    io.out(helpFor(rest[0]));
    return DONE;
  }
  if (name === undefined) {
    io.err(programHelp(COMMANDS));
    return WRONG_CALL;
  }
  const command = commandNamed(name);
  const call = parseCall(command, rest);
  if (call.has("help")) {
    io.out(commandHelp(command));
    return DONE;
  }
  checkOperands(command, call.operands);
  return await command.run(call, io);
}

function helpFor(name: string | undefined): string {
  return name === undefined
    ? programHelp(COMMANDS)
    : commandHelp(commandNamed(name));
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
  if (operands.length === command.count) return;
  const usage = `nibblewise ${command.name} ${command.operands}`.trimEnd();
  const extra = operands[command.count];
  throw new UsageError(
    extra === undefined
      ? `Too few arguments: the call is ${usage}`
      : `Unexpected argument ${printable(extra)}: the call is ${usage}`,
  );
}

/** One line about an error. Returns the exit code. */
function explain(error: unknown, io: Io): number {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replace(/\s*\n\s*/g, " ");
  const wrongCall = error instanceof UsageError;
  io.err(
    `nibblewise: ${line}${wrongCall ? "; see nibblewise --help" : ""}\n`,
  );
  return wrongCall ? WRONG_CALL : FAILED;
}

/** The process's own streams and signals. */
export function processIo(): Io {
  catchSignals();
  const { stdout, stderr } = process;
  // A reader that has seen enough (`| head`) is no error.
  stdout.on("error", (error: Error) => {
    if (errorCode(error) !== "EPIPE") throw error;
    process.exit(FAILED);
  });
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    columns: stderr.isTTY ? stderr.columns ?? 80 : undefined,
  };
}

/** Exit codes of processes that a signal ended, as shells count them. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

function catchSignals(): void {
  for (const [signal, code] of Object.entries(SIGNALS)) {
    try {
      process.on(signal as keyof typeof SIGNALS, () => {
        removeUnfinished();
        process.exit(code);
      });
    } catch {
      // Windows knows no SIGTERM.
    }
  }
}
