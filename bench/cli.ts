/**
 * The whole command line on a large file: `deno task bench:cli [--mib N] [--rounds N] [--json]`.
 *
 * Beside it, taking turns, a process that reads the same file and writes as
 * many bytes as the output has, synced too: what no program can beat; and native
 * ggml on the same file, where its library loads. Peak memory is the kernel's own high-water mark, where /proc has it.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { join } from "node:path";
import { planSafetensors } from "../src/files/safetensors_write.ts";
import { openGgml } from "../tests/peers/ggml.ts";
import { weights } from "./cases.ts";
import { type Run, run } from "./process.ts";
import { environment, median, table } from "./table.ts";

const MIB = 1024 * 1024;

/** Rows of a size that every block divides. */
const COLUMNS = 4096;

/** Arguments after `quantize IN -o OUT`. */
const calls: Readonly<Record<string, readonly string[]>> = {
  "int4, groups of 32": ["--format", "int4", "--group-size", "32"],
  "int4, one scale": ["--format", "int4"],
  "q4_0, GGUF": ["--format", "q4_0", "--meta", "general.architecture=none"],
};

/** Copies an eighth of the input while reading all of it, as quantizing to 4 bits does. */
const copier = `
const [from, to] = Deno.args;
const input = await Deno.open(from), output = await Deno.open(to, { write: true, create: true, truncate: true });
const buffer = new Uint8Array(1024 * 1024);
for (let n; (n = await input.read(buffer)) !== null;) {
  for (let rest = buffer.subarray(0, n >> 3); rest.length > 0;) rest = rest.subarray(await output.write(rest));
}
await output.sync();
`;

/** Writes `mebibytes` of weights as one safetensors matrix; tells where its values start. */
async function makeInput(path: string, mebibytes: number): Promise<number> {
  const shape = [mebibytes * MIB / 4 / COLUMNS, COLUMNS];
  const { header } = planSafetensors([{ name: "w", dtype: "F32", shape }]);
  const piece = new Uint8Array(weights(new Float32Array(4 * MIB)).buffer);
  using file = await Deno.open(path, { write: true, create: true });
  await file.write(header);
  for (let left = mebibytes * MIB; left > 0; left -= piece.length) {
    let rest = piece.subarray(0, Math.min(left, piece.length));
    while (rest.length > 0) rest = rest.subarray(await file.write(rest));
  }
  await file.sync();
  return header.length;
}

function usage(problem: string): never {
  console.error(
    `${problem}; call it as bench:cli [--mib N] [--rounds N] [--json]`,
  );
  Deno.exit(2);
}

const args = parseArgs(Deno.args, {
  string: ["mib", "rounds"],
  boolean: ["json"],
  default: { mib: "2048", rounds: "3" },
  unknown: (argument) => usage(`there is no ${argument}`),
});
const mebibytes = Number(args.mib), rounds = Number(args.rounds);
if (!Number.isInteger(mebibytes) || mebibytes < 1) {
  usage(`--mib takes a whole number, not ${args.mib}`);
}
if (!Number.isInteger(rounds) || rounds < 1) {
  usage(`--rounds takes a whole number, not ${args.rounds}`);
}

const folder = await Deno.makeTempDir({ prefix: "nibblewise-bench-" });
try {
  const input = join(folder, "w.safetensors"),
    output = join(folder, "q.safetensors"),
    gguf = join(folder, "q.gguf"),
    script = join(folder, "copy.js");
  const start = await makeInput(input, mebibytes);
  await Deno.writeTextFile(script, copier);
  const ggml = join(import.meta.dirname!, "peers", "ggml_file.ts");
  const library = await openGgml(), native = library !== undefined;
  library?.close();
  const cli = join(import.meta.dirname!, "..", "cli.ts");
  const contenders: Record<string, readonly string[]> = {
    "reading and writing alone": ["run", "-RW", script, input, output],
    ...native && {
      "native ggml, q4_0": ["run", "-A", ggml, input, gguf, `${start}`],
    },
    ...Object.fromEntries(
      Object.entries(calls).map(([name, flags]) => [
        name,
        [
          "run",
          "-RW",
          cli,
          "quantize",
          input,
          "-o",
          name.endsWith("GGUF") ? gguf : output,
          "--force",
          "--quiet",
          ...flags,
        ],
      ]),
    ),
  };
  const runs: Record<string, Run[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const [name, call] of Object.entries(contenders)) {
      (runs[name] ??= []).push(await run(call));
    }
  }
  const alone = runs["reading and writing alone"].map(({ milliseconds }) =>
    milliseconds
  );
  const results = Object.entries(runs).map(([name, all]) => ({
    name,
    milliseconds: median(all.map(({ milliseconds }) => milliseconds)),
    mebibytes: Math.max(...all.map(({ mebibytes }) => mebibytes)),
    ratio: median(all.map(({ milliseconds }, i) => milliseconds / alone[i])),
  }));
  if (args.json) {
    console.log(
      JSON.stringify({ environment: environment(), mebibytes, results }),
    );
  } else {
    console.log(
      `${environment()}\n${mebibytes} MiB of float32, medians of ${rounds} rounds, processes taking turns\n`,
    );
    const rows = results.map((result) => [
      result.name,
      (result.milliseconds / 1000).toFixed(2),
      `${result.ratio.toFixed(2)}x`,
      (mebibytes / result.milliseconds * 1000).toFixed(0),
      result.mebibytes === 0 ? "?" : result.mebibytes.toFixed(0),
    ]);
    console.log(
      table(
        ["quantize", "s", "of reading and writing", "MiB/s", "peak MiB"],
        rows,
        1,
      ),
    );
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
