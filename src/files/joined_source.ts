/**
 * Several sources read as one.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";

/**
 * Puts sources one after the other.
 *
 * @param name What to call the whole in messages.
 * @param sources The sources; they are closed with the result.
 * @returns The whole, and where each of them starts in it.
 */
export function joinSources(
  name: string,
  sources: readonly ByteSource[],
): { source: ByteSource; starts: readonly number[] } {
  const starts: number[] = [];
  let size = 0;
  for (const source of sources) {
    starts.push(size);
    size += source.size;
  }
  return { source: new JoinedSource(name, size, sources, starts), starts };
}

/** Several sources, one after the other. */
export class JoinedSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #sources: readonly ByteSource[];
  readonly #starts: readonly number[];

  constructor(
    name: string,
    size: number,
    sources: readonly ByteSource[],
    starts: readonly number[],
  ) {
    this.name = name;
    this.size = size;
    this.#sources = sources;
    this.#starts = starts;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    if (!(offset >= 0 && offset + into.length <= this.size)) {
      throw new RangeError(
        `Cannot read ${this.name} at byte ${offset}: ${into.length} bytes are not all there`,
      );
    }
    let filled = 0;
    while (filled < into.length) {
      const at = offset + filled;
      const index = this.indexAt(at);
      const from = at - this.#starts[index];
      const source = this.#sources[index];
      const end = Math.min(into.length, filled + source.size - from);
      await source.read(from, into.subarray(filled, end));
      filled = end;
    }
  }

  /** The number of the source that the byte at `offset` is in. */
  indexAt(offset: number): number {
    return this.#starts.findLastIndex((start) => start <= offset);
  }

  async close(): Promise<void> {
    for (const source of this.#sources) await source.close();
  }
}
