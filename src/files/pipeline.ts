/**
 * Rings of buffers that let reading and writing overlap with computing.
 *
 * With two buffers one is worked on while the other travels; a third hides
 * jitter. The caller owns the buffers, so memory use is what it chose.
 *
 * @module
 */
import type { ByteSink, ByteSource } from "./bytes.ts";

/** A stretch of a source in memory. */
export interface Chunk {
  /** Where it starts in the source. */
  readonly offset: number;
  /** The bytes; valid until the next chunk is asked for. */
  readonly bytes: Uint8Array;
}

/**
 * Runs `fill` ahead of the consumer, one call after another for each buffer.
 *
 * @param count How many fills there are.
 * @param buffers The ring; with `n` buffers `n - 1` fills run ahead.
 * @param fill Starts the `index`-th fill of a buffer.
 * @returns The results in order; each buffer is reused once the next result is asked for.
 */
export async function* readAhead<B, R>(
  count: number,
  buffers: readonly B[],
  fill: (index: number, buffer: B) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  if (buffers.length === 0) {
    throw new RangeError("Cannot read ahead without a buffer");
  }
  const pending: Promise<R>[] = [];
  let started = 0;
  const start = () => {
    const promise = fill(started, buffers[started % buffers.length]);
    promise.catch(() => {}); // it surfaces where the result is awaited
    pending.push(promise);
    started++;
  };
  try {
    while (started < Math.min(count, buffers.length)) start();
    for (let index = 0; index < count; index++) {
      yield await pending.shift()!;
      if (started < count) start();
    }
  } finally {
    // Nothing may write into the caller's buffers after the loop was left.
    await Promise.allSettled(pending);
  }
}

/**
 * Reads a range of a source in pieces as large as the buffers.
 *
 * @param source Where to read.
 * @param start Offset of the first byte.
 * @param end Offset behind the last byte.
 * @param buffers The ring, all of one length.
 * @returns The chunks in order.
 */
export async function* chunks(
  source: ByteSource,
  start: number,
  end: number,
  buffers: readonly Uint8Array[],
): AsyncGenerator<Chunk, void, undefined> {
  const step = buffers[0]?.length ?? 0;
  if (step === 0 || buffers.some((buffer) => buffer.length !== step)) {
    throw new RangeError(
      "Cannot read in chunks: the buffers must have one length above 0",
    );
  }
  const count = Math.ceil((end - start) / step);
  yield* readAhead(count, buffers, async (index, buffer) => {
    const offset = start + index * step;
    const bytes = buffer.subarray(0, Math.min(step, end - offset));
    await source.read(offset, bytes);
    return { offset, bytes };
  });
}

/** A ring of buffers on their way into a sink: take one, fill it, put it. */
export class WriteBehind<B> {
  readonly #sink: ByteSink;
  readonly #ring: { buffer: B; written: Promise<void> }[];
  #turn = 0;

  /** Writes to `sink` from `buffers`; with `n` buffers `n - 1` writes run behind. */
  constructor(sink: ByteSink, buffers: readonly B[]) {
    this.#sink = sink;
    this.#ring = buffers.map((buffer) => ({
      buffer,
      written: Promise.resolve(),
    }));
  }

  /** The next buffer of the ring, free again. Rejects when its last write failed. */
  async take(): Promise<B> {
    const slot = this.#ring[this.#turn];
    await slot.written;
    return slot.buffer;
  }

  /** Starts writing `bytes`, which lie in the buffer taken last, and moves on in the ring. */
  put(offset: number, bytes: Uint8Array): void {
    const slot = this.#ring[this.#turn];
    slot.written = this.#sink.write(offset, bytes);
    slot.written.catch(() => {}); // it surfaces at take or flush
    this.#turn = (this.#turn + 1) % this.#ring.length;
  }

  /** Waits until everything is written; rejects with the first failure. */
  async flush(): Promise<void> {
    const settled = await Promise.allSettled(
      this.#ring.map((slot) => slot.written),
    );
    for (const result of settled) {
      if (result.status === "rejected") throw result.reason;
    }
  }
}
