/**
 * The original module in a child process of python3, timed on request so that
 * its rounds take turns with everybody else's.
 *
 * @module
 */
import { join } from "node:path";
import { TextLineStream } from "./lines.ts";

/** The scale methods that the original has. */
export type OriginalMethod = "absmax" | "minmax";

/** The original module, ready with its data. */
export interface Original {
  /** Nanoseconds of one run on fresh memory, which is all that it can do. */
  time(
    operation: "quantize" | "dequantize",
    method: OriginalMethod,
  ): Promise<number>;
  /** CRC-32 of the packed codes and of the values read back. */
  checksum(method: OriginalMethod): Promise<{ packed: number; values: number }>;
  /** Ends the process. */
  close(): Promise<void>;
}

/** Starts the child and hands it the values. Undefined, with a note, where python3 has no numpy. */
export async function startOriginal(
  values: Float32Array,
): Promise<Original | undefined> {
  if (!await hasNumpy()) {
    console.error(
      "note: the original module is left out, because python3 with numpy is not here",
    );
    return undefined;
  }
  const child = new Deno.Command("python3", {
    args: [join(import.meta.dirname!, "original.py")],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(
    new TextLineStream(),
  ).getReader();
  const encoder = new TextEncoder();
  const ask = async (request: Record<string, string>) => {
    await writer.write(encoder.encode(JSON.stringify(request) + "\n"));
    const { value, done } = await lines.read();
    if (done) throw new Error("the original module's process has ended");
    return JSON.parse(value);
  };
  const path = await Deno.makeTempFile({ suffix: ".f32" });
  try {
    await Deno.writeFile(path, new Uint8Array(values.slice().buffer));
    await ask({ command: "load", path });
  } finally {
    await Deno.remove(path);
  }
  return {
    time: async (command, method) =>
      (await ask({ command, method })).nanoseconds,
    checksum: (method) => ask({ command: "checksum", method }),
    async close() {
      await writer.close();
      await child.status;
    },
  };
}

async function hasNumpy(): Promise<boolean> {
  try {
    return (await new Deno.Command("python3", {
      args: ["-c", "import numpy"],
      stderr: "null",
    }).output()).success;
  } catch {
    return false;
  }
}
