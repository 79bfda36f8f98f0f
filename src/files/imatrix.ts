/**
 * Importance files: how much each column of each matrix matters, as llama.cpp's
 * `llama-imatrix` measures it.
 *
 * ```text
 *   GGUF    tensors NAME.in_sum2 (sums of squares; [experts, columns]) and NAME.counts ([experts, 1])
 *           imatrix.datasets, imatrix.chunk_count, imatrix.chunk_size
 *   legacy  i32 entries
 *           entries × { i32 length, name, i32 calls, i32 count, f32[count] sums }
 *           i32 chunks, i32 length, name of the dataset (may be missing)
 * ```
 *
 * The weights are sums by counts; an expert that was never called weighs 1 everywhere.
 *
 * Source: ggml-org/llama.cpp, common/imatrix-loader.cpp and tools/quantize/quantize.cpp.
 *
 * @module
 */
import { firstNonFinite } from "../numeric/finite.ts";
import type { ByteSource } from "./bytes.ts";
import { quote } from "./errors.ts";
import { openFile } from "./file_source.ts";
import { type GgufFile, openGguf } from "./gguf_read.ts";
import { IMATRIX_BYTES, TENSOR_COUNT } from "./limits.ts";
import { containerOf, START_BYTES, startsLikeImatrix } from "./magic.ts";
import type { TensorEntry } from "./tensors.ts";

/** An importance file, read. */
export interface Importance {
  /** What it was called by: its path. */
  readonly name: string;
  /** Which of the two it is. */
  readonly container: "gguf" | "legacy";
  /** Weights by the name of the tensor that they are for: one for each column, expert after expert. */
  readonly entries: ReadonlyMap<string, Float32Array>;
  /** What it was measured on. */
  readonly datasets: readonly string[];
  /** How many chunks of text that were; 0 where it is not known. */
  readonly chunks: number;
  /** Tokens of a chunk; 0 where it is not known. */
  readonly chunkSize: number;
}

const SUMS = ".in_sum2";
const COUNTS = ".counts";

/**
 * Whether a GGUF is an importance file, not a model.
 *
 * @param file An opened GGUF.
 * @returns Whether it says so, or has nothing but what such a file has.
 */
export function isImportance({ values, tensors }: GgufFile): boolean {
  if (values.get("general.type")?.value === "imatrix") return true;
  return tensors.length > 0 &&
    tensors.every(({ name }) =>
      name.endsWith(SUMS) || name.endsWith(COUNTS) || name.endsWith(".in_sum")
    );
}

/**
 * Refuses an importance file where a model is wanted.
 *
 * @param file An opened GGUF.
 * @throws {RangeError} If it is one; says what to do with it.
 */
export function rejectImportance(file: GgufFile): void {
  if (!isImportance(file)) return;
  throw new RangeError(
    `Cannot quantize ${file.source.name}: it is an importance file of llama-imatrix, no model; ` +
      "pass it with --imatrix beside one",
  );
}

/**
 * Opens and reads an importance file of either kind.
 *
 * @param path Where it is.
 * @returns What it says; it is closed again.
 * @throws {SyntaxError} If it is none.
 * @throws {RangeError} If it is too large, or its numbers are no weights.
 */
export async function openImportance(path: string): Promise<Importance> {
  const source = await openFile(path);
  try {
    return await readImportance(source);
  } finally {
    await source.close().catch(() => {});
  }
}

/**
 * Opens an importance file from before they were GGUF.
 *
 * @param path Any file.
 * @returns What it says; undefined where it is another kind of file.
 */
export async function openLegacyImportance(
  path: string,
): Promise<Importance | undefined> {
  const source = await openFile(path);
  try {
    const start = new Uint8Array(Math.min(START_BYTES, source.size));
    await source.read(0, start);
    return startsLikeImatrix(start) ? await readImportance(source) : undefined;
  } finally {
    await source.close().catch(() => {});
  }
}

/**
 * Reads an importance file.
 *
 * @param source Its bytes; the caller closes it.
 * @returns What it says.
 * @throws {SyntaxError} If it is none.
 * @throws {RangeError} If it is too large, or its numbers are no weights.
 */
