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
import { type OptionSet, optionSets } from "../tests/option_sets.ts";

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
  /** The format, with the options that are not its defaults. */
  readonly format: string;
  readonly backend: Backend;
  readonly memory: Memory;
  /** Whether the result goes into memory that is reused, or into a new array each time. */
  readonly result: "reused" | "fresh";
  /** Values that one run handles. */
  readonly values: number;
  /** Makes the data and selects the backend; the result does the work once. */
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

/** What a case is named after. */
type Subject = Pick<Case, "format" | "backend" | "memory" | "values">;

function name(operation: string, subject: Subject): string {
  const { format, backend, memory, values } = subject;
  return [operation, format, backend, memory, values].join("/");
}

/** Both directions of one format. */
function formatCases(
  lib: Nibblewise,
  formatName: string,
  variant: Record<string, unknown>,
  where: Omit<Subject, "format">,
): Case[] {
  const { backend, memory, values } = where;
  // The registry names the format; its options' type cannot be known here.
  const format = formatName as "int4";
  const options = { ...variant, format, shape: shapeOf(values) };
  const label = [formatName, ...Object.values(variant)].join(" ");
  const subject = { ...where, format: label };
  return [
    {
      ...subject,
      name: name("quantize", subject),
      operation: "quantize",
      result: "reused",
      prepare() {
        lib.useBackend(backend);
        const floats = weightsIn(lib, memory, values);
        const into = lib.quantize(floats, options);
        return () => void lib.quantize(floats, { ...options, into });
      },
    },
    {
      ...subject,
      name: name("dequantize", subject),
      operation: "dequantize",
      result: "reused",
      prepare() {
        lib.useBackend(backend);
        const into = weightsIn(lib, memory, values);
        const quantized = lib.quantize(into, options);
        return () => void lib.dequantize(quantized, { into });
      },
    },
  ];
}

/** The four basic operations, which make a new array each. */
function basicCases(lib: Nibblewise, where: Omit<Subject, "format">): Case[] {
  const subject = { ...where, format: "basic" };
  const ready = () => {
    lib.useBackend(where.backend);
    const floats = weightsIn(lib, where.memory, where.values);
    const { quantized, scale } = lib.quantizeToInt4(floats);
    return { floats, quantized, scale, packed: lib.packInt4ToInt8(quantized) };
  };
  type Ready = ReturnType<typeof ready>;
  const operations: Record<string, (data: Ready) => unknown> = {
    quantizeToInt4: ({ floats }) => lib.quantizeToInt4(floats),
    packInt4ToInt8: ({ quantized }) => lib.packInt4ToInt8(quantized),
    unpackInt8ToInt4: ({ packed }) => lib.unpackInt8ToInt4(packed),
    dequantizeFromInt4: ({ quantized, scale }) =>
      lib.dequantizeFromInt4(quantized, scale),
  };
  return Object.entries(operations).map(([operation, run]) => ({
    ...subject,
    name: name(operation, subject),
    operation,
    result: "fresh",
    prepare() {
      const data = ready();
      return () => void run(data);
    },
  }));
}

/** Options worth a line of their own: notable group sizes and rules; what only names a type of storage is not. */
function variantsOf(lib: Nibblewise, name: string): OptionSet[] {
  const format = lib.formats.get(name as "int4")!;
  // A base revision from before schemas has none.
  const schema = format.options ?? {};
  return optionSets(schema).filter((options) =>
    Object.keys(options).every((option) => /size|method|mode/i.test(option)) &&
    takes(format, options)
  );
}

function takes(
  format: { resolve(options: object, shape: readonly number[]): unknown },
  options: object,
): boolean {
  try {
    format.resolve(options, shapeOf(4096));
    return true;
  } catch {
    return false;
  }
}

/** Every case of a selection. Plain JS knows no memory of its own, so it runs on the heap only. */
export function* cases(
  lib: Nibblewise,
  { lengths, format = "" }: Selection,
): Generator<Case> {
  for (const values of lengths) {
    for (const backend of backends) {
      if ("basic".includes(format)) {
        yield* basicCases(lib, { backend, memory: "heap", values });
      }
      for (const memory of memories) {
        if (backend === "js" && memory === "allocated") continue;
        for (const known of lib.formats.keys()) {
          if (!known.includes(format)) continue;
          for (const variant of variantsOf(lib, known)) {
            yield* formatCases(lib, known, variant, {
              backend,
              memory,
              values,
            });
          }
        }
      }
    }
  }
}
