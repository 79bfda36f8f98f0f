/**
 * The wire format of protobuf: fields one after another, without knowing what they mean.
 *
 * ```text
 * tag      varint: number of the field · 8 + kind
 * kind 0   varint, at most 10 bytes      kind 1   8 bytes
 * kind 2   varint length, that many bytes kind 5   4 bytes
 * ```
 *
 * Messages are walked in the file through a small window, whatever their size.
 *
 * Source: protobuf.dev, "Encoding".
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";

/** Bytes that are fetched at once: many fields to a read. */
const WINDOW_BYTES = 64 * 1024;
/** The longest varint, of 64 bits. */
const VARINT_BYTES = 10;

// A byte order mark belongs to a name; without ignoreBOM two names that differ in it would be equal.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A range of bytes in a file. */
export interface ByteRange {
  /** Offset of the first byte. */
  readonly start: number;
  /** Offset behind the last byte. */
  readonly end: number;
}

/** A field of a message. */
export interface WireField extends ByteRange {
  /** Its number. */
  readonly number: number;
  /** How it is stored: 0 a varint, 1 eight bytes, 2 bytes of any length, 5 four bytes. */
  readonly kind: number;
  /** A varint as 64 bits in two's complement; 0 for other kinds. */
  readonly value: bigint;
}

/** Reads fields of a file. */
export class WireReader {
  readonly #source: ByteSource;
  readonly #window: Uint8Array;
  readonly #mostFields: number;
  #start = 0;
  #end = 0;
  #fields = 0;

  /** Reads `source`, at most `mostFields` fields of it. */
  constructor(source: ByteSource, mostFields: number) {
    this.#source = source;
    this.#window = new Uint8Array(Math.min(WINDOW_BYTES, source.size));
    this.#mostFields = mostFields;
  }

  /**
   * The fields of a message, in order.
   *
   * @param message Where it lies.
   * @param what What to call it in messages.
   * @throws {SyntaxError} If a field is malformed or goes beyond the message.
   * @throws {RangeError} If there are too many fields in all.
   */
  async *fields(
    message: ByteRange,
    what: string,
  ): AsyncGenerator<WireField, void> {
    let at = message.start;
    while (at < message.end) {
      if (++this.#fields > this.#mostFields) {
        throw new RangeError(
          `it has more than ${this.#mostFields} fields, the limit`,
        );
      }
      const field = await this.#field(at, message.end, what);
      yield field;
      at = field.end;
    }
  }

  async #field(at: number, end: number, what: string): Promise<WireField> {
    const [tag, start] = await this.#varint(at, end, what);
    const number = Number(tag >> 3n), kind = Number(tag & 7n);
    if (number < 1 || number > 2 ** 29 - 1) {
      throw new SyntaxError(
        `${what} has a field of number ${number} at byte ${at}`,
      );
    }
    switch (kind) {
      case 0: {
        const [value, next] = await this.#varint(start, end, what);
        return { number, kind, value, start, end: next };
      }
      case 1:
        return this.#bytes(number, kind, start, 8n, end, what);
      case 2: {
        const [length, from] = await this.#varint(start, end, what);
        return this.#bytes(number, kind, from, length, end, what);
      }
      case 5:
        return this.#bytes(number, kind, start, 4n, end, what);
    }
    throw new SyntaxError(
      `${what} has a field of kind ${kind} at byte ${at}; 0, 1, 2 and 5 are read`,
    );
  }

  #bytes(
    number: number,
    kind: number,
    start: number,
    length: bigint,
    end: number,
    what: string,
  ): WireField {
    if (length > BigInt(end - start)) {
      throw new SyntaxError(
        `field ${number} of ${what} takes ${length} bytes at byte ${start}, but ${
          end - start
        } follow`,
      );
    }
    return { number, kind, value: 0n, start, end: start + Number(length) };
  }

  /** A varint and the offset behind it. */
  async #varint(
    at: number,
    end: number,
    what: string,
  ): Promise<readonly [bigint, number]> {
    const most = Math.min(end, at + VARINT_BYTES);
    if (at < this.#start || most > this.#end) await this.#fill(at);
    return readVarint(
      this.#window,
      at - this.#start,
      most - this.#start,
      this.#start,
      what,
    );
  }

  async #fill(at: number): Promise<void> {
    const length = Math.min(this.#window.length, this.#source.size - at);
    // Nothing is at hand while it is read, nor where that fails.
    this.#end = this.#start;
    await this.#source.read(at, this.#window.subarray(0, length));
    this.#start = at;
    this.#end = at + length;
  }

  /**
   * The bytes of a range.
   *
   * @param range Where they lie.
   * @param limit How many there may be.
   * @param what What to call them in messages.
   * @throws {RangeError} If there are more.
   */
  async bytes(
    { start, end }: ByteRange,
    limit: number,
    what: string,
  ): Promise<Uint8Array> {
    if (end - start > limit) {
      throw new RangeError(
        `${what} takes ${end - start} bytes; at most ${limit} are read`,
      );
    }
    if (start >= this.#start && end <= this.#end) {
      return this.#window.slice(start - this.#start, end - this.#start);
    }
    const bytes = new Uint8Array(end - start);
    await this.#source.read(start, bytes);
    return bytes;
  }

  /** The same as text. Throws a SyntaxError where it is not UTF-8. */
  async text(range: ByteRange, limit: number, what: string): Promise<string> {
    const bytes = await this.bytes(range, limit, what);
    try {
      return decoder.decode(bytes);
    } catch {
      throw new SyntaxError(`${what} is not UTF-8`);
    }
  }

  /**
   * Varints that lie one after another.
   *
   * @param range Where they lie.
   * @param what What to call them in messages.
   * @param take Takes each of them.
   */
  async eachVarint(
    range: ByteRange,
    what: string,
    take: (value: bigint) => void,
  ): Promise<void> {
    for (let at = range.start; at < range.end;) {
      const inWindow = at >= this.#start && at + VARINT_BYTES <= this.#end;
      const [value, next] = inWindow
        ? readVarint(
          this.#window,
          at - this.#start,
          Math.min(range.end, at + VARINT_BYTES) - this.#start,
          this.#start,
          what,
        )
        : await this.#varint(at, range.end, what);
      take(value);
      at = next;
    }
  }
}

function readVarint(
  bytes: Uint8Array,
  at: number,
  end: number,
  offset: number,
  what: string,
): readonly [bigint, number] {
  // Most are short: plain numbers hold what four bytes do.
  let low = 0;
  for (let i = 0; i < 4 && at + i < end; i++) {
    const byte = bytes[at + i];
    low |= (byte & 127) << 7 * i;
    if (byte < 128) return [BigInt(low), offset + at + i + 1];
  }
  let value = BigInt(low);
  for (let i = 4; at + i < end; i++) {
    const byte = bytes[at + i];
    value |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) return [BigInt.asUintN(64, value), offset + at + i + 1];
  }
  throw new SyntaxError(
    `${what} has a number without an end at byte ${offset + at}`,
  );
}

/** A varint as a signed number of 64 bits. */
export function signed(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}
