/**
 * Quantized tensors inside safetensors: each part is a tensor of its own, named
 * `<tensor>.<part>`, so that any tool opens the file; what they mean together
 * is one entry of `__metadata__`:
 *
 * ```text
 * "nibblewise": {"version":1,"tensors":{"<tensor>":{"format":"int4","shape":[…],"options":{…}}}}
 * ```
 *
 * One entry for all: the order of several is lost in tools that keep them in a hash map.
 *
 * @module
 */
import { formats } from "../formats.ts";
import type { Format, PartSpec } from "../types.ts";
import { printable, quote } from "./errors.ts";
import { type Json, type JsonObject, parseJson } from "./json.ts";
import type { TensorPlan } from "./safetensors.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";

/** The key of `__metadata__` that says which tensors are quantized. */
export const QUANTIZED_KEY = "nibblewise";
const VERSION = 1;
/** The longest message of a format that is repeated. */
const MESSAGE_CHARACTERS = 300;

/** What it takes to read the parts of a quantized tensor. */
export interface QuantizedPlan {
  /** Name of the tensor. */
  readonly name: string;
  /** How it is quantized. */
  readonly format: Format;
  /** Its logical shape. */
  readonly shape: readonly number[];
  /** The options that {@linkcode Format.kept} keeps. */
  readonly options: object;
}

/** A quantized tensor in a file, checked. */
export interface QuantizedEntry extends QuantizedPlan {
  /** Where its parts are, by their names in the format. */
  readonly parts: ReadonlyMap<string, TensorEntry>;
}

/** The tensors of a file, told apart. */
export interface SortedTensors {
  /** Those that are quantized. */
  readonly quantized: readonly QuantizedEntry[];
  /** All that are no part of those. */
  readonly plain: readonly TensorEntry[];
}

/**
 * The safetensors entries that hold a quantized tensor.
 *
 * @param plan The tensor.
 * @returns One entry for each part.
 */
export function planParts(plan: QuantizedPlan): TensorPlan[] {
  return Object.entries(specsOf(plan)).map(([part, { dtype, shape }]) => ({
    name: partName(plan.name, part),
    dtype,
    shape,
  }));
}

/** The name of a part as a tensor of its own. */
export function partName(tensor: string, part: string): string {
  return `${tensor}.${part}`;
}

function specsOf(
  { format, options, shape }: QuantizedPlan,
): Record<string, PartSpec> {
  return format.parts(shape, format.resolve(options, shape));
}

/**
 * The text that goes to `__metadata__` under {@linkcode QUANTIZED_KEY}.
 *
 * @param plans Every quantized tensor of the file.
 * @returns JSON.
 * @throws {RangeError} If an option is no finite number, string or boolean.
 */
export function describeQuantized(plans: readonly QuantizedPlan[]): string {
  // Put together by hand: an object would reorder names that look like numbers.
  const tensors = plans.map(({ name, format, shape, options }) => {
    for (const [option, value] of Object.entries(options)) {
      checkOption(option, value);
    }
    return `${JSON.stringify(name)}:${
      JSON.stringify({ format: format.name, shape, options })
    }`;
  });
  return `{"version":${VERSION},"tensors":{${tensors.join(",")}}}`;
}

function checkOption(option: string, value: unknown): void {
  const kept = typeof value === "number"
    ? Number.isFinite(value)
    : typeof value === "string" || typeof value === "boolean";
  if (!kept) {
    throw new RangeError(
      `Cannot store option ${quote(option)}: it is ${value}`,
    );
  }
}

/**
 * Tells quantized tensors from the rest and checks that their parts fit.
 *
 * @param file The opened file.
 * @returns Both kinds; a file without {@linkcode QUANTIZED_KEY} has plain tensors only.
 * @throws {SyntaxError} If the metadata is malformed, names a format that is
 * unknown, or does not agree with the tensors in the file.
 */
