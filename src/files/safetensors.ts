/**
 * safetensors, read and written.
 *
 * ```text
 * u64 LE   N, bytes of the header
 * N bytes  UTF-8 JSON: { "__metadata__"?: { string: string },
 *                        name: { "dtype", "shape", "data_offsets": [begin, end] } … }
 *          spaces may pad it
 * rest     the tensors, little-endian, row-major, without holes or overlaps
 * ```
 *
 * Source: https://github.com/huggingface/safetensors (README, `tensor.rs`).
 * The writer gives the bytes that its library gives.
 *
 * @module
 */
import { dtypes } from "../numeric/dtypes.ts";
import type { ByteSource } from "./bytes.ts";
import { printable, quote } from "./errors.ts";
import { type Json, parseFields } from "./json.ts";
import {
  METADATA_COUNT,
  SAFETENSORS_HEADER_BYTES,
  TENSOR_COUNT,
  TENSOR_VALUES,
} from "./limits.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";

const METADATA = "__metadata__";
const LENGTH_BYTES = 8;

/** Where a dtype stands in the order of the library. */
const DTYPE_RANK = new Map(
  [...dtypes.keys()].map((dtype, index) => [dtype, index]),
);

/**
 * Reads and checks the header of a safetensors file.
 *
 * @param source The file.
 * @returns Its tensors in the order of their bytes, and its metadata.
 * @throws {SyntaxError} If the header is malformed or lies about the file.
 */
export async function openSafetensors(source: ByteSource): Promise<TensorFile> {
  try {
    const header = await readHeader(source);
    const dataStart = LENGTH_BYTES + header.length;
    const { metadata, tensors } = parseHeader(decodeUtf8(header), dataStart);
    placeTensors(tensors, dataStart, source.size);
    return { container: "safetensors", source, tensors, metadata };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) {
      throw error;
    }
    const message =
      `Cannot read ${source.name} as safetensors: ${error.message}`;
    throw new SyntaxError(message, { cause: error });
  }
}

async function readHeader(source: ByteSource): Promise<Uint8Array> {
  if (source.size < LENGTH_BYTES) {
    throw new SyntaxError(
      `it has ${source.size} bytes, less than the ${LENGTH_BYTES} of a length`,
    );
  }
  const prefix = new Uint8Array(LENGTH_BYTES);
  await source.read(0, prefix);
  const declared = new DataView(prefix.buffer).getBigUint64(0, true);
  const available = Math.min(
    SAFETENSORS_HEADER_BYTES,
    source.size - LENGTH_BYTES,
  );
  if (declared > BigInt(available)) {
    throw new SyntaxError(
      declared > BigInt(SAFETENSORS_HEADER_BYTES)
        ? `its header of ${declared} bytes is above the limit of ${SAFETENSORS_HEADER_BYTES}`
        : `its header of ${declared} bytes ends beyond the file of ${source.size}`,
    );
  }
  const header = new Uint8Array(Number(declared));
  await source.read(LENGTH_BYTES, header);
  if (header[0] !== 0x7b) {
    throw new SyntaxError("its header does not start with {");
  }
  return header;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes,
    );
  } catch (error) {
    throw new SyntaxError("its header is not UTF-8", { cause: error });
  }
}

/** Every number in a header counts something: bytes or elements. */
function toOffset(literal: string): number {
  const value = /^[0-9]+$/.test(literal) ? Number(literal) : NaN;
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(
      `${printable(literal)} is no integer from 0 to 2^53 - 1`,
    );
  }
  return value;
}

interface Header {
  metadata: ReadonlyMap<string, string>;
  tensors: TensorEntry[];
}

/** Every entry is checked as soon as it is read: a hostile header costs no more than its first fault. */
function parseHeader(text: string, dataStart: number): Header {
  const header: Header = { metadata: new Map(), tensors: [] };
  parseFields(text, {
    toNumber: toOffset,
    limitOf: (key) => key === METADATA ? METADATA_COUNT + 1 : TENSOR_VALUES,
    take(key, value) {
      if (key === METADATA) header.metadata = readMetadata(value);
      else if (header.tensors.length < TENSOR_COUNT) {
        header.tensors.push(readEntry(key, value, dataStart));
      } else {
        throw new SyntaxError(
          `more tensors than the limit of ${TENSOR_COUNT}`,
        );
      }
    },
  });
  return header;
}

function readMetadata(metadata: Json): ReadonlyMap<string, string> {
  if (!(metadata instanceof Map)) {
    throw new SyntaxError(`${METADATA} is no object`);
  }
  for (const [key, value] of metadata) {
    if (typeof value !== "string") {
      throw new SyntaxError(`${METADATA} ${quote(key)} is no string`);
    }
  }
  return metadata as Map<string, string>;
}

