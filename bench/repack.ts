/**
 * Repacking the folder of a checkpoint: `deno task bench:repack [--mib N] [--rounds N]`.
 *
 * Beside it, taking turns, a process that reads the same files and writes the same
 * bytes, synced too, in pieces of a mebibyte; and `cp`, which syncs nothing.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { join } from "node:path";
import { planSafetensors } from "../src/files/safetensors_write.ts";
import { type Run, run } from "./process.ts";
import { environment, median, table } from "./table.ts";

const MIB = 1024 * 1024;

/** Inputs and outputs of the layers; those of a model of 8 billion weights. */
const LAYERS: readonly (readonly [inputs: number, outputs: number])[] = [
  [4096, 4096],
  [4096, 1024],
  [4096, 14336],
  [14336, 4096],
];

const GROUP = 128;

/** What follows `convert FOLDER -o OUT`. */
const calls: Readonly<Record<string, readonly string[]>> = {
  compressed_tensors: ["--scale-dtype", "F16"],
  matmul_nbits: ["--block-size", `${GROUP}`, "--scale-dtype", "F16"],
  awq: [],
};

const ALONE = "reading and writing alone";
const CP = "cp, not synced";

const copier = `
const [from, to] = Deno.args;
await Deno.mkdir(to);
const buffer = new Uint8Array(1024 * 1024);
for await (const { name } of Deno.readDir(from)) {
  const input = await Deno.open(from + "/" + name);
  const output = await Deno.open(to + "/" + name, { write: true, create: true });
  for (let n; (n = await input.read(buffer)) !== null;) {
    for (let rest = buffer.subarray(0, n); rest.length > 0;) rest = rest.subarray(await output.write(rest));
  }
  await output.sync();
}
`;

const CONFIG = {
  model_type: "llama",
  quantization_config: {
    quant_method: "gptq",
    bits: 4,
    group_size: GROUP,
    desc_act: false,
    sym: true,
    checkpoint_format: "gptq",
  },
};

/** The parts of a layer, with numbers that a library could have written. */
function* partsOf(
  name: string,
  inputs: number,
  outputs: number,
): Generator<[name: string, dtype: string, shape: number[], data: Uint8Array]> {
  const groups = inputs / GROUP;
  const codes = new Int32Array(inputs / 8 * outputs);
  codes.forEach((_, i) => codes[i] = Math.imul(i, 0x9e3779b1));
  const scales = new Uint16Array(groups * outputs).fill(0x1c00);
  const zeros = new Int32Array(groups * outputs / 8).fill(0x77777777);
  const order = Int32Array.from(
    { length: inputs },
    (_, i) => Math.floor(i / GROUP),
  );
  const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer);
  yield [`${name}.g_idx`, "I32", [inputs], bytes(order)];
  yield [`${name}.qweight`, "I32", [inputs / 8, outputs], bytes(codes)];
  yield [`${name}.qzeros`, "I32", [groups, outputs / 8], bytes(zeros)];
  yield [`${name}.scales`, "F16", [groups, outputs], bytes(scales)];
}

/** Writes a folder of about `mebibytes`; tells how many bytes it has. */
async function makeFolder(path: string, mebibytes: number): Promise<number> {
  await Deno.mkdir(path);
  await Deno.writeTextFile(join(path, "config.json"), JSON.stringify(CONFIG));
  const parts = LAYERS.flatMap(([inputs, outputs], i) => [
    ...partsOf(`model.layers.0.linear${i}`, inputs, outputs),
  ]);
  const entries = parts.map(([name, dtype, shape]) => ({ name, dtype, shape }));
  const { header, offsets, size } = planSafetensors(entries);
  const shards = Math.max(1, Math.round(mebibytes * MIB / size));
  const map: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const text = new TextDecoder().decode(header);
    // A number of as many digits, so that nothing moves.
    const own = text.replaceAll("layers.0.", `layers.${shard % 10}.`);
    const name = `model-${shard}.safetensors`;
    using file = await Deno.open(join(path, name), {
      write: true,
      create: true,
    });
    await file.write(new TextEncoder().encode(own));
    for (const [i, [part, , , data]] of parts.entries()) {
      await file.seek(offsets[i], Deno.SeekMode.Start);
      for (let rest = data; rest.length > 0;) {
        rest = rest.subarray(await file.write(rest));
      }
      map[part.replace("layers.0.", `layers.${shard % 10}.`)] = name;
    }
    await file.sync();
  }
  await Deno.writeTextFile(
    join(path, "model.safetensors.index.json"),
    JSON.stringify({ metadata: {}, weight_map: map }),
  );
  return shards * size;
}

function usage(problem: string): never {
  console.error(`${problem}; call it as bench:repack [--mib N] [--rounds N]`);
  Deno.exit(2);
}

const args = parseArgs(Deno.args, {
  string: ["mib", "rounds"],
  default: { mib: "700", rounds: "3" },
  unknown: (argument) => usage(`there is no ${argument}`),
});
const mebibytes = Number(args.mib), rounds = Number(args.rounds);
// Layers are told apart by one digit.
if (!(mebibytes >= 1 && mebibytes <= 700)) {
  usage(`--mib takes a number from 1 to 700, not ${args.mib}`);
}
if (!Number.isInteger(rounds) || rounds < 1) {
  usage(`--rounds takes a whole number, not ${args.rounds}`);
}

const folder = await Deno.makeTempDir({ prefix: "nibblewise-bench-" });
try {
  const input = join(folder, "gptq"), output = join(folder, "out");
  const script = join(folder, "copy.js");
  const bytes = await makeFolder(input, mebibytes);
  await Deno.writeTextFile(script, copier);
  const cli = join(import.meta.dirname!, "..", "cli.ts");
  const contenders: Record<string, readonly string[]> = {
    [ALONE]: ["run", "-RW", script, input, output],
    ...(Deno.build.os !== "windows" && { [CP]: ["-r", input, output] }),
  };
  for (const [format, flags] of Object.entries(calls)) {
    const call = ["convert", input, "-o", `${output}/`, "--format", format];
    contenders[`gptq to ${format}`] = [
      ...["run", "-RW", cli, ...call, "--quiet"],
      ...flags,
    ];
  }
  const runs: Record<string, Run[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const [name, call] of Object.entries(contenders)) {
      const program = name === CP ? "cp" : undefined;
      (runs[name] ??= []).push(await run(call, program));
      await Deno.remove(output, { recursive: true });
    }
  }
  const alone = runs[ALONE];
  console.log(
    `${environment()}\n${
      (bytes / MIB).toFixed(0)
    } MiB, medians of ${rounds} rounds, processes taking turns\n`,
  );
  const rows = Object.entries(runs).map(([name, all]) => {
    const took = median(all.map(({ milliseconds }) => milliseconds));
    const ratio = median(
      all.map(({ milliseconds }, i) => alone[i].milliseconds / milliseconds),
    );
    const peak = Math.max(...all.map(({ mebibytes }) => mebibytes));
    return [
      name,
      (took / 1000).toFixed(2),
      `${ratio.toFixed(2)}x`,
      (bytes / MIB / took * 1000).toFixed(0),
      peak === 0 ? "?" : peak.toFixed(0),
    ];
  });
  console.log(
    table(["repack", "s", "speed of copying", "MiB/s", "peak MiB"], rows, 1),
  );
} finally {
  await Deno.remove(folder, { recursive: true });
}
