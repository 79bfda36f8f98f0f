/**
 * Open files, read and written at any offset while the caller goes on.
 *
 * @module
 */
import { open } from "node:fs/promises";

/** What is needed of an open file; Node's are such. */
export interface OpenFile {
  /** Reads at most `length` bytes from `position` on into `bytes` from `at` on. */
  read(
    bytes: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  /** Writes at most `length` bytes of `bytes` from `at` on to `position`. */
  write(
    bytes: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  /** Waits until all is on the disk. */
  sync(): Promise<void>;
  /** Closes it. */
  close(): Promise<void>;
}

/**
 * Opens a file for reading and writing.
 *
 * Under Deno it is one of Deno's own: what its `node:fs` writes it writes on the
 * calling thread, which then computes nothing meanwhile.
 *
 * @param path Where it is; it must exist.
 * @returns The open file.
 */
export async function openToWrite(path: string): Promise<OpenFile> {
  const { Deno } = globalThis as { Deno?: DenoFiles };
  if (Deno === undefined) return await open(path, "r+");
  return new InTurns(await Deno.open(path, { read: true, write: true }));
}

/** What is used of Deno. */
interface DenoFiles {
  open(path: string, mode: { read: true; write: true }): Promise<DenoFile>;
}

/** What is used of its files: they have one position, where reads and writes begin. */
interface DenoFile {
  seekSync(offset: number, whence: 0): number;
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  sync(): Promise<void>;
  close(): void;
}

/** A file with one position, which each read and write has to itself. */
class InTurns implements OpenFile {
  readonly #file: DenoFile;
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: DenoFile) {
    this.#file = file;
  }

  read(
    bytes: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }> {
    return this.#inTurn(async () => {
      this.#file.seekSync(position, 0);
      const into = bytes.subarray(at, at + length);
      return { bytesRead: await this.#file.read(into) ?? 0 };
    });
  }

  write(
    bytes: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<{ bytesWritten: number }> {
    return this.#inTurn(async () => {
      this.#file.seekSync(position, 0);
      const from = bytes.subarray(at, at + length);
      return { bytesWritten: await this.#file.write(from) };
    });
  }

  sync(): Promise<void> {
    return this.#inTurn(() => this.#file.sync());
  }

  close(): Promise<void> {
    return this.#inTurn(() => Promise.resolve(this.#file.close()));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {}); // whoever waits for it is told
    return done;
  }
}
