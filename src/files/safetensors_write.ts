/**
 * Writing safetensors: the bytes that its library writes. What a file consists of
 * is told in safetensors_read.ts.
 *
 * Source: https://github.com/huggingface/safetensors (`tensor.rs`).
 *
 * @module
 */
import { dtypes } from "../numeric/dtypes.ts";
import { quote } from "./errors.ts";
import { SAFETENSORS_HEADER_BYTES, TENSOR_COUNT } from "./limits.ts";
import { LENGTH_BYTES, METADATA, sizeInBytes } from "./safetensors_read.ts";
import type { TensorEntry } from "./tensors.ts";

/** Where a dtype stands in the order of the library. */
const DTYPE_RANK = new Map(
  [...dtypes.keys()].map((dtype, index) => [dtype, index]),
);

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
