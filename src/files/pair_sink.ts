/**
 * Two files written as if they were one: the second after the end of the first.
 *
 * @module
 */
import type { ByteSink, Leftover } from "./bytes.ts";

/** A file, and one beside it that it needs. */
export class PairSink implements ByteSink {
  readonly name: string;
  readonly leftovers: readonly Leftover[];
  readonly #first: ByteSink;
  readonly #size: number;
  readonly #beside: ByteSink;

  /** Takes over both sinks; what lies beyond `size` goes to the second. */
  constructor(first: ByteSink, size: number, beside: ByteSink) {
    this.name = first.name;
    this.leftovers = [...first.leftovers ?? [], ...beside.leftovers ?? []];
    this.#first = first;
    this.#size = size;
    this.#beside = beside;
  }

  write(offset: number, bytes: Uint8Array): Promise<void> | undefined {
    return offset < this.#size
      ? this.#first.write(offset, bytes)
      : this.#beside.write(offset - this.#size, bytes);
  }

  /** The first file appears last: where it is, the other is, too. */
  async commit(): Promise<void> {
    await this.#beside.commit();
    await this.#first.commit();
  }

  async abort(): Promise<void> {
    await this.#beside.abort();
    await this.#first.abort();
  }
}