/** Sorts tensors by their place and checks that they fill the file behind the header. */
function placeTensors(
  entries: TensorEntry[],
  dataStart: number,
  fileBytes: number,
): void {
  entries.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const { name, offset, byteLength } of entries) {
    if (offset !== end) {
      const what = offset > end
        ? "leaves a hole before"
        : "overlaps what lies before";
      throw new SyntaxError(
        `tensor ${quote(name)} starts at ${
          offset - dataStart
        } and ${what} it (${end - dataStart})`,
      );
    }
    end += byteLength;
  }
  if (end !== fileBytes) {
    throw new SyntaxError(
      `its tensors take ${end - dataStart} bytes, but ${
        fileBytes - dataStart
      } follow the header`,
    );
  }
}

function readEntry(name: string, value: Json, dataStart: number): TensorEntry {
  const fail = (reason: string): never => {
    throw new SyntaxError(`tensor ${quote(name)} ${reason}`);
  };
  if (!(value instanceof Map)) return fail("is no object");
  for (const key of value.keys()) {
    if (key !== "dtype" && key !== "shape" && key !== "data_offsets") {
      fail(`has an unknown key ${quote(key)}`);
    }
  }
  const dtype = value.get("dtype");
  if (typeof dtype !== "string") return fail("has no dtype");
  const shape = integers(value.get("shape")) ??
    fail("has no shape of integers");
  const offsets = integers(value.get("data_offsets"));
  if (offsets?.length !== 2) return fail("has no data_offsets of two integers");
  const byteLength = sizeInBytes(`tensor ${quote(name)}`, dtype, shape);
  const [begin, end] = offsets;
  if (end - begin !== byteLength) {
    fail(
      `takes ${byteLength} bytes by shape and dtype, but its data_offsets are ${begin}, ${end}`,
    );
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength };
}

function integers(value: Json | undefined): number[] | undefined {
  // Numbers that are no proper integers never came through the parser.
  if (!Array.isArray(value) || value.some((item) => typeof item !== "number")) {
    return undefined;
  }
  return value as number[];
}

/** Bytes of a tensor; a RangeError says `what` cannot be and why. */
function sizeInBytes(
  what: string,
  dtype: string,
  shape: readonly number[],
): number {
  const bits = dtypes.get(dtype)?.bits;
  if (bits === undefined) {
    throw new RangeError(`${what} has an unknown dtype ${quote(dtype)}`);
  }
  try {
    const size = countElements([countElements(shape), bits]) / 8;
    if (Number.isInteger(size)) return size;
    throw new RangeError("the shape does not fill whole bytes");
  } catch (error) {
    const message = `${what}: ${(error as Error).message}`;
    throw new RangeError(message, { cause: error });
  }
}

/** A tensor that shall be written. */
export interface TensorPlan {
  /** Its name, unique in the file. */
  readonly name: string;
  /** A dtype of safetensors. */
  readonly dtype: string;
  /** Dimensions, slowest first. */
  readonly shape: readonly number[];
}

/** A text of `__metadata__`, or the pieces that it consists of where it may be long. */
export type MetadataText = string | Iterable<string>;

/** Where everything goes in a safetensors file. */
export interface SafetensorsPlan {
  /** The first bytes of the file: length, JSON, padding; put together when asked for. */
  readonly header: Uint8Array;
  /** The same in pieces, one behind the other. */
  readonly pieces: readonly Uint8Array[];
  /** Absolute offset of each tensor, in the order in which they were given. */
  readonly offsets: Float64Array;
  /** The tensors in file order, with absolute offsets; made when asked for. */
  readonly tensors: readonly TensorEntry[];
  /** Bytes of the whole file. */
  readonly size: number;
}

/**
 * Lays out a safetensors file: the same order and header that the Rust and Python library write.
 *
 * @param entries The tensors, in any order.
 * @param metadata What goes to `__metadata__`; left out when empty.
 * @returns The header, and where the bytes of each tensor go.
 * @throws {RangeError} If two tensors have one name, or a name, dtype or shape is not allowed.
 */
export function planSafetensors(
  entries: readonly TensorPlan[],
  metadata: ReadonlyMap<string, MetadataText> = new Map(),
): SafetensorsPlan {
  checkPlan(entries);
  const order = fileOrder(entries);
  const text = new HeaderText();
  text.add("{");
  if (metadata.size > 0) {
    addMetadata(text, metadata);
    if (order.length > 0) text.add(",");
  }
  let end = 0;
  const offsets = new Float64Array(entries.length);
  let comma = "";
  for (const i of order) {
    const { name, dtype, shape } = entries[i];
    const byteLength = sizeOfPlan(entries[i]), begin = end;
    end += byteLength;
    offsets[i] = begin;
    // A dtype that is known and checked dimensions are JSON as they are.
    text.add(
      `${comma}${
        toJson(name)
      }:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${end}]}`,
    );
    comma = ",";
  }
  text.add("}");
  const pieces = text.finish();
  const headerBytes = pieces.reduce((sum, { length }) => sum + length, 0);
  for (let i = 0; i < offsets.length; i++) offsets[i] += headerBytes;
  return {
    pieces,
    offsets,
    size: headerBytes + end,
    get header() {
      return joined(pieces, headerBytes);
    },
    get tensors() {
      return Array.from(order, (i): TensorEntry => {
        const byteLength = sizeOfPlan(entries[i]), offset = offsets[i];
        const { name, dtype, shape } = entries[i];
        return { name, dtype, shape, offset, byteLength };
      });
    },
  };
}

