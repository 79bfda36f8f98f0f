/**
 * Deflated data as a source: inflated when more than its start is asked for, to
 * a temporary file.
 *
 * @module
 */
import type { ByteReader } from "../stream/bytes.ts";
import type { ByteSource } from "./bytes.ts";
import { fileError } from "./errors.ts";
import { FileSource } from "./file_source.ts";
import { writeFully } from "./paged_writer.ts";
import {
  createSpool,
  removeTemporary,
  type TemporaryFile,
} from "./temporary.ts";

/** Where deflated data are. */
export interface Deflated {
  /** What they lie in. */
  readonly source: ByteReader;
  /** Where they start. */
  readonly offset: number;
  /** How many bytes they are. */
  readonly storedBytes: number;
  /** How many they are inflated. */
  readonly size: number;
  /** The CRC-32 of the inflated bytes. */
  readonly crc: number;
}

/** Deflated bytes that are inflated at a time: they become 16 MiB at most. */
const STEP = 16 * 1024;
/** Inflated bytes at the start that are kept in memory: headers are in them. */
const HEAD_BYTES = 16 * 1024;

/** The inflated bytes, in any order. */
export class InflatedSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #data: Deflated;
  #head: Promise<Uint8Array> | undefined;
  #spool: Promise<TemporaryFile> | undefined;
  #whole: FileSource | undefined;

  /** @param name What to call it in messages. */
  constructor(name: string, data: Deflated) {
    this.name = name;
    this.size = data.size;
    this.#data = data;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    const end = offset + into.length;
    if (end > this.size) {
      throw new RangeError(
        `Cannot read ${this.name} at byte ${offset}: ${into.length} bytes are not all there`,
      );
    }
    if (end <= HEAD_BYTES) {
      const head = await (this.#head ??= this.#readHead());
      return into.set(head.subarray(offset, end));
    }
    const { handle } = await (this.#spool ??= this.#inflate());
    this.#whole ??= new FileSource(this.name, this.size, handle);
    await this.#whole.read(offset, into);
  }

  async close(): Promise<void> {
    const spool = await this.#spool?.catch(() => undefined);
    if (!spool) return;
    await spool.handle.close();
    await removeTemporary(spool.path);
  }

  async #readHead(): Promise<Uint8Array> {
    const head = new Uint8Array(Math.min(HEAD_BYTES, this.size));
    let filled = 0;
    for await (const piece of this.#pieces()) {
      const some = piece.subarray(0, head.length - filled);
      head.set(some, filled);
      filled += some.length;
      if (filled === head.length) break;
    }
    if (filled < head.length) throw this.#wrongSize(filled);
    return head;
  }

  async #inflate(): Promise<TemporaryFile> {
    const spool = await createSpool(this.name);
    try {
      let size = 0, crc = ~0;
      for await (const piece of this.#pieces()) {
        if (size + piece.length > this.size) throw this.#wrongSize(undefined);
        await this.#store(spool, size, piece);
        size += piece.length;
        crc = crcOf(crc, piece);
      }
      if (size < this.size) throw this.#wrongSize(size);
      if (~crc >>> 0 !== this.#data.crc) {
        throw new SyntaxError(
          `Cannot read ${this.name}: it is damaged, its check sum is another`,
        );
      }
      return spool;
    } catch (error) {
      await spool.handle.close().catch(() => {});
      await removeTemporary(spool.path);
      throw error;
    }
  }

  async #store(
    { handle }: TemporaryFile,
    offset: number,
    piece: Uint8Array,
  ): Promise<void> {
    try {
      await writeFully(handle, offset, piece);
    } catch (error) {
      throw fileError(
        `Cannot write the temporary file for ${this.name}`,
        error,
      );
    }
  }

  #wrongSize(size: number | undefined): SyntaxError {
    return new SyntaxError(
      `Cannot read ${this.name}: it is said to be ${this.size} bytes, and is ${
        size ?? "more"
      }`,
    );
  }

  /** The inflated bytes in their order; not more than asked for is read. */
  async *#pieces(): AsyncGenerator<Uint8Array, void> {
    const inflater = new DecompressionStream("deflate-raw");
    const writer = inflater.writable.getWriter();
    const reader = inflater.readable.getReader();
    const feeding = this.#feed(writer);
    feeding.catch(() => {}); // it surfaces at the end, or the reader's failure does
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        yield value;
      }
      await feeding;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new SyntaxError(
        `Cannot read ${this.name}: its deflated data are damaged`,
        { cause: error },
      );
    } finally {
      await reader.cancel().catch(() => {});
      await writer.abort().catch(() => {});
      await feeding.catch(() => {});
    }
  }

  async #feed(
    writer: WritableStreamDefaultWriter<BufferSource>,
  ): Promise<void> {
    const { source, offset, storedBytes } = this.#data;
    for (let at = 0; at < storedBytes; at += STEP) {
      const piece = new Uint8Array(Math.min(STEP, storedBytes - at));
      await source.read(offset + at, piece);
      await writer.write(piece);
    }
    await writer.close();
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) {
    crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return crc;
});

/** Goes on with a CRC-32; it starts as ~0, and is inverted at the end. */
function crcOf(crc: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) {
    crc = CRC_TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  }
  return crc;
}