export async function readImportance(source: ByteSource): Promise<Importance> {
  if (source.size > IMATRIX_BYTES) {
    throw new RangeError(
      `${
        at(source)
      }: it has ${source.size} bytes; at most ${IMATRIX_BYTES} are read`,
    );
  }
  const start = new Uint8Array(Math.min(START_BYTES, source.size));
  await source.read(0, start);
  const importance = containerOf(start) === "gguf"
    ? await readGguf(await openGguf(source))
    : await readLegacy(source, start);
  for (const [name, weights] of importance.entries) {
    const bad = firstBad(weights);
    if (bad < 0) continue;
    throw new RangeError(
      `${at(source)}: the weights of ${quote(name)} have ${
        weights[bad]
      } at index ${bad}; they must be finite and not negative`,
    );
  }
  return importance;
}

function at({ name }: ByteSource): string {
  return `Cannot read ${name} as an importance file`;
}

function firstBad(weights: Float32Array): number {
  const infinite = firstNonFinite(weights);
  return infinite >= 0 ? infinite : weights.findIndex((weight) => weight < 0);
}

async function readGguf(file: GgufFile): Promise<Importance> {
  const { source, values, tensors } = file;
  if (!isImportance(file)) {
    throw new SyntaxError(
      `${
        at(source)
      }: it is a GGUF, but none that llama-imatrix made; is it a model`,
    );
  }
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const entries = new Map<string, Float32Array>();
  for (const sums of tensors) {
    if (!sums.name.endsWith(SUMS)) continue;
    const name = sums.name.slice(0, -SUMS.length);
    entries.set(name, await readEntry(source, name, sums, byName));
  }
  if (entries.size === 0) {
    throw new SyntaxError(`${at(source)}: it has no tensor NAME${SUMS}`);
  }
  const number = (key: string) => Number(values.get(key)?.first(1)[0] ?? 0);
  const datasets = values.get("imatrix.datasets");
  const missing = ["datasets", "chunk_count", "chunk_size"].filter((key) =>
    !values.has(`imatrix.${key}`)
  );
  if (missing.length > 0) {
    throw new SyntaxError(
      `${at(source)}: it has no ${
        missing.map((key) => `imatrix.${key}`).join(", ")
      }; make it anew with llama-imatrix`,
    );
  }
  return {
    name: source.name,
    container: "gguf",
    entries,
    datasets: datasets?.elementType === "string" && datasets.type === "array"
      ? datasets.first(datasets.length) as string[]
      : [],
    chunks: number("imatrix.chunk_count"),
    chunkSize: number("imatrix.chunk_size"),
  };
}

async function readEntry(
  source: ByteSource,
  name: string,
  sums: TensorEntry,
  byName: ReadonlyMap<string, TensorEntry>,
): Promise<Float32Array> {
  const counts = byName.get(name + COUNTS);
  if (!counts || counts.dtype !== "F32" || sums.dtype !== "F32") {
    throw new SyntaxError(
      `${at(source)}: ${quote(name)} has ${
        counts ? `${sums.dtype} sums and ${counts.dtype} counts` : "no counts"
      }; it needs ${SUMS} and ${COUNTS}, both F32`,
    );
  }
  const weights = await readF32(source, sums);
  const calls = await readF32(source, counts);
  if (weights.length % calls.length !== 0) {
    throw new SyntaxError(
      `${at(source)}: ${
        quote(name)
      } has ${weights.length} sums for ${calls.length} counts`,
    );
  }
  const columns = weights.length / calls.length;
  for (const [expert, given] of calls.entries()) {
    const row = weights.subarray(expert * columns, (expert + 1) * columns);
    average(row, roundCount(given));
  }
  return weights;
}

/** As C's `lround`: halves away from zero. */
function roundCount(count: number): number {
  return Math.sign(count) * Math.floor(Math.abs(count) + 0.5);
}

