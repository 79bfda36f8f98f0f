/**
 * The original module in a child process of Python, timed on request.
 *
 * @module
 */
import { join } from "node:path";
import { leftOut, python, startPython, succeeds } from "./child.ts";

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

/** Starts the child and hands it the values. Undefined, with a note, where Python has no numpy. */
export async function startOriginal(
  values: Float32Array,
): Promise<Original | undefined> {
  if (!await succeeds(python, ["-c", "import numpy"])) {
    leftOut("the original module", `${python} with numpy is not here`);
    return undefined;
  }
  const child = startPython(join(import.meta.dirname!, "original.py"));
  const path = await Deno.makeTempFile({ suffix: ".f32" });
  try {
    await Deno.writeFile(path, new Uint8Array(values.slice().buffer));
    await child.ask({ command: "load", path });
  } finally {
    await Deno.remove(path);
  }
  return {
    async time(command, method) {
      const answer = await child.ask({ command, method });
      return (answer as { nanoseconds: number }).nanoseconds;
    },
    async checksum(method) {
      const answer = await child.ask({ command: "checksum", method });
      return answer as { packed: number; values: number };
    },
    close: () => child.close(),
  };
}
