/**
 * Quantized tensors inside safetensors: each part is a tensor of its own, so that
 * any tool opens the file. It has the name that the ecosystem of its format gives
 * it, or `<tensor>.<part>` where there is none; what parts mean together is one
 * entry of `__metadata__`:
 *
 * ```text
 * "nibblewise": {"version":1,"tensors":{"<tensor>":{"format":"int4","shape":[…],"options":{…}}}}
 * ```
 *
 * One entry for all: the order of several is lost in tools that keep them in a hash map.
 * What it does not name is recognized by its names, dtypes and shapes; see recognize.ts.
 *
 * @module
 */
import { findFormat } from "../quantize.ts";
import type { Format } from "../words/format.ts";
import { printable, quote } from "./errors.ts";
import { type Json, type JsonObject, parseJson } from "./json.ts";
import {
  checkedParts,
  entryName,
  isSorted,
  type QuantizedEntry,
  type QuantizedPlan,
} from "./parts.ts";
import { type Doubt, recognizeTensors } from "./recognize.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";

/** The key of `__metadata__` that says which tensors are quantized. */
export const QUANTIZED_KEY = "nibblewise";
const VERSION = 1;
/** The longest message of a format that is repeated. */
const MESSAGE_CHARACTERS = 300;

/** The tensors of a file, told apart. */
export interface SortedTensors {
  /** Those that are quantized. */
  readonly quantized: readonly QuantizedEntry[];
  /** All that are no part of those. */
  readonly plain: readonly TensorEntry[];
}

/**
 * The text that goes to `__metadata__` under {@linkcode QUANTIZED_KEY}.
 *
 * @param plans Every quantized tensor of the file.
 * @returns JSON in pieces, as there may be very many tensors.
 * @throws {RangeError} If an option is no finite number, string or boolean.
 */
export function* describeQuantized(
  plans: readonly QuantizedPlan[],
): Generator<string, void> {
  // Put together by hand: an object would reorder names that look like numbers.
  yield `{"version":${VERSION},"tensors":{`;
  let comma = "", last: QuantizedPlan | undefined, told = "";
  for (const plan of plans) {
    const { name, format, shape, options } = plan;
    const same = last?.format === format && last.shape === shape &&
      last.options === options;
    if (!same) {
      for (const [option, value] of Object.entries(options)) {
        checkOption(option, value);
      }
      told = JSON.stringify({ format: format.name, shape, options });
      last = plan;
    }
    yield `${comma}${JSON.stringify(name)}:${told}`;
    comma = ",";
  }
  yield "}}";
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
 * @param doubt See {@linkcode recognizeTensors}.
 * @returns Both kinds; what {@linkcode QUANTIZED_KEY} does not name is recognized by its parts.
 * @throws {SyntaxError} If the metadata is malformed, names a format that is
 * unknown, or does not agree with the tensors in the file.
 */
export async function sortTensors(
  file: TensorFile,
  doubt?: Doubt,
): Promise<SortedTensors> {
  if (isSorted(file)) {
    const used = new Set(
      file.quantized.flatMap(({ parts }) =>
        [...parts.values()].map(({ name }) => name)
      ),
    );
    const plain = file.tensors.filter(({ name }) => !used.has(name));
    return { quantized: file.quantized, plain };
  }
  if (file.container !== "safetensors") {
    return { quantized: [], plain: file.tensors };
  }
  const described = describedTensors(file);
  const rest = without(file.tensors, described);
  const recognized = await recognizeTensors(file, rest, doubt);
  return {
    quantized: [...described, ...recognized],
    plain: without(rest, recognized),
  };
}

function without(
  entries: readonly TensorEntry[],
  tensors: readonly QuantizedEntry[],
): readonly TensorEntry[] {
  if (tensors.length === 0) return entries;
  const used = new Set(tensors.flatMap(({ parts }) => [...parts.values()]));
  return entries.filter((entry) => !used.has(entry));
}

/** The tensors that the metadata of the file tells of, in a checkpoint that of every shard. */
function describedTensors(file: TensorFile): QuantizedEntry[] {
  const all = file.checkpoint?.shards ?? [file];
  const texts = all.flatMap(({ metadata }) =>
    metadata.get(QUANTIZED_KEY) ?? []
  );
  if (texts.length === 0) return [];
  const byName = new Map(file.tensors.map((entry) => [entry.name, entry]));
  const told = new Map<string, QuantizedEntry>();
  try {
    for (const text of texts) {
      for (const [name, value] of readDescription(text)) {
        if (told.has(name)) {
          throw new SyntaxError(`two shards tell of tensor ${quote(name)}`);
        }
        told.set(name, readEntry(name, value, byName));
      }
    }
    return [...told.values()];
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
  // Some conventions give a part the name of the tensor itself.
  const named = Object.values(format.convention?.entries ?? {}).some(
    (template) => ["{name}", "{stem}.weight"].includes(template),
  );
  if (byName.has(name) && !named) {
    throw new SyntaxError(`${what} is there unquantized too`);
  }
  try {
    const plan = { name, format, shape, options };
    const find = (part: string) => byName.get(entryName(format, name, part));
    return { ...plan, parts: checkedParts(plan, find) };
  } catch (error) {
    // What a format says about an option may quote the file.
    const reason = printable((error as Error).message, MESSAGE_CHARACTERS);
    throw new SyntaxError(`${what}: ${reason}`, { cause: error });
  }
}

function readFormat(value: Json | undefined, what: string): Format {
  const format = typeof value === "string" ? findFormat(value) : undefined;
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
