/**
 * What gets timed: every format of the registry × both directions × backend ×
 * memory × size, so that a new format is benchmarked the moment it is
 * registered.
 *
 * The module is a parameter: the gate times two revisions of it by the same
 * rules.
 *
 * @module
 */
import { random } from "../tests/adversarial.ts";

/** A revision of the module. */
export type Nibblewise = typeof import("../mod.ts");

/** The backends there are. */
export const backends = ["wasm", "js"] as const;

/** Which implementation runs. */
export type Backend = typeof backends[number];

/** Where the floats live: the JS heap, or WebAssembly memory by way of `allocate`. */
export const memories = ["heap", "allocated"] as const;

/** Where the floats live. */
export type Memory = typeof memories[number];

/** Sizes in values, by the place that holds 5 bytes for each of them. */
export const sizes: Readonly<Record<string, number>> = {
  "L1/L2 16 Ki": 16 * 1024,
  "L2 256 Ki": 256 * 1024,
  "beyond 16 Mi": 16 * 1024 * 1024,
};

/** One thing to time. */
export interface Case {
  /** Name that stays the same across revisions: `quantize/int4/wasm/heap/262144`. */
  readonly name: string;
  readonly operation: string;
  readonly format: string;
  readonly backend: Backend;
  readonly memory: Memory;
  /** Values that one run handles. */
  readonly values: number;
  /** Makes the data and selects the backend; the result does the work once, into memory that is reused. */
  prepare(): () => void;
}

/** What to time. */
export interface Selection {
  readonly lengths: readonly number[];
  /** Part of a format's name; everything when empty. */
  readonly format?: string;
}

/** Gaussian floats like a layer's weights, the same on every call. */
export function weights<T extends Float32Array>(into: T): T {
  const next = random(1);
  for (let i = 0; i < into.length; i++) {
    into[i] = (next() + next() + next() + next() - 2) * 0.05;
  }
  return into;
}

/** Floats of a kind of memory, filled with {@linkcode weights}. */
export function weightsIn(
  lib: Nibblewise,
  memory: Memory,
  length: number,
): Float32Array {
  return weights(
    memory === "allocated" ? lib.allocate(length) : new Float32Array(length),
  );
}

/** Rows as a language model has them, which every block size divides. */
function shapeOf(length: number): number[] {
  const columns = Math.min(length, 4096);
  return [length / columns, columns];
}

/** Both directions of one format. */
function formatCases(
  lib: Nibblewise,
  format: string,
  backend: Backend,
  memory: Memory,
  values: number,
): Case[] {
  // The registry names the format; its options' type cannot be known here.
  const options = { format: format as "int4", shape: shapeOf(values) };
  const name = (operation: string) =>
    [operation, format, backend, memory, values].join("/");
  const shared = { format, backend, memory, values };
  return [
    {
      ...shared,
      name: name("quantize"),
      operation: "quantize",
      prepare() {
        lib.useBackend(backend);
        const floats = weightsIn(lib, memory, values);
        const into = lib.quantize(floats, options);
        return () => void lib.quantize(floats, { ...options, into });
      },
    },
    {
      ...shared,
      name: name("dequantize"),
      operation: "dequantize",
      prepare() {
        lib.useBackend(backend);
        const into = weightsIn(lib, memory, values);
        const quantized = lib.quantize(into, options);
        return () => void lib.dequantize(quantized, { into });
      },
    },
  ];
}

/** Every case of a selection. Plain JS knows no memory of its own, so it runs on the heap only. */
export function* cases(
  lib: Nibblewise,
  { lengths, format = "" }: Selection,
): Generator<Case> {
  for (const values of lengths) {
    for (const name of lib.formats.keys()) {
      if (!name.includes(format)) continue;
      for (const backend of backends) {
        for (const memory of memories) {
          if (backend === "js" && memory === "allocated") continue;
          yield* formatCases(lib, name, backend, memory, values);
        }
      }
    }
  }
}
