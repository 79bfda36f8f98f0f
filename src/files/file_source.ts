/**
 * Byte sources: a regular file, and bytes in memory.
 *
 * @module
 */
import { open, stat } from "node:fs/promises";
import type { ByteSource } from "./bytes.ts";
import { fileError, printable } from "./errors.ts";
import type { OpenFile } from "./open_file.ts";

/** Node refuses to read 2 GiB at once. */
const LARGEST_READ = 2 ** 30;
/** Reads of less come from pages: the next one is nearby. */
const SMALL_BYTES = 4 * 1024;
/** Bytes of a page. */
const PAGE_BYTES = 64 * 1024;
/** Pages in memory. */
const PAGES = 16;

/**
 * Opens a regular file for ranged reads.
 *
 * @param path Where it is.
 * @returns The source; the caller closes it.
 * @throws {Error} If it does not exist, is no regular file, or may not be read.
 */
export async function openFile(path: string): Promise<ByteSource> {
  const name = printable(path);
  try {
    // Looked at before it is opened: opening a pipe without a writer never returns.
    const found = await stat(path);
    if (found.isDirectory()) throw new Error("it is a directory");
    if (!found.isFile()) {
      throw new Error("it is no regular file; pipe it in and pass - instead");
    }
    const handle = await open(path, "r");
    return new FileSource(name, (await handle.stat()).size, handle);
  } catch (error) {
    throw fileError(`Cannot read ${name}`, error);
  }
}

/** What a {@linkcode FileSource} needs of a file handle. */
export type ReadableHandle = Pick<OpenFile, "read" | "close">;

/** A source over an open file handle, which it owns. */
export class FileSource implements ByteSource {
  /** What to call it in messages. */
  readonly name: string;
  /** How many bytes there were when it was opened. */
  readonly size: number;
  readonly #handle: ReadableHandle;
  /** Pages by number, the one read last at the end. */
  readonly #pages = new Map<number, Promise<Uint8Array>>();

  /** Takes over `handle`, a file of `size` bytes. */
  constructor(name: string, size: number, handle: ReadableHandle) {
    this.name = name;
    this.size = size;
    this.#handle = handle;
  }

  /** Fills `into` with the bytes from `offset` on; rejects when they are not all there. */
  async read(offset: number, into: Uint8Array): Promise<void> {
    checkRange(this, offset, into.length);
    const page = Math.floor(offset / PAGE_BYTES), at = offset % PAGE_BYTES;
    if (into.length >= SMALL_BYTES || at + into.length > PAGE_BYTES) {
      return await this.#readFully(offset, into);
    }
    // A page may be cut off where this range is not: then the range speaks for itself.
    const bytes = await this.#page(page).catch(() => undefined);
    if (bytes === undefined) return await this.#readFully(offset, into);
    into.set(bytes.subarray(at, at + into.length));
  }

  #page(number: number): Promise<Uint8Array> {
    const there = this.#pages.get(number);
    if (there !== undefined) return there;
    if (this.#pages.size >= PAGES) {
      const [oldest] = this.#pages.keys();
      this.#pages.delete(oldest);
    }
    const start = number * PAGE_BYTES;
    const bytes = new Uint8Array(Math.min(PAGE_BYTES, this.size - start));
    const page = this.#readFully(start, bytes).then(() => bytes);
    this.#pages.set(number, page);
    // A page that could not be read is asked for anew.
    page.catch(() => this.#pages.delete(number));
    return page;
  }

  async #readFully(offset: number, into: Uint8Array): Promise<void> {
    let filled = 0;
    while (filled < into.length) {
      const wanted = Math.min(into.length - filled, LARGEST_READ);
      const got = await this.#read(offset + filled, into, filled, wanted);
      if (got === 0) throw shortRead(this.name, offset, into.length, filled);
      filled += got;
    }
  }

  async #read(
    offset: number,
    into: Uint8Array,
    at: number,
    length: number,
  ): Promise<number> {
    try {
      return (await this.#handle.read(into, at, length, offset)).bytesRead;
    } catch (error) {
      throw fileError(`Cannot read ${this.name} at byte ${offset}`, error);
    }
  }

  /** Closes the file. */
  close(): Promise<void> {
    return this.#handle.close();
  }
}

/**
 * A source over bytes in memory.
 *
 * @param bytes The bytes; not copied.
 * @param name What to call it in messages.
 * @returns The source.
 */
export function memorySource(bytes: Uint8Array, name = "memory"): ByteSource {
  const source: ByteSource = {
    name,
    size: bytes.length,
    // deno-lint-ignore require-await -- a failed check must reject, not throw
    async read(offset, into) {
      checkRange(source, offset, into.length);
      into.set(bytes.subarray(offset, offset + into.length));
    },
    close: () => Promise.resolve(),
  };
  return source;
}

function checkRange(source: ByteSource, offset: number, length: number): void {
  if (
    Number.isSafeInteger(offset) && offset >= 0 &&
    offset + length <= source.size
  ) return;
  const got = Math.max(0, source.size - offset);
  throw shortRead(source.name, offset, length, got);
}

function shortRead(
  name: string,
  offset: number,
  expected: number,
  got: number,
): RangeError {
  return new RangeError(
    `Cannot read ${name} at byte ${offset}: expected ${expected} bytes, got ${got}`,
  );
}
