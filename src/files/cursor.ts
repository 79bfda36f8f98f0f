/**
 * Reads fields one after another from bytes in memory, none beyond their end.
 *
 * @module
 */

/** A place in bytes that moves on with each field. Numbers are little-endian. */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** Starts at the first of `bytes`. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes before the next field. */
  get at(): number {
    return this.#at;
  }

  /** Bytes of a field of `length`; fails where they are not there. */
  bytes(length: number, what: string): Uint8Array {
    const start = this.#take(length, what);
    return this.#bytes.subarray(start, start + length);
  }

  /** An unsigned byte. */
  u8(what: string): number {
    return this.#view.getUint8(this.#take(1, what));
  }

  /** A signed number of 32 bits. */
  i32(what: string): number {
    return this.#view.getInt32(this.#take(4, what), true);
  }

  /** A float32. */
  f32(what: string): number {
    return this.#view.getFloat32(this.#take(4, what), true);
  }

  /** A number of 64 bits that counts or places something. */
  size(what: string): number {
    const value = this.#view.getBigInt64(this.#take(8, what), true);
    return checkedSize(value, what);
  }

  /** A signed number of 64 bits. */
  i64(what: string): bigint {
    return this.#view.getBigInt64(this.#take(8, what), true);
  }

  /** A number that counts or places something, seven bits to a byte, the low ones first. */
  varint(what: string): number {
    let value = 0n;
    for (let shift = 0n; shift < 63n; shift += 7n) {
      const byte = this.u8(what);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return checkedSize(value, what);
    }
    throw new SyntaxError(`${what} takes more than 9 bytes`);
  }

  /** Takes so many bytes, and says where they start. */
  #take(length: number, what: string): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) {
      throw new SyntaxError(
        `it ends at byte ${this.#bytes.length}, within ${what}`,
      );
    }
    this.#at += length;
    return start;
  }
}

function checkedSize(value: bigint, what: string): number {
  if (value >= 0n && value <= Number.MAX_SAFE_INTEGER) return Number(value);
  throw new SyntaxError(`${what} is ${value}, no integer from 0 to 2^53 - 1`);
}
