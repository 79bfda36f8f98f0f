/**
 * Against others, in the same run: the original module under numpy, a naive
 * loop, native ggml, and the libraries of Python that the other formats come from.
 * `deno task bench:peers [--format NAME] [--values N] [--rounds N] [--json]`
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { hold, type Standing, standingsTable } from "./contest.ts";
import { ggmlContests, SEARCH_DIVISOR } from "./peers/ggml.ts";
import { libraryContests } from "./peers/libraries.ts";
import { originalContests } from "./peers/original.ts";
import { COLUMNS } from "./peers/own.ts";
import { environment } from "./table.ts";

function usage(problem: string): never {
  console.error(
    `${problem}; call it as bench:peers [--format NAME] [--values N] [--rounds N] [--json]`,
  );
  Deno.exit(2);
}

const args = parseArgs(Deno.args, {
  string: ["format", "values", "rounds"],
  boolean: ["json"],
  default: { values: String(16 * 1024 * 1024), rounds: "9", format: "" },
  unknown: (argument) => usage(`there is no ${argument}`),
});
const values = Number(args.values), rounds = Number(args.rounds);
const unit = COLUMNS * SEARCH_DIVISOR;
if (!(values > 0) || values % unit !== 0) {
  usage(`--values takes a multiple of ${unit}, not ${args.values}`);
}
if (!(rounds >= 1) || !Number.isInteger(rounds)) {
  usage(`--rounds takes a whole number, not ${args.rounds}`);
}

const all: Standing[] = [];
if (!args.json) {
  console.log(
    `${environment()}\nmedians of ${rounds} rounds in which everybody takes turns`,
  );
}
for (const contests of [originalContests, ggmlContests, libraryContests]) {
  for await (const contest of contests(values, String(args.format))) {
    const standings = await hold(contest, rounds);
    all.push(...standings);
    if (!args.json) {
      console.log(
        `\n${contest.title}, ${contest.values} values\n${
          standingsTable(standings)
        }`,
      );
    }
  }
}
if (args.json) {
  console.log(JSON.stringify({ environment: environment(), standings: all }));
}
