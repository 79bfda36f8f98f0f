/**
 * Reads flatbuffers: tables, vectors and texts, each place checked before it is read.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";

/** A stretch of the file that holds items of one size. */
export interface Vector {
  /** Where its first item is. */
  readonly start: number;
  /** How many items there are. */
  readonly count: number;
}

/** A flatbuffer. */
export class Flatbuffer {
  readonly #source: ByteSource;
  readonly #bytes = new Uint8Array(8);
  readonly #view = new DataView(this.#bytes.buffer);

  /** Reads from `source`. */
  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The table that all others hang on. */
  async root(): Promise<Table> {
    return await this.table(0, "the root");
  }

  /** The table that the offset at a place leads to. */
  async table(place: number, what: string): Promise<Table> {
    const at = await this.follow(place, what);
    const fields = at - await this.i32(at, what);
    return new Table(this, at, fields, await this.u16(fields, what), what);
  }

  /** Where the offset at a place leads. */
  async follow(place: number, what: string): Promise<number> {
    return place + await this.u32(place, what);
  }

  /** The bytes of a vector that the offset at a place leads to. */
  async vector(place: number, size: number, what: string): Promise<Vector> {
    const at = await this.follow(place, what);
    const count = await this.u32(at, what), start = at + 4;
    if (start + count * size > this.#source.size) {
      throw new SyntaxError(
        `${what} has ${count} items of ${size} bytes from ${start} on, beyond the ${this.#source.size} of the file`,
      );
    }
    return { start, count };
  }

  /** An unsigned byte. */
  async u8(at: number, what: string): Promise<number> {
    return (await this.#fill(at, 1, what)).getUint8(0);
  }

  /** An unsigned number of 16 bits. */
  async u16(at: number, what: string): Promise<number> {
    return (await this.#fill(at, 2, what)).getUint16(0, true);
  }

  /** An unsigned number of 32 bits. */
  async u32(at: number, what: string): Promise<number> {
    return (await this.#fill(at, 4, what)).getUint32(0, true);
  }

  /** A signed number of 32 bits. */
  async i32(at: number, what: string): Promise<number> {
    return (await this.#fill(at, 4, what)).getInt32(0, true);
  }

  /** An unsigned number of 64 bits. */
  async u64(at: number, what: string): Promise<number> {
    const value = (await this.#fill(at, 8, what)).getBigUint64(0, true);
    if (value <= Number.MAX_SAFE_INTEGER) return Number(value);
    throw new SyntaxError(`${what} has the number ${value}, above 2^53 - 1`);
  }

  /** A text of at most so many bytes. */
  async text(place: number, limit: number, what: string): Promise<string> {
    const { start, count } = await this.vector(place, 1, what);
    if (count > limit) {
      throw new SyntaxError(
        `${what} has a name of ${count} bytes, above the limit of ${limit}`,
      );
    }
    const bytes = new Uint8Array(count);
    await this.#source.read(start, bytes);
    return new TextDecoder().decode(bytes);
  }

  /** Reads a few bytes; their view is that of all such reads. */
  async #fill(at: number, length: number, what: string): Promise<DataView> {
    if (!(at >= 0 && at + length <= this.#source.size)) {
      throw new SyntaxError(
        `${what} leads to byte ${at}, beyond the ${this.#source.size} of the file`,
      );
    }
    await this.#source.read(at, this.#bytes.subarray(0, length));
    return this.#view;
  }
}

/** A table of a flatbuffer: fields that may not be there. */
export class Table {
  readonly #buffer: Flatbuffer;
  readonly #at: number;
  readonly #fields: number;
  readonly #size: number;
  readonly #what: string;

  /** The table at a place, with the offsets of its fields at another. */
  constructor(
    buffer: Flatbuffer,
    at: number,
    fields: number,
    size: number,
    what: string,
  ) {
    this.#buffer = buffer;
    this.#at = at;
    this.#fields = fields;
    this.#size = size;
    this.#what = what;
  }

  /** Where a field is; undefined where it is not there. */
  async place(field: number): Promise<number | undefined> {
    const entry = 4 + 2 * field;
    if (entry + 2 > this.#size) return undefined;
    const offset = await this.#buffer.u16(this.#fields + entry, this.#what);
    return offset === 0 ? undefined : this.#at + offset;
  }

  /** A number, or what it is where it is not there. */
  async number(
    field: number,
    kind: "u8" | "u32" | "i32" | "u64",
    otherwise: number,
  ): Promise<number> {
    const place = await this.place(field);
    return place === undefined
      ? otherwise
      : await this.#buffer[kind](place, this.#what);
  }

  /** A table; undefined where it is not there. */
  async table(field: number, what: string): Promise<Table | undefined> {
    const place = await this.place(field);
    return place === undefined
      ? undefined
      : await this.#buffer.table(place, what);
  }

  /** A vector of items of a size, empty where it is not there. */
  async vector(field: number, size: number, what: string): Promise<Vector> {
    const place = await this.place(field);
    return place === undefined
      ? { start: 0, count: 0 }
      : await this.#buffer.vector(place, size, what);
  }

  /** A text of at most so many bytes, empty where it is not there. */
  async text(field: number, limit: number): Promise<string> {
    const place = await this.place(field);
    return place === undefined
      ? ""
      : await this.#buffer.text(place, limit, this.#what);
  }
}
