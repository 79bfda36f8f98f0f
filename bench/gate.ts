/**
 * Compares the speed of this tree with a git revision:
 * `deno task bench:gate BASE [--rounds N] [--history FILE]`.
 *
 * Processes of base, head and base again take turns, so that what the machine
 * does besides hits all three alike. The two runs of base tell how much equal
 * code differs here and now; a case counts as slower only where head is slower
 * than that noise explains, and only if a second series says so too.
 *
 * Exit 0: no case is slower. 1: some are. 2: the call was wrong.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  judge,
  type Round,
  slower,
  type Timings,
  type Verdict,
} from "./judge.ts";
import { environment, table } from "./table.ts";

const root = join(import.meta.dirname!, "..");

async function output(
  program: string,
  args: readonly string[],
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: root,
    stdin: "null",
  }).output();
  if (success) return new TextDecoder().decode(stdout).trim();
  throw new Error(
    `${program} ${args.join(" ")} failed: ${
      new TextDecoder().decode(stderr).trim()
    }`,
  );
}

/** Times one revision in a process of its own, by this tree's rules. */
async function measure(
  folder: string,
  names: readonly string[],
): Promise<Timings> {
  const url = pathToFileURL(join(folder, "mod.ts")).href;
  const args = [
    "run",
    "-A",
    "--no-check",
    join("bench", "measure.ts"),
    url,
    ...names,
  ];
  return JSON.parse(await output(Deno.execPath(), args));
}

async function series(
  baseFolder: string,
  rounds: number,
  names: readonly string[],
): Promise<Round[]> {
  const result: Round[] = [];
  for (let i = 1; i <= rounds; i++) {
    console.error(`round ${i} of ${rounds}`);
    const base = await measure(baseFolder, names);
    const head = await measure(root, names);
    const again = await measure(baseFolder, names);
    result.push({ base, head, again });
  }
  return result;
}

function report(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ name, base, head, ratio, threshold }) => [
    name,
    (base / 1e6).toFixed(3),
    (head / 1e6).toFixed(3),
    ratio.toFixed(3),
    threshold.toFixed(3),
    ratio > threshold ? "SLOWER" : ratio < 1 / threshold ? "faster" : "",
  ]);
  return table(
    ["case", "base ms", "head ms", "ratio", "threshold", ""],
    rows,
    1,
  );
}

/** Appends one line of JSON, so that a history is a file of lines that anything can plot. */
async function remember(
  path: string,
  base: string,
  verdicts: readonly Verdict[],
): Promise<void> {
  const record = {
    date: new Date().toISOString(),
    environment: environment(),
    base,
    head: await output("git", ["rev-parse", "HEAD"]),
    changed: (await output("git", ["status", "--porcelain"])) !== "",
    verdicts,
  };
  await Deno.writeTextFile(path, JSON.stringify(record) + "\n", {
    append: true,
  });
}

/** Runs the comparison and returns the exit code. */
async function gate(
  base: string,
  rounds: number,
  history: string | undefined,
): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "nibblewise-gate-" });
  const worktree = join(folder, "base");
  await output("git", ["worktree", "add", "--detach", worktree, base]);
  try {
    const first = judge(await series(worktree, rounds, []));
    console.log(`${environment()}\nbase ${base}\n\n${report(first)}`);
    if (history !== undefined) await remember(history, base, first);
    if (first.length === 0) {
      throw new Error("head and base have no case in common");
    }
    const suspects = slower(first);
    if (suspects.length === 0) return 0;
    console.log(`\n${suspects.length} look slower; a second series decides`);
    const second = judge(
      await series(worktree, rounds, suspects.map(({ name }) => name)),
    );
    console.log(report(second));
    return slower(second).length > 0 ? 1 : 0;
  } finally {
    await output("git", ["worktree", "remove", "--force", worktree]);
    await Deno.remove(folder, { recursive: true });
  }
}

function usage(problem: string): never {
  console.error(
    `${problem}; call it as bench:gate BASE [--rounds N] [--history FILE]`,
  );
  Deno.exit(2);
}

const args = parseArgs(Deno.args, {
  string: ["rounds", "history", "_"],
  default: { rounds: "7" },
  unknown(argument, key) {
    if (key !== undefined) usage(`there is no ${argument}`);
  },
});
const rounds = Number(args.rounds);
const [base, ...others] = args._.map(String);
if (base === undefined || others.length > 0) usage("name one git revision");
if (!Number.isInteger(rounds) || rounds < 3) {
  usage(`--rounds takes a whole number from 3 up, not ${args.rounds}`);
}
let commit: string;
try {
  commit = await output("git", ["rev-parse", "--verify", `${base}^{commit}`]);
} catch {
  usage(`"${base}" is no git revision here`);
}
Deno.exit(await gate(commit, rounds, args.history as string | undefined));