function addMetadata(
  text: HeaderText,
  metadata: ReadonlyMap<string, MetadataText>,
): void {
  text.add(`${toJson(METADATA)}:{`);
  let comma = "";
  for (const [key, value] of metadata) {
    checkText(key);
    text.add(`${comma}${toJson(key)}:"`);
    for (const piece of typeof value === "string" ? [value] : value) {
      checkText(piece);
      text.add(toJson(piece).slice(1, -1));
    }
    text.add('"');
    comma = ",";
  }
  text.add("}");
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function sizeOfPlan({ name, dtype, shape }: TensorPlan): number {
  try {
    return sizeInBytes("tensor", dtype, shape);
  } catch {
    // A name is made fit for a message where there is one.
    return sizeInBytes(`Cannot write: tensor ${quote(name)}`, dtype, shape);
  }
}

/** The numbers of the entries in the order of the file: the widest elements first, those of one dtype by name. */
function fileOrder(entries: readonly TensorPlan[]): Uint32Array {
  const byDtype = new Map<string, number[]>();
  entries.forEach(({ dtype }, i) => {
    const alike = byDtype.get(dtype);
    if (alike) alike.push(i);
    else byDtype.set(dtype, [i]);
  });
  const rank = (dtype: string) => DTYPE_RANK.get(dtype) ?? -1;
  const groups = [...byDtype].sort(([a], [b]) => rank(b) - rank(a));
  const order = new Uint32Array(entries.length);
  let at = 0;
  for (const [, alike] of groups) {
    alike.sort((a, b) => compareUtf8(entries[a].name, entries[b].name));
    order.set(alike, at);
    at += alike.length;
  }
  return order;
}

function checkPlan(entries: readonly TensorPlan[]): void {
  if (entries.length > TENSOR_COUNT) {
    throw new RangeError(
      `Cannot write ${entries.length} tensors: the limit of a file is ${TENSOR_COUNT}`,
    );
  }
  for (const { name } of entries) checkText(name);
  const names = new Set<string>();
  for (const { name } of entries) {
    if (name === METADATA) {
      throw new RangeError(`Cannot write a tensor named ${METADATA}`);
    }
    if (names.has(name)) {
      throw new RangeError(`Cannot write two tensors named ${quote(name)}`);
    }
    names.add(name);
  }
}

function checkText(text: string): void {
  if (!text.isWellFormed()) {
    throw new RangeError(
      `Cannot write ${quote(text)}: half a surrogate pair is no UTF-8`,
    );
  }
}

/** JSON as the library writes it; escapes only what it must. */
function toJson(value: unknown): string {
  return JSON.stringify(value);
}

/** Characters that are encoded together. */
const CHUNK_CHARACTERS = 1 << 16;

/** The text of a header, kept as bytes: it may be a hundred megabytes. */
class HeaderText {
  readonly #encoder = new TextEncoder();
  readonly #chunks: Uint8Array[] = [];
  #pending = "";
  #bytes = 0;

  add(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= CHUNK_CHARACTERS) this.#encode();
  }

  #encode(): void {
    const bytes = this.#encoder.encode(this.#pending);
    this.#pending = "";
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
  }

  /** The length, the pieces of the text, and its padding. */
  finish(): Uint8Array[] {
    this.#encode();
    const padded = Math.ceil(this.#bytes / 8) * 8;
    if (padded > SAFETENSORS_HEADER_BYTES) {
      throw new RangeError(
        `Cannot write a safetensors header of ${padded} bytes: the limit is ${SAFETENSORS_HEADER_BYTES}`,
      );
    }
    const length = new Uint8Array(LENGTH_BYTES);
    new DataView(length.buffer).setBigUint64(0, BigInt(padded), true);
    const padding = new Uint8Array(padded - this.#bytes).fill(0x20);
    return [length, ...this.#chunks, padding];
  }
}

/** Order of the UTF-8 bytes, which is the order of code points; UTF-16 differs for surrogates. */
function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rankOfUnit(x) - rankOfUnit(y);
  }
  return a.length - b.length;
}

/** Moves surrogates, which stand for code points from 0x10000 on, behind all other units. */
function rankOfUnit(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
