/**
 * Reads the fields of a GGUF header one after another through a small window, whatever their number.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import { GGUF_HEADER_BYTES } from "./limits.ts";

/** Bytes that are fetched at once: many small fields to a read, and no more memory than that. */
const windowSize = 64 * 1024;

// A byte order mark belongs to a name; without ignoreBOM two names that differ in it would be equal.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Says what is read, for a message: a function, as most of the time nobody asks. */
export type Label = () => string;

/** A place in the header of a file. Fields are read with `need` first, then without waiting. */
export class GgufCursor {
  readonly #source: ByteSource;
  readonly #window: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #littleEndian = true;
  #start = 0;
  #end = 0;
  #position = 0;

  /** Starts at the first byte. */
  constructor(source: ByteSource) {
    this.#source = source;
    this.#window = new Uint8Array(Math.min(windowSize, source.size));
    this.#view = new DataView(this.#window.buffer);
  }

  /** Whether numbers have their largest byte first from here on. */
  get bigEndian(): boolean {
    return !this.#littleEndian;
  }

  /** Takes the file for a big-endian one from here on. */
  takeBigEndian(): void {
    this.#littleEndian = false;
  }

  /** How messages about the file begin. */
  get where(): string {
    return `Cannot read ${this.#source.name} as GGUF`;
  }

  /** The offset of the next byte. */
  get position(): number {
    return this.#position;
  }

  /** How many bytes of the file follow. */
  get remaining(): number {
    return this.#source.size - this.#position;
  }

  /** Whether the next `count` bytes are at hand. */
  has(count: number): boolean {
    return this.#position + count <= this.#end;
  }

  /** Has the next `count` bytes at hand, at most a window; `what` says what they are. */
  async need(count: number, what: Label): Promise<void> {
    if (this.has(count)) return;
    this.#check(count, what);
    const length = Math.min(this.#window.length, this.remaining);
    await this.#source.read(this.#position, this.#window.subarray(0, length));
    this.#start = this.#position;
    this.#end = this.#start + length;
  }

  /** The next four bytes. */
  u32(): number {
    const at = this.#advance(4);
    return this.#view.getUint32(at, this.#littleEndian);
  }

  /** The next eight bytes. */
  u64(): bigint {
    const at = this.#advance(8);
    return this.#view.getBigUint64(at, this.#littleEndian);
  }

  /** The next eight bytes, signed. */
  i64(): bigint {
    return BigInt.asIntN(64, this.u64());
  }

  /** Moves on by `count` bytes that are in the file but need not be at hand. */
  skip(count: number, what: Label): void {
    this.#check(count, what);
    this.#position += count;
  }

  /** A copy of the bytes from `start` to `end`, which the cursor has passed. */
  async bytes(start: number, end: number): Promise<Uint8Array> {
    if (start >= this.#start && end <= this.#end) {
      return this.#window.slice(start - this.#start, end - this.#start);
    }
    const bytes = new Uint8Array(end - start);
    await this.#source.read(start, bytes);
    return bytes;
  }

  /** The next string: a key or a name, at most `limit` bytes of UTF-8 without NUL. */
  async text(what: Label, limit: number): Promise<string> {
    await this.need(8, what);
    const length = this.u64();
    if (length > BigInt(limit)) {
      throw this.malformed(
        `${what()} declares ${length} bytes; at most ${limit} are allowed`,
      );
    }
    const start = this.#position;
    this.skip(Number(length), what);
    const bytes = await this.bytes(start, this.#position);
    // C programs end a name at a NUL, and would see another name than this one.
    if (bytes.includes(0)) throw this.malformed(`${what()} holds a NUL byte`);
    try {
      return decoder.decode(bytes);
    } catch {
      throw this.malformed(`${what()} is not UTF-8`);
    }
  }

  /** For bytes that are not what they should be. */
  malformed(message: string): SyntaxError {
    return new SyntaxError(`${this.where}: ${message}`);
  }

  /** For bytes that may be right, but are beyond what is read. */
  refused(message: string): RangeError {
    return new RangeError(`${this.where}: ${message}`);
  }

  #advance(count: number): number {
    const at = this.#position - this.#start;
    this.#position += count;
    return at;
  }

  #check(count: number, what: Label): void {
    if (count > this.remaining) {
      throw this.malformed(
        `${what()} takes ${count} bytes, but the file ends after ${this.remaining}`,
      );
    }
    if (this.#position + count > GGUF_HEADER_BYTES) {
      throw this.refused(
        `its header goes beyond ${GGUF_HEADER_BYTES} bytes; is it a model?`,
      );
    }
  }
}
