/** GGUF bytes put together by hand, so that readers can be shown files that no writer makes. */
import type { ByteSource } from "../../src/files/bytes.ts";

const encoder = new TextEncoder();

/** Little-endian integers of 1, 2, 4 or 8 bytes. */
export function int(size: 1 | 2 | 4 | 8, value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(
    0,
    BigInt.asIntN(64, BigInt(value)),
    true,
  );
  return bytes.subarray(0, size);
}

/** A string with its length; `length` lies about it. */
export function str(
  text: string | Uint8Array,
  length?: number | bigint,
): Uint8Array {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  return join([int(8, length ?? bytes.length), bytes]);
}

export function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(
    parts.reduce((sum, part) => sum + part.length, 0),
  );
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A metadata value: key, type number, the bytes behind it. */
export function kv(
  key: string | Uint8Array,
  type: number,
  ...value: Uint8Array[]
): Uint8Array {
  return join([str(key), int(4, type), ...value]);
}

/** A tensor record; dimensions fastest first, as in the file. */
export function record(
  name: string | Uint8Array,
  dims: readonly (number | bigint)[],
  type = 0,
  offset: number | bigint = 0,
  rank = dims.length,
): Uint8Array {
  return join([
    str(name),
    int(4, rank),
    ...dims.map((d) => int(8, d)),
    int(4, type),
    int(8, offset),
  ]);
}

export interface RawGguf {
  magic?: string;
  version?: number;
  tensorCount?: number | bigint;
  valueCount?: number | bigint;
  values?: readonly Uint8Array[];
  tensors?: readonly Uint8Array[];
  alignment?: number;
  /** Bytes of tensor data behind the padded header. */
  data?: number;
}

/** A file from its pieces; counts are those of the pieces unless they are given. */
export function raw(file: RawGguf): Uint8Array<ArrayBuffer> {
  const { values = [], tensors = [], alignment = 32, data = 0 } = file;
  const header = join([
    encoder.encode(file.magic ?? "GGUF"),
    int(4, file.version ?? 3),
    int(8, file.tensorCount ?? tensors.length),
    int(8, file.valueCount ?? values.length),
    ...values,
    ...tensors,
  ]);
  const padding = (alignment - header.length % alignment) % alignment;
  return join([header, new Uint8Array(padding), new Uint8Array(data)]);
}

/** A metadata value of one u32. */
export const u32 = (key: string | Uint8Array, value = 0): Uint8Array =>
  kv(key, 4, int(4, value));

/** A metadata array named "a". */
export const array = (
  type: number,
  count: number | bigint,
  ...elements: Uint8Array[]
): Uint8Array => kv("a", 9, int(4, type), int(8, count), ...elements);

/** A file size so large that any count could be true. */
export const roomy = 1e12;

/** A file that must be refused, and one that differs in that point alone. */
export interface Twin {
  readonly title: string;
  readonly bad: Uint8Array<ArrayBuffer>;
  /** How large the refused file claims to be, when that is not what it holds. */
  readonly badSize?: number;
  readonly error: typeof SyntaxError | typeof RangeError;
  readonly says: string;
  readonly good: Uint8Array<ArrayBuffer>;
}

/** Bytes of `head`, then zeros up to `size`, which need not fit in memory; counts what is read. */
export class SparseSource implements ByteSource {
  readonly name = "test.gguf";
  readonly size: number;
  /** The most bytes that one read asked for. */
  largestRead = 0;
  /** How many bytes were read. */
  bytesRead = 0;
  readonly #head: Uint8Array;

  constructor(head: Uint8Array, size: number = head.length) {
    this.#head = head;
    this.size = size;
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    if (offset < 0 || offset + into.length > this.size) {
      return Promise.reject(
        new Error(`read of ${into.length} at ${offset} of ${this.size}`),
      );
    }
    this.largestRead = Math.max(this.largestRead, into.length);
    this.bytesRead += into.length;
    into.fill(0);
    into.set(this.#head.subarray(offset, offset + into.length));
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
