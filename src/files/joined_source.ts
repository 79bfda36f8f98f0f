/**
 * Several byte sources as one.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";

/** Several sources, one after the other. */
export class JoinedSource implements ByteSource {
  /** What to call all of it in messages. */
  readonly name: string;
  /** Bytes of all sources. */
  readonly size: number;
  /** Where each source begins. */
  readonly starts: readonly number[];
  readonly #sources: readonly ByteSource[];

  /** Takes over the sources. */
  constructor(name: string, sources: readonly ByteSource[]) {
    const starts: number[] = [];
    let size = 0;
    for (const source of sources) {
      starts.push(size);
      size += source.size;
    }
    this.name = name;
    this.size = size;
    this.starts = starts;
    this.#sources = sources;
  }

  /** Fills `into` with the bytes from `offset` on, whichever sources they are in. */
  async read(offset: number, into: Uint8Array): Promise<void> {
    if (!(offset >= 0 && offset + into.length <= this.size)) {
      throw new RangeError(
        `Cannot read ${this.name} at byte ${offset}: ${into.length} bytes are not all there`,
      );
    }
    let filled = 0;
    while (filled < into.length) {
      const at = offset + filled;
      const index = this.starts.findLastIndex((start) => start <= at);
      const from = at - this.starts[index];
      const source = this.#sources[index];
      const end = Math.min(into.length, filled + source.size - from);
      await source.read(from, into.subarray(filled, end));
      filled = end;
    }
  }

  /** Closes all of them. */
  async close(): Promise<void> {
    for (const source of this.#sources) await source.close();
  }
}
