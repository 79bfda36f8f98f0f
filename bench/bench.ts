/**
 * Times every format on every backend: `deno task bench [--format NAME] [--quick] [--json]`.
 *
 * Every figure is a median. Where the result is reused, no page is touched for
 * the first time while the clock runs; the basic operations make a new array
 * each. Beside each case stands a memcpy of the same floats, measured in the
 * same run.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { measure } from "mitata";
import * as nibblewise from "../mod.ts";
import { type Case, cases, type Memory, sizes, weightsIn } from "./cases.ts";
import { environment, gigaBytes, gigaElements, table } from "./table.ts";

/** Slow cases on large data are stopped after this many runs. */
const FEWEST_SAMPLES = 5;

/** Nanoseconds of a run, the median. */
async function time(run: () => void): Promise<number> {
  const stats = await measure(run, {
    min_samples: FEWEST_SAMPLES,
    min_cpu_time: 200e6,
    inner_gc: false,
  });
  return stats.p50;
}

const copies = new Map<string, number>();

/** Nanoseconds that it takes to copy `values` floats within a kind of memory. */
async function memcpy(memory: Memory, values: number): Promise<number> {
  const key = `${memory}/${values}`;
  const known = copies.get(key);
  if (known !== undefined) return known;
  const source = weightsIn(nibblewise, memory, values);
  const target = weightsIn(nibblewise, memory, values);
  const nanoseconds = await time(() => target.set(source));
  copies.set(key, nanoseconds);
  return nanoseconds;
}

/** One line of the report. */
interface Result extends
  Pick<
    Case,
    "operation" | "format" | "backend" | "memory" | "result" | "values"
  > {
  readonly nanoseconds: number;
  readonly memcpyNanoseconds: number;
}

const header = [
  "operation",
  "format",
  "backend",
  "memory",
  "result",
  "values",
  "ms",
  "Gelem/s",
  "GB/s",
  "of memcpy",
];

function row(line: Result): string[] {
  const { values, nanoseconds, memcpyNanoseconds } = line;
  return [
    line.operation,
    line.format,
    line.backend,
    line.memory,
    line.result,
    String(values),
    (nanoseconds / 1e6).toFixed(3),
    gigaElements(values, nanoseconds),
    gigaBytes(values, nanoseconds),
    `${(100 * memcpyNanoseconds / nanoseconds).toFixed(0)} %`,
  ];
}

const known = { string: ["format"], boolean: ["quick", "json"] };
const args = parseArgs(Deno.args, {
  ...known,
  unknown(argument) {
    console.error(
      `bench does not know ${argument}; it takes --format NAME, --quick and --json`,
    );
    Deno.exit(2);
  },
});
const lengths = args.quick ? [256 * 1024] : Object.values(sizes);
const format = String(args.format ?? "");
const results: Result[] = [];
for (const subject of cases(nibblewise, { lengths, format })) {
  const { prepare, name, ...rest } = subject;
  const memcpyNanoseconds = await memcpy(subject.memory, subject.values);
  const nanoseconds = await time(prepare());
  results.push({ ...rest, nanoseconds, memcpyNanoseconds });
  if (!args.json) console.error(`${results.length}. ${name}`);
}
if (args.json) {
  console.log(JSON.stringify({ environment: environment(), results }));
} else {
  console.log(`${environment()}\nmedians; GB/s of float32\n`);
  console.log(table(header, results.map(row), 5));
}
