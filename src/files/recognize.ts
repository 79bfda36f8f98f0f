/**
 * Quantized tensors that other programs wrote: told by the names, dtypes and
 * shapes of their parts, and by the config file of the checkpoint.
 *
 * @module
 */
import { formats } from "../formats.ts";
import type { Candidate, Convention, Format } from "../words/format.ts";
import type { PartSpec } from "../words/layout.ts";
import { printable, quote } from "./errors.ts";
import { TEXT_PART_BYTES } from "./limits.ts";
import { checkedParts, type QuantizedEntry } from "./parts.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";

/** The longest message of a format that is repeated. */
const MESSAGE_CHARACTERS = 300;

/** What to do where it cannot be told what a tensor is: throw, or go on with something else. */
export type Doubt = <T>(error: unknown, instead: T) => T;

function refuse(error: unknown): never {
  throw error;
}

/** Says that a part has to be read before it can be told what a tensor is. */
class PartWanted extends Error {
  readonly part: string;

  constructor(part: string) {
    super(`the bytes of ${part} are wanted`);
    this.part = part;
  }
}

/** What was read of parts, by their names; undefined where a part is missing or too long. */
type ReadParts = Map<string, Uint8Array | undefined>;

/** Entries that may be the parts of one tensor. */
interface Group {
  readonly format: Format;
  readonly convention: Convention;
  /** What the placeholder of the names stands for. */
  readonly base: string;
  readonly entries: ReadonlyMap<string, TensorEntry>;
}

/**
 * Finds the quantized tensors of a file by the conventions of all formats.
 *
 * @param file The opened file.
 * @param entries Those of its entries that are nothing else yet.
 * @param doubt Told of every tensor that cannot be told for sure, which then counts
 * as its plain entries; without it that is an error.
 * @returns The tensors, checked.
 * @throws {SyntaxError} Where parts contradict each other or the config, or may be of several formats.
 */
export async function recognizeTensors(
  file: TensorFile,
  entries: readonly TensorEntry[],
  doubt: Doubt = refuse,
): Promise<QuantizedEntry[]> {
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const claims = new Map<TensorEntry, QuantizedEntry>();
  const found: QuantizedEntry[] = [];
  for (const group of groupsOf(entries, byName)) {
    const tensor = await recognizeGroup(file, group, doubt);
    if (!tensor) continue;
    for (const entry of tensor.parts.values()) {
      const other = claims.get(entry);
      if (other) {
        return doubt(
          new SyntaxError(
            `Cannot read ${file.source.name}: ${
              quote(entry.name)
            } may be part of ${
              quote(other.name)
            } as ${other.format.name} or of ${
              quote(tensor.name)
            } as ${tensor.format.name}`,
          ),
          [],
        );
      }
      claims.set(entry, tensor);
    }
    found.push(tensor);
  }
  return found;
}

function* groupsOf(
  entries: readonly TensorEntry[],
  byName: ReadonlyMap<string, TensorEntry>,
): Generator<Group, void> {
  for (const format of formats.values()) {
    const { convention } = format;
    if (!convention) continue;
    const anchor = anchorOf(convention);
    for (const { name } of entries) {
      if (!name.endsWith(anchor)) continue;
      const base = name.slice(0, name.length - anchor.length);
      const parts = partsAt(convention, base, byName);
      if (parts) yield { format, convention, base, entries: parts };
    }
  }
}

const PLACEHOLDER = /^\{(name|stem)\}/;

/** What the name of the part that is least common ends in. */
function anchorOf({ entries, needed }: Convention): string {
  return needed.map((part) => entries[part].replace(PLACEHOLDER, ""))
    .reduce((a, b) => b.length > a.length ? b : a);
}

/** The entries that the names of parts stand for; undefined where one that is needed is missing. */
function partsAt(
  { entries, needed }: Convention,
  base: string,
  byName: ReadonlyMap<string, TensorEntry>,
): Map<string, TensorEntry> | undefined {
  const find = (part: string) =>
    byName.get(entries[part].replace(PLACEHOLDER, () => base));
  // The part that is looked for first is there: the others tell.
  if (needed.some((part) => !find(part))) return undefined;
  const parts = new Map<string, TensorEntry>();
  for (const part of Object.keys(entries)) {
    const entry = find(part);
    if (entry) parts.set(part, entry);
  }
  return parts;
}

/** Whether parts are named after the module that has a weight, not after the weight. */
function usesStem({ entries }: Convention): boolean {
  return Object.values(entries).some((template) =>
    template.startsWith("{stem}")
  );
}

async function recognizeGroup(
  file: TensorFile,
  group: Group,
  doubt: Doubt,
): Promise<QuantizedEntry | undefined> {
  const { format, convention, base } = group;
  const name = usesStem(convention) ? `${base}.weight` : base;
  const config = await file.config?.();
  const read: ReadParts = new Map();
  for (;;) {
    try {
      const candidate = candidateOf(file, group, config, read);
      const recognized = convention.recognize(candidate);
      if (!recognized) return undefined;
      const { shape } = recognized;
      countElements(shape);
      const options = format.kept(format.resolve(recognized.options, shape));
      const plan = { name, format, shape, options };
      return {
        ...plan,
        parts: checkedParts(plan, (p) => group.entries.get(p)),
      };
    } catch (error) {
      if (error instanceof PartWanted) {
        const { part } = error;
        read.set(part, await readSmall(file, group.entries.get(part)));
      } else return doubt(told(error, file, name), undefined);
    }
  }
}

function candidateOf(
  { metadata }: TensorFile,
  { convention, base, entries }: Group,
  config: unknown,
  read: ReadParts,
): Candidate {
  // What dtypes other programs use is for the format to judge.
  const parts = Object.fromEntries(entries) as unknown as Record<
    string,
    PartSpec
  >;
  const bytes = (part: string): Uint8Array | undefined => {
    if (!read.has(part)) throw new PartWanted(part);
    return read.get(part);
  };
  return {
    parts,
    ...(usesStem(convention) && { stem: base }),
    config,
    metadata: Object.fromEntries(metadata),
    bytes,
    text: (part) =>
      entries.get(part)?.dtype === "U8" ? textOf(bytes(part)) : undefined,
    numbers: (part) => numbersOf(entries.get(part)?.dtype, bytes(part)),
  };
}

/** The bytes of a part; undefined where it is missing, or too long to be a number or a text. */
async function readSmall(
  { source }: TensorFile,
  entry: TensorEntry | undefined,
): Promise<Uint8Array | undefined> {
  if (!entry || entry.byteLength > TEXT_PART_BYTES) return undefined;
  const bytes = new Uint8Array(entry.byteLength);
  await source.read(entry.offset, bytes);
  return bytes;
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  try {
    return bytes && new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function numbersOf(
  dtype: string | undefined,
  bytes: Uint8Array | undefined,
): number[] | undefined {
  if (!bytes) return undefined;
  const { buffer } = bytes;
  if (dtype === "I32") return [...new Int32Array(buffer)];
  return dtype === "I64"
    ? Array.from(new BigInt64Array(buffer), Number)
    : undefined;
}

function told(error: unknown, { source }: TensorFile, name: string): unknown {
  const known = error instanceof RangeError || error instanceof SyntaxError ||
    error instanceof TypeError;
  if (!known) return error;
  const reason = printable(error.message, MESSAGE_CHARACTERS);
  return new SyntaxError(
    `Cannot read ${source.name}: tensor ${quote(name)}: ${reason}`,
    { cause: error },
  );
}
