/**
 * Writes to a file, the small ones gathered in pages: a hundred thousand
 * tensors of a few bytes each take some hundred writes of the system.
 *
 * @module
 */
import type { OpenFile } from "./open_file.ts";

/** What is needed of a file handle; open for reading too. */
export type PagedHandle = Pick<OpenFile, "read" | "write">;

/** Bytes of a page. */
const PAGE_BYTES = 64 * 1024;
/** Pages in memory: tensors come in the order of the input, and go where the output has its dtypes. */
const PAGES = 32;
/** Writes of more bytes go to the file as they are. */
const SMALL_BYTES = 16 * 1024;
/** Node refuses to write 2 GiB at once. */
const LARGEST_WRITE = 2 ** 30;

/**
 * Writes all of `bytes` at `offset`, in as many steps as the system takes.
 *
 * @param handle An open file.
 * @param offset Where the first byte goes.
 * @param bytes The bytes.
 */
export async function writeFully(
  handle: Pick<OpenFile, "write">,
  offset: number,
  bytes: Uint8Array,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const length = Math.min(bytes.length - done, LARGEST_WRITE);
    const { bytesWritten } = await handle.write(
      bytes,
      done,
      length,
      offset + done,
    );
    if (bytesWritten === 0) throw new Error("the system takes no more bytes");
    done += bytesWritten;
  }
}

interface Page {
  readonly bytes: Uint8Array;
  /** What differs from the file: from this byte of the page … */
  from: number;
  /** … to this one. */
  to: number;
}

/** Writes at any offset of a new file. Later writes win over earlier ones. */
export class PagedWriter {
  readonly #handle: PagedHandle;
  /** Pages by number, the one used last at the end. */
  readonly #pages = new Map<number, Page>();
  /** Large writes under way. */
  readonly #large = new Set<Promise<void>>();
  /** What waits for a page, one after another. */
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** 1 for each page of which something was written: in the others the file is empty. */
  #touched = new Uint8Array(1024);

  /** Writes to a new file, empty so far. */
  constructor(handle: PagedHandle) {
    this.#handle = handle;
  }

  /**
   * Writes all of `bytes` at `offset`, into a page or to the file.
   *
   * @param offset Where the first byte goes.
   * @param bytes The bytes; the caller may reuse them when the promise resolves.
   * @returns A promise where something has to be waited for; undefined where it is done.
   */
  write(offset: number, bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.length === 0) return undefined;
    if (bytes.length > SMALL_BYTES) return this.#writeLarge(offset, bytes);
    if (this.#waiting === 0 && this.#inPages(offset, bytes.length)) {
      this.#copy(offset, bytes);
      return undefined;
    }
    return this.#enqueue(async () => {
      for (const page of pagesOf(offset, bytes.length)) await this.#load(page);
      this.#copy(offset, bytes);
    });
  }

  /** Waits until all is in the file. */
  async flush(): Promise<void> {
    await this.#enqueue(() => this.#dropAll([...this.#pages.keys()]));
    await Promise.all(this.#large);
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const done = this.#queue.then(work).finally(() => this.#waiting--);
    this.#queue = done.catch(() => {}); // the next one has its own errors
    return done;
  }

  #writeLarge(offset: number, bytes: Uint8Array): Promise<void> {
    const write = async () => {
      const writing = writeFully(this.#handle, offset, bytes);
      this.#large.add(writing);
      try {
        await writing;
      } finally {
        this.#large.delete(writing);
      }
    };
    this.#touch(offset, bytes);
    if (this.#waiting === 0 && this.#pages.size === 0) return write();
    const started = this.#enqueue(async () => {
      // What lies in pages was written before.
      await this.#dropAll(pagesOf(offset, bytes.length));
      return { writing: write() }; // the next in the queue need not wait for it
    });
    return started.then(({ writing }) => writing);
  }

  #touch(offset: number, bytes: Uint8Array): void {
    const first = Math.floor(offset / PAGE_BYTES);
    const last = Math.ceil((offset + bytes.length) / PAGE_BYTES);
    const touched = this.#touched;
    if (last > touched.length) {
      this.#touched = new Uint8Array(2 * last);
      this.#touched.set(touched);
    }
    this.#touched.fill(1, first, last);
  }

  #inPages(offset: number, length: number): boolean {
    for (const page of pagesOf(offset, length)) {
      if (!this.#pages.has(page)) return false;
    }
    return true;
  }

  /** Copies bytes into pages, which are there. */
  #copy(offset: number, bytes: Uint8Array): void {
    for (const number of pagesOf(offset, bytes.length)) {
      const page = this.#pages.get(number)!, start = number * PAGE_BYTES;
      const from = Math.max(0, offset - start);
      const to = Math.min(PAGE_BYTES, offset + bytes.length - start);
      page.bytes.set(
        bytes.subarray(start + from - offset, start + to - offset),
        from,
      );
      page.from = Math.min(page.from, from);
      page.to = Math.max(page.to, to);
    }
    this.#touch(offset, bytes);
  }

  /** Makes a page ready, with what the file has there. */
  async #load(number: number): Promise<void> {
    const there = this.#pages.get(number);
    if (there !== undefined) {
      this.#pages.delete(number);
      this.#pages.set(number, there);
      return;
    }
    if (this.#pages.size >= PAGES) {
      const [oldest] = this.#pages.keys();
      await this.#drop(oldest);
    }
    const bytes = new Uint8Array(PAGE_BYTES), start = number * PAGE_BYTES;
    if (this.#touched[number] === 1) {
      await Promise.all(this.#large);
      for (let filled = 0; filled < PAGE_BYTES;) {
        const { bytesRead } = await this.#handle.read(
          bytes,
          filled,
          PAGE_BYTES - filled,
          start + filled,
        );
        if (bytesRead === 0) break; // the end of what was written so far
        filled += bytesRead;
      }
    }
    this.#pages.set(number, { bytes, from: PAGE_BYTES, to: 0 });
  }

  async #dropAll(numbers: Iterable<number>): Promise<void> {
    for (const number of numbers) await this.#drop(number);
  }

  /** Writes a page to the file, and forgets it. */
  async #drop(number: number): Promise<void> {
    const page = this.#pages.get(number);
    if (page === undefined) return;
    const { bytes, from, to } = page;
    if (from < to) {
      await writeFully(
        this.#handle,
        number * PAGE_BYTES + from,
        bytes.subarray(from, to),
      );
    }
    this.#pages.delete(number);
  }
}

/** The numbers of the pages that a range touches. */
function* pagesOf(offset: number, length: number): Generator<number, void> {
  const last = Math.ceil((offset + length) / PAGE_BYTES);
  for (let page = Math.floor(offset / PAGE_BYTES); page < last; page++) {
    yield page;
  }
}
