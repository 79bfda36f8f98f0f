/**
 * Runs the test stages one after another and sums them up: `deno task test`.
 *
 * Stages that are `deno test` runs count their tests, every other stage counts
 * as one. A stage named on the command line runs alone; `--ok` leaves out the
 * slow ones.
 *
 * @module
 */

/** What a stage came to. */
interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
}

/** One child process of the suite. */
interface Stage {
  /** Short name, for the command line and the summary. */
  readonly name: string;
  /** Arguments for `deno`. */
  readonly args: readonly string[];
  /** True when the stage is a `deno test` run, whose tests are counted. */
  readonly counts?: true;
  /** True when `--ok` leaves it out. */
  readonly slow?: true;
  /** Environment variables beyond the inherited ones. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What deno.json exports, but for the program. */
const { exports }: { exports: Record<string, string> } = JSON.parse(
  Deno.readTextFileSync(new URL("../deno.json", import.meta.url)),
);
const entryPoints = Object.values(exports).filter((path) =>
  path !== "./cli.ts"
);

/** Tests that bring up other runtimes; they prove both backends themselves, so the forced run leaves them out. */
const runtimes = "tests/runtimes";

const stages: readonly Stage[] = [
  { name: "format", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  { name: "check", args: ["check"] },
  { name: "doc-lint", args: ["doc", "--lint", ...entryPoints] },
  { name: "wasm-rebuild", args: ["task", "build", "--check"] },
  { name: "std-rebuild", args: ["task", "build:std", "--check"] },
  { name: "publish", args: ["publish", "--dry-run", "--allow-dirty"] },
  {
    name: "tests",
    args: ["test", "-q", "-A", "--doc", `--ignore=${runtimes}`],
    counts: true,
  },
  {
    name: "tests-js",
    args: [
      "test",
      "-q",
      "-A",
      "--doc",
      `--ignore=${runtimes}`,
      "--preload=tests/force_js.ts",
    ],
    counts: true,
    slow: true,
    env: { NIBBLEWISE_BACKEND: "js" },
  },
  {
    name: "runtimes",
    args: ["test", "-q", "-A", runtimes],
    counts: true,
    slow: true,
  },
];

/** The closing line of `deno test`. */
const testSummary =
  /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(?: \| (\d+) ignored)?/m;

/** A stage that takes longer hangs: it is ended and counts as failed. */
const STAGE_LIMIT_MS = 20 * 60 * 1000;

/** Copies a stream to standard output as it comes and returns its text. */
async function relay(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    let rest = bytes;
    while (rest.length > 0) rest = rest.subarray(await Deno.stdout.write(rest));
    text += decoder.decode(bytes, { stream: true });
  }
  return text;
}

/** Runs one stage to its end. */
async function run(stage: Stage): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...stage.args],
    env: { NO_COLOR: "1", ...stage.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const limit = setTimeout(() => {
    console.log(`${stage.name} takes too long and is ended`);
    child.kill();
  }, STAGE_LIMIT_MS);
  const [output, , status] = await Promise.all([
    relay(child.stdout),
    relay(child.stderr),
    child.status,
  ]);
  clearTimeout(limit);
  if (!stage.counts) {
    return {
      passed: Number(status.success),
      failed: Number(!status.success),
      skipped: 0,
    };
  }
  const counted = testSummary.exec(output);
  const passed = Number(counted?.[1] ?? 0);
  const failed = Number(counted?.[2] ?? 0);
  // A run that broke off before its summary, or that ran nothing, has failed whatever it printed.
  const broken = failed === 0 && (!status.success || passed === 0);
  return {
    passed,
    failed: failed + Number(broken),
    skipped: Number(counted?.[3] ?? 0),
  };
}

/** The stages that the command line asks for; throws a RangeError for a name that is none. */
function chosen(args: readonly string[]): readonly Stage[] {
  if (args.length === 0) return stages;
  if (args.length === 1 && args[0] === "--ok") {
    return stages.filter((stage) => !stage.slow);
  }
  return args.map((name) => {
    const stage = stages.find((candidate) => candidate.name === name);
    if (stage === undefined) {
      throw new RangeError(
        `no test stage is called "${name}"; there are ${
          stages.map((s) => s.name).join(", ")
        }`,
      );
    }
    return stage;
  });
}

const seconds = (from: number) =>
  `${((performance.now() - from) / 1000).toFixed(1)} s`;

const start = performance.now();
const total: Outcome = { passed: 0, failed: 0, skipped: 0 };
const rows: string[] = [];
for (const stage of chosen(Deno.args)) {
  console.log(`\n--- ${stage.name}: deno ${stage.args.join(" ")}`);
  const begun = performance.now();
  const outcome = await run(stage);
  total.passed += outcome.passed;
  total.failed += outcome.failed;
  total.skipped += outcome.skipped;
  const verdict = outcome.failed > 0 ? "FAILED" : "ok";
  const counts =
    `${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped`;
  rows.push(
    `${verdict.padEnd(7)}${stage.name.padEnd(14)}${counts.padEnd(36)}${
      seconds(begun)
    }`,
  );
}
console.log(`\n--- summary\n${rows.join("\n")}`);
console.log(
  `all stages: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped (${
    seconds(start)
  })`,
);
Deno.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
