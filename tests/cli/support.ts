/**
 * What the tests of the command line share.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { writeFile } from "node:fs/promises";
import { main } from "../../src/cli/main.ts";
import type { ByteSink } from "../../src/files/bytes.ts";
import { npyHeader } from "../../src/files/npy.ts";
import { openTensorFile } from "../../src/files/open.ts";
import { planSafetensors } from "../../src/files/safetensors_write.ts";

/** What a call printed, and its exit code. */
export interface Outcome {
  /** 0 done, 1 failed, 2 wrong call. */
  readonly code: number;
  /** Standard output. */
  readonly out: string;
  /** Standard error. */
  readonly err: string;
}

/** Runs a command line in this process. */
export function run(...args: string[]): Promise<Outcome> {
  return runOn(undefined, ...args);
}

/** Runs a command line that must succeed, and returns its JSON. */
// deno-lint-ignore no-explicit-any -- a document of any command
export async function json(...args: string[]): Promise<any> {
  const { code, out, err } = await run(...args, "--json");
  assertEquals([code, err], [0, ""], args.join(" "));
  return JSON.parse(out);
}

/** The same on a terminal of so many columns, or on none. */
export async function runOn(
  columns: number | undefined,
  ...args: string[]
): Promise<Outcome> {
  const printed = { out: "", err: "" };
  const code = await main(args, {
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    columns: { out: columns, err: columns },
  });
  return { code, ...printed };
}

/** Where the suite runs with plain JS forced, so do the programs that it starts. */
const preload = Deno.env.get("NIBBLEWISE_BACKEND") === "js"
  ? [`--preload=${new URL("../force_js.ts", import.meta.url).pathname}`]
  : [];

/** The same as a process of its own, with no more permissions than it needs. */
export async function runProgram(
  args: readonly string[],
  input?: Uint8Array,
): Promise<Outcome & { bytes: Uint8Array }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-RW", ...preload, cli, ...args],
    stdin: input ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input) {
    const writer = child.stdin.getWriter();
    await writer.write(input);
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return {
    code,
    out: decoder.decode(stdout),
    err: decoder.decode(stderr),
    bytes: stdout,
  };
}

/** The program. */
export const cli = new URL("../../cli.ts", import.meta.url).pathname;

/** The path of a golden file. */
export function vectorPath(name: string): string {
  return new URL(`../vectors/files/${name}`, import.meta.url).pathname;
}

/** The path of an input that failed once. */
export function casePath(name: string): string {
  return new URL(`../vectors/cases/${name}`, import.meta.url).pathname;
}

/** The bytes of a `.npy` file of float32. */
export function npyBytes(
  values: Float32Array,
  shape: readonly number[] = [values.length],
): Uint8Array {
  const header = npyHeader("F32", shape);
  const bytes = new Uint8Array(header.length + values.byteLength);
  bytes.set(header);
  bytes.set(new Uint8Array(values.slice().buffer), header.length);
  return bytes;
}

/** Writes a `.npy` file of float32. */
export function writeNpy(
  path: string,
  values: Float32Array,
  shape?: readonly number[],
): Promise<void> {
  return writeFile(path, npyBytes(values, shape));
}

/** A tensor of a file that a test makes. */
export interface Given {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** The bytes of a safetensors file. */
export function safetensorsBytes(
  tensors: readonly Given[],
  metadata: Record<string, string> = {},
): Uint8Array {
  const plan = planSafetensors(tensors, new Map(Object.entries(metadata)));
  const bytes = new Uint8Array(plan.size);
  bytes.set(plan.header);
  for (const { name, offset } of plan.tensors) {
    const { data } = tensors.find((tensor) => tensor.name === name)!;
    bytes.set(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      offset,
    );
  }
  return bytes;
}

/** A sink in memory. */
export class MemorySink implements ByteSink {
  readonly name = "memory";
  /** What was written. */
  readonly bytes: Uint8Array;
  /** Which bytes were written. */
  readonly touched: Uint8Array;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.touched = new Uint8Array(size);
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    if (offset < 0 || offset + bytes.length > this.bytes.length) {
      throw new RangeError(`Cannot write ${bytes.length} bytes at ${offset}`);
    }
    // Later, as a file would: memory that is reused too early shows.
    return new Promise((resolve) =>
      setTimeout(() => {
        this.bytes.set(bytes, offset);
        this.touched.fill(1, offset, offset + bytes.length);
        resolve();
      })
    );
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }

  abort(): Promise<void> {
    return Promise.resolve();
  }
}

/** Values that look like weights. */
export { weightLike } from "../../src/cli/sample.ts";

/** Names and types of the tensors of a model, and the bytes of each. */
export async function tensorContents(path: string) {
  const file = await openTensorFile(path);
  const tensors: Record<string, [dtype: string, bytes: Uint8Array]> = {};
  for (const { name, dtype, offset, byteLength } of file.tensors) {
    const bytes = new Uint8Array(byteLength);
    await file.source.read(offset, bytes);
    tensors[name] = [dtype, bytes];
  }
  await file.source.close();
  return tensors;
}