export function sortTensors(file: TensorFile): SortedTensors {
  const text = file.metadata.get(QUANTIZED_KEY);
  if (text === undefined) return { quantized: [], plain: file.tensors };
  const byName = new Map(file.tensors.map((entry) => [entry.name, entry]));
  try {
    const quantized = Array.from(readDescription(text), ([name, value]) => {
      if (byName.has(name)) {
        throw new SyntaxError(`tensor ${quote(name)} is there unquantized too`);
      }
      return readEntry(name, value, byName);
    });
    const used = new Set(quantized.flatMap(({ parts }) => [...parts.values()]));
    return {
      quantized,
      plain: file.tensors.filter((entry) => !used.has(entry)),
    };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) {
      throw error;
    }
    const where = `__metadata__ ${quote(QUANTIZED_KEY)}`;
    const message =
      `Cannot read ${file.source.name}: ${where}: ${error.message}`;
    throw new SyntaxError(message, { cause: error });
  }
}

function readDescription(text: string): JsonObject {
  const root = asObject(parseJson(text), "it");
  const version = root.get("version");
  if (version !== VERSION) {
    const seen = typeof version === "number" ? version : "none";
    throw new SyntaxError(
      `its version is ${seen}, this program reads ${VERSION}`,
    );
  }
  onlyKeys(root, ["version", "tensors"], "it");
  return asObject(root.get("tensors"), "tensors");
}

function readEntry(
  name: string,
  value: Json,
  byName: ReadonlyMap<string, TensorEntry>,
): QuantizedEntry {
  const what = `tensor ${quote(name)}`;
  const record = asObject(value, what);
  onlyKeys(record, ["format", "shape", "options"], what);
  const format = readFormat(record.get("format"), what);
  const shape = readShape(record.get("shape"), what);
  const options = readOptions(record.get("options"), what);
  try {
    const plan = { name, format, shape, options };
    return { ...plan, parts: findParts(plan, byName) };
  } catch (error) {
    // What a format says about an option may quote the file.
    const reason = printable((error as Error).message, MESSAGE_CHARACTERS);
    throw new SyntaxError(`${what}: ${reason}`, { cause: error });
  }
}

function readFormat(value: Json | undefined, what: string): Format {
  const format = typeof value === "string" ? formats.get(value) : undefined;
  if (format !== undefined) return format;
  const seen = typeof value === "string" ? quote(value) : "that is no string";
  throw new SyntaxError(`${what} has an unknown format ${seen}`);
}

function readShape(value: Json | undefined, what: string): number[] {
  if (!Array.isArray(value) || value.some((item) => typeof item !== "number")) {
    throw new SyntaxError(`${what} has no shape of integers`);
  }
  try {
    countElements(value as number[]);
  } catch (error) {
    throw new SyntaxError(`${what}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return value as number[];
}

function readOptions(value: Json | undefined, what: string): object {
  const options = asObject(value, `options of ${what}`);
  for (const [option, item] of options) checkOption(option, item);
  // Defines properties, so that a key "__proto__" is one like any other.
  return Object.fromEntries(options);
}

function findParts(
  plan: QuantizedPlan,
  byName: ReadonlyMap<string, TensorEntry>,
): ReadonlyMap<string, TensorEntry> {
  const parts = new Map<string, TensorEntry>();
  for (const [part, spec] of Object.entries(specsOf(plan))) {
    const entry = byName.get(partName(plan.name, part));
    if (entry === undefined) {
      throw new RangeError(`its part ${quote(part)} is not in the file`);
    }
    if (
      entry.dtype !== spec.dtype || entry.shape.join() !== spec.shape.join()
    ) {
      throw new RangeError(
        `its part ${
          quote(part)
        } is ${entry.dtype} [${entry.shape}], not ${spec.dtype} [${spec.shape}]`,
      );
    }
    parts.set(part, entry);
  }
  return parts;
}

function asObject(value: Json | undefined, what: string): JsonObject {
  if (!(value instanceof Map)) throw new SyntaxError(`${what} is no object`);
  return value;
}

function onlyKeys(
  object: JsonObject,
  known: readonly string[],
  what: string,
): void {
  for (const key of object.keys()) {
    if (!known.includes(key)) {
      throw new SyntaxError(`${what} has an unknown key ${quote(key)}`);
    }
  }
}
