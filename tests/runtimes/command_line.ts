/**
 * The command line under several runtimes: the same arguments have to write the
 * same files, byte for byte.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { adversarial } from "../adversarial.ts";
import { assertSameBytes } from "../same_bytes.ts";
import { execute, type Finished, root } from "./workshop.ts";

/** A .npy file (version 1.0, little-endian float32) written by hand. */
function npy(values: Float32Array, shape: readonly number[]): Uint8Array {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${
    shape.join(", ")
  },), }`;
  const padded =
    header.padEnd(Math.ceil((10 + header.length + 1) / 64) * 64 - 11) + "\n";
  const bytes = new Uint8Array(10 + padded.length + values.byteLength);
  bytes.set([
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    1,
    0,
    padded.length & 255,
    padded.length >> 8,
  ]);
  bytes.set(new TextEncoder().encode(padded), 10);
  bytes.set(
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    10 + padded.length,
  );
  return bytes;
}

/** Commands that read IN and earlier files, and write the file that stands after `-o`. */
const commands: readonly (readonly string[])[] = [
  [
    "quantize",
    "IN.npy",
    "-o",
    "group.safetensors",
    "--format",
    "int4",
    "--group-size",
    "32",
  ],
  [
    "quantize",
    "IN.npy",
    "-o",
    "affine.safetensors",
    "--scale-method",
    "affine",
  ],
  ["quantize", "IN.npy", "-o", "blocks.safetensors", "--format", "q4_0"],
  [
    "quantize",
    "IN.npy",
    "-o",
    "model.gguf",
    "--format",
    "q4_1",
    "--meta",
    "general.architecture=llama",
  ],
  ["dequantize", "model.gguf", "-o", "from-gguf.safetensors", "--to", "bf16"],
  ["dequantize", "group.safetensors", "-o", "restored.npy"],
  ["dequantize", "blocks.safetensors", "-o", "half.npy", "--to", "f16"],
];

/** Commands that only print; what they print has to be equal too. */
const reports: readonly (readonly string[])[] = [
  ["inspect", "group.safetensors", "--json"],
  ["inspect", "model.gguf", "--json"],
  ["compare", "IN.npy", "restored.npy", "--json"],
  ["formats", "--json"],
];

/** Calls that are refused, with their exit codes. */
const refusals: readonly (readonly [code: number, args: readonly string[]])[] =
  [
    [1, ["quantize", "IN.npy", "-o", "group.safetensors"]], // exists, and needs --force
    [1, ["inspect", "absent.safetensors"]],
    [2, ["quantize", "IN.npy", "-o", "new.safetensors", "--unknown-flag"]],
  ];

const DENO: Runtime = {
  program: [Deno.execPath(), "run", "--quiet", "-RW", join(root, "cli.ts")],
};

/** A program with its first arguments, and the environment that it runs in. */
export interface Runtime {
  readonly program: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs one command line in a folder. */
function call(
  { program: [program, ...first], env }: Runtime,
  args: readonly string[],
  cwd: string,
): Promise<Finished> {
  return execute(program, [...first, ...args], {
    cwd,
    env: { NO_COLOR: "1", ...env },
  });
}

/** Runs all commands under one runtime in a folder of its own; returns what the reports print. */
async function runAll(
  runtime: Runtime,
  folder: string,
): Promise<string[]> {
  await Deno.mkdir(folder);
  await Deno.writeFile(
    join(folder, "IN.npy"),
    npy(adversarial(6 * 64).weights, [6, 64]),
  );
  const printed: string[] = [];
  for (const args of [...commands, ...reports]) {
    const { code, stdout, stderr } = await call(runtime, args, folder);
    assertEquals(
      code,
      0,
      `${runtime.program[0]}: ${args.join(" ")}\n${stdout}${stderr}`,
    );
    if (reports.includes(args)) printed.push(stdout);
  }
  for (const [expected, args] of refusals) {
    const { code, stderr } = await call(runtime, args, folder);
    assertEquals(
      code,
      expected,
      `${runtime.program[0]}: ${args.join(" ")}\n${stderr}`,
    );
    assert(!stderr.includes("    at "), `a stack trace:\n${stderr}`);
  }
  return printed;
}

/** Fails unless the command line under `runtime` does what it does under Deno. */
export async function assertSameFiles(
  folder: string,
  label: string,
  runtime: Runtime,
): Promise<void> {
  const own = join(folder, `files-deno-for-${label}`),
    theirs = join(folder, `files-${label}`);
  const expected = await runAll(DENO, own);
  assertEquals(await runAll(runtime, theirs), expected);
  for (const args of commands) {
    const name = args[args.indexOf("-o") + 1];
    assertSameBytes(
      await Deno.readFile(join(theirs, name)),
      await Deno.readFile(join(own, name)),
      `${label}: ${name}`,
    );
  }
}
