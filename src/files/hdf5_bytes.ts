/**
 * Bytes of an HDF5 file, each place checked before it is read.
 *
 * Its records point at each other freely, and a damaged or hostile file may have
 * the same bytes read again and again: reading stops when it has gone through
 * several times as many bytes as there are.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import { HDF5_TIMES } from "./limits.ts";

/** What an address is that leads nowhere. */
const UNDEFINED = 2n ** 64n - 1n;
/** What a reading costs beside its bytes. */
const COST = 16;
/** The few that a small file may take in any case. */
const LEAST = 65_536;

/** A stretch of the file in memory. */
export class Record {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  /** What it is, for messages. */
  readonly what: string;
  /** Where it starts in the file. */
  readonly at: number;

  constructor(bytes: Uint8Array, at: number, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.what = what;
  }

  /** How many bytes it has. */
  get length(): number {
    return this.#bytes.length;
  }

  /** An unsigned byte. */
  u8(at: number): number {
    return this.#view.getUint8(this.#checked(at, 1));
  }

  /** An unsigned number of 16 bits. */
  u16(at: number): number {
    return this.#view.getUint16(this.#checked(at, 2), true);
  }

  /** An unsigned number of 32 bits. */
  u32(at: number): number {
    return this.#view.getUint32(this.#checked(at, 4), true);
  }

  /** A length or an address; undefined for the address that leads nowhere. */
  u64(at: number): number | undefined {
    const value = this.#view.getBigUint64(this.#checked(at, 8), true);
    if (value === UNDEFINED) return undefined;
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw new SyntaxError(`${this.what} has the number ${value}`);
  }

  /** The same where there has to be one. */
  size(at: number): number {
    const value = this.u64(at);
    if (value !== undefined) return value;
    throw new SyntaxError(`${this.what} leads nowhere`);
  }

  /** The bytes up to the first that is zero, or all that there are, as text. */
  text(at: number, most: number): string {
    const some = this.#bytes.subarray(at, at + most), end = some.indexOf(0);
    return new TextDecoder().decode(end < 0 ? some : some.subarray(0, end));
  }

  /** A part of it. */
  part(at: number, length: number, what: string): Record {
    this.#checked(at, length);
    const bytes = this.#bytes.subarray(at, at + length);
    return new Record(bytes, this.at + at, what);
  }

  /** Throws unless four letters are there. */
  expect(letters: string): void {
    if (this.length >= 4 && this.text(0, 4) === letters) return;
    throw new SyntaxError(`${this.what} have no ${letters} at byte ${this.at}`);
  }

  #checked(at: number, length: number): number {
    if (at + length <= this.length) return at;
    throw new SyntaxError(
      `${this.what} ends at byte ${this.length}, within a field`,
    );
  }
}

/** Reads records. */
export class Hdf5Bytes {
  readonly #source: ByteSource;
  readonly #most: number;
  #spent = 0;
  readonly #visited = new Set<number>();

  /** Reads from `source`. */
  constructor(source: ByteSource) {
    this.#source = source;
    this.#most = source.size * HDF5_TIMES + LEAST;
  }

  /** Bytes of the file. */
  get size(): number {
    return this.#source.size;
  }

  /** A record of so many bytes. */
  async record(at: number, length: number, what: string): Promise<Record> {
    this.checkPlace(at, length, what);
    this.#spent += length + COST;
    if (this.#spent > this.#most) {
      throw new SyntaxError(
        `with ${what} more than ${this.#most} bytes are read of its ${this.size}: it points at the same places again and again`,
      );
    }
    const bytes = new Uint8Array(length);
    await this.#source.read(at, bytes);
    return new Record(bytes, at, what);
  }

  /** Throws unless bytes are in the file. */
  checkPlace(at: number, length: number, what: string): void {
    if (at + length <= this.size) return;
    throw new SyntaxError(
      `${what} takes ${length} bytes from ${at} on, beyond the ${this.size} of the file`,
    );
  }

  /** Throws where a record that may be met once only is met again. */
  visit(at: number, what: string): void {
    if (this.#visited.has(at)) {
      throw new SyntaxError(`${what} at ${at} is linked to twice`);
    }
    this.#visited.add(at);
  }
}
