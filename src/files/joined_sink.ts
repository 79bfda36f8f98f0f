/**
 * Several outputs that appear together, written as one.
 *
 * @module
 */
import type { ByteSink, Leftover } from "./bytes.ts";

/**
 * Commits several outputs: all are complete before the first has its name, and
 * where one cannot have it, those before it lose theirs again, unless they
 * replaced something.
 *
 * @param sinks The outputs.
 */
export async function commitAll(sinks: readonly ByteSink[]): Promise<void> {
  for (const sink of sinks) await sink.complete?.();
  const done: ByteSink[] = [];
  try {
    for (const sink of sinks) {
      await sink.commit();
      done.push(sink);
    }
  } catch (error) {
    for (const sink of done) await sink.retract?.();
    throw error;
  }
}

/**
 * An output that appears together with another one.
 *
 * @param sink The output.
 * @param beside The other one, which has all its bytes.
 * @returns The output, which commits and aborts both.
 */
export function together(sink: ByteSink, beside: ByteSink): ByteSink {
  const { leftovers = [] } = sink, { leftovers: others = [] } = beside;
  return {
    name: sink.name,
    leftovers: [...leftovers, ...others],
    write: (offset, bytes) => sink.write(offset, bytes),
    commit: () => commitAll([beside, sink]),
    async abort() {
      await beside.abort();
      await sink.abort();
    },
  };
}

/** Outputs one after the other, as one. */
export class JoinedSink implements ByteSink {
  readonly name: string;
  readonly #sinks: readonly ByteSink[];
  readonly #starts: readonly number[];
  /** The number of the output that was written last. */
  #last = 0;

  /**
   * @param name What to call the whole in messages.
   * @param sinks The outputs.
   * @param starts Where the first byte of each is in the whole.
   */
  constructor(
    name: string,
    sinks: readonly ByteSink[],
    starts: readonly number[],
  ) {
    this.name = name;
    this.#sinks = sinks;
    this.#starts = starts;
  }

  get leftovers(): readonly Leftover[] {
    return this.#sinks.flatMap(({ leftovers = [] }) => leftovers);
  }

  /** Writes bytes that are all in one of the outputs. */
  write(offset: number, bytes: Uint8Array): Promise<void> | undefined {
    let low = 0, high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    // Outputs are written one after the other: the disk need not wait for the end.
    if (low !== this.#last) this.#sinks[this.#last].settle?.();
    this.#last = low;
    return this.#sinks[low].write(offset - this.#starts[low], bytes);
  }

  commit(): Promise<void> {
    return commitAll(this.#sinks);
  }

  async abort(): Promise<void> {
    for (const sink of this.#sinks) await sink.abort();
  }
}