/** Sums become averages, in float32; those of what was never called become 1. */
function average(row: Float32Array, count: number): void {
  if (!(count > 0)) row.fill(1);
  else {
    const divisor = Math.fround(count);
    for (let i = 0; i < row.length; i++) row[i] = row[i] / divisor;
  }
}

async function readF32(
  source: ByteSource,
  { offset, byteLength }: TensorEntry,
): Promise<Float32Array> {
  const bytes = new Uint8Array(byteLength);
  await source.read(offset, bytes);
  return floatsOf(bytes);
}

function floatsOf(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from(
    { length: bytes.length / 4 },
    (_, i) => view.getFloat32(4 * i, true),
  );
}

async function readLegacy(
  source: ByteSource,
  start: Uint8Array,
): Promise<Importance> {
  if (!startsLikeImatrix(start)) {
    throw new SyntaxError(
      `${
        at(source)
      }: it is neither a GGUF nor starts as llama-imatrix began its files`,
    );
  }
  const bytes = new Uint8Array(source.size);
  await source.read(0, bytes);
  const reader = new LegacyReader(source, bytes);
  const count = reader.count("entries", 1);
  if (count > TENSOR_COUNT) {
    throw new RangeError(
      `${
        at(source)
      }: it declares ${count} entries; at most ${TENSOR_COUNT} are read`,
    );
  }
  const entries = new Map<string, Float32Array>();
  for (let i = 0; i < count; i++) {
    const name = reader.text(`the name of entry ${i}`);
    const calls = reader.i32(`the calls of entry ${i}`);
    const weights = reader.floats(`the sums of ${quote(name)}`);
    if (calls > 0) average(weights, calls);
    entries.set(name, weights);
  }
  // Files of the first weeks end here.
  const chunks = reader.atEnd ? 0 : reader.i32("the number of chunks");
  const dataset = reader.atEnd ? "" : reader.text("the name of the dataset");
  return {
    name: source.name,
    container: "legacy",
    entries,
    datasets: dataset === "" ? [] : [dataset],
    chunks: Math.max(0, chunks),
    chunkSize: 0,
  };
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Takes one field after another; nothing is allocated that is not there. */
class LegacyReader {
  readonly #source: ByteSource;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(source: ByteSource, bytes: Uint8Array) {
    this.#source = source;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  i32(what: string): number {
    this.#need(4, what);
    const value = this.#view.getInt32(this.#at, true);
    this.#at += 4;
    return value;
  }

  count(what: string, least: number): number {
    const value = this.i32(what);
    if (value >= least) return value;
    throw new SyntaxError(
      `${at(this.#source)}: it declares ${value} ${what}`,
    );
  }

  text(what: string): string {
    const length = this.count(`bytes for ${what}`, 0);
    const bytes = this.#take(length, what);
    const end = bytes.indexOf(0);
    return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  floats(what: string): Float32Array {
    const count = this.count(`values for ${what}`, 1);
    return floatsOf(this.#take(4 * count, what));
  }

  #take(length: number, what: string): Uint8Array {
    this.#need(length, what);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #need(length: number, what: string): void {
    const left = this.#bytes.length - this.#at;
    if (length <= left) return;
    throw new SyntaxError(
      `${
        at(this.#source)
      }: it ends within ${what}: ${length} bytes are wanted, ${left} are left`,
    );
  }
}

/** An entry of an importance file, for people. */
export interface ImportanceEntry {
  /** The tensor that it is for. */
  readonly name: string;
  /** How many weights there are. */
  readonly weights: number;
  /** The smallest, the mean and the largest of them. */
  readonly range: readonly [least: number, mean: number, most: number];
}

/**
 * Sums up the entries of an importance file.
 *
 * @param importance The file.
 * @returns One line for each entry, in the order of the file.
 */
export function importanceEntries(
  { entries }: Importance,
): ImportanceEntry[] {
  return Array.from(entries, ([name, weights]) => {
    let least = Infinity, most = -Infinity, sum = 0;
    for (const weight of weights) {
      if (weight < least) least = weight;
      if (weight > most) most = weight;
      sum += weight;
    }
    const range = [least, sum / weights.length, most] as const;
    return { name, weights: weights.length, range };
  });
}
