/**
 * Open files that are read and written at any offset while other work goes on.
 *
 * @module
 */
import { open } from "node:fs/promises";

/** What is needed of an open file; those of node:fs have it. */
export interface RangedHandle {
  /** Reads up to `length` bytes from `offset` on to `into[at]`; none at the end of the file. */
  read(
    into: Uint8Array,
    at: number,
    length: number,
    offset: number,
  ): Promise<{ bytesRead: number }>;
  /** Writes up to `length` bytes from `bytes[at]` on at `offset`. */
  write(
    bytes: Uint8Array,
    at: number,
    length: number,
    offset: number,
  ): Promise<{ bytesWritten: number }>;
  /** Tells how many bytes it has. */
  stat(): Promise<{ size: number }>;
  /** Waits until all is on the disk. */
  sync(): Promise<void>;
  /** Closes the file. */
  close(): Promise<void>;
}

/** Transfers of no more bytes are through sooner than another thread could be asked for them. */
const SMALL_BYTES = 64 * 1024;

/** What is used of Deno's own files. */
interface DenoFile {
  seekSync(offset: number, whence: 0): number;
  read(into: Uint8Array): Promise<number | null>;
  readSync(into: Uint8Array): number | null;
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
  stat(): Promise<{ size: number }>;
  sync(): Promise<void>;
  close(): void;
}

interface DenoFiles {
  open(
    path: string,
    options: { read: boolean; write: boolean },
  ): Promise<DenoFile>;
}

/**
 * Opens a file that is there.
 *
 * @param path Where it is.
 * @param access Whether it is only read.
 * @returns The file; the caller closes it.
 */
export async function openHandle(
  path: string,
  access: "read" | "update",
): Promise<RangedHandle> {
  const write = access === "update";
  const { Deno } = globalThis as { Deno?: DenoFiles };
  if (!Deno) return await open(path, write ? "r+" : "r");
  return new BackgroundHandle(await Deno.open(path, { read: true, write }));
}

/**
 * A file of Deno's own, whose threads read and write it: behind node:fs Deno reads
 * and writes on the thread that asks, however long that takes.
 *
 * It has one position, so transfers follow one another.
 */
class BackgroundHandle implements RangedHandle {
  readonly #file: DenoFile;
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: DenoFile) {
    this.#file = file;
  }

  read(into: Uint8Array, at: number, length: number, offset: number) {
    const file = this.#file, some = into.subarray(at, at + length);
    return this.#inTurn(async () => {
      file.seekSync(offset, 0);
      const bytesRead = length > SMALL_BYTES
        ? await file.read(some)
        : file.readSync(some);
      return { bytesRead: bytesRead ?? 0 };
    });
  }

  write(bytes: Uint8Array, at: number, length: number, offset: number) {
    const file = this.#file, some = bytes.subarray(at, at + length);
    return this.#inTurn(async () => {
      file.seekSync(offset, 0);
      const bytesWritten = length > SMALL_BYTES
        ? await file.write(some)
        : file.writeSync(some);
      return { bytesWritten };
    });
  }

  stat() {
    return this.#inTurn(() => this.#file.stat());
  }

  sync() {
    return this.#inTurn(() => this.#file.sync());
  }

  close() {
    return this.#inTurn(() => Promise.resolve(this.#file.close()));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {}); // who asked for it is told
    return done;
  }
}
