/**
 * Rings of buffers that let reading overlap with computing.
 *
 * With two buffers one is worked on while the other travels; a third hides
 * jitter. The caller owns the buffers, so memory use is what it chose.
 *
 * @module
 */
import type { ByteReader } from "./bytes.ts";

/** A stretch of a source in memory. */
export interface Chunk {
  /** Where it starts in the source. */
  readonly offset: number;
  /** The bytes; valid until the next chunk is asked for. */
  readonly bytes: Uint8Array;
}

/**
 * Runs `fill` ahead of the consumer: one job after another for each buffer.
 *
 * @param jobs What to fill buffers with, in order.
 * @param buffers The ring; with `n` buffers `n - 1` fills run ahead.
 * @param fill Starts filling a buffer.
 * @returns The results in order; a buffer is reused once the next result is asked for.
 */
export async function* readAhead<J, B, R>(
  jobs: Iterable<J>,
  buffers: readonly B[],
  fill: (job: J, buffer: B) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  if (buffers.length === 0) {
    throw new RangeError("Cannot read ahead without a buffer");
  }
  const pending: Promise<R>[] = [];
  const todo = jobs[Symbol.iterator]();
  const start = (buffer: B) => {
    const { done, value } = todo.next();
    if (done) return;
    const promise = fill(value, buffer);
    promise.catch(() => {}); // it surfaces where the result is awaited
    pending.push(promise);
  };
  try {
    for (const buffer of buffers) start(buffer);
    for (let turn = 0; pending.length > 0; turn++) {
      yield await pending.shift()!;
      start(buffers[turn % buffers.length]);
    }
  } finally {
    // Nothing may write into the caller's buffers after the loop was left.
    await Promise.allSettled(pending);
  }
}

/** The length that all buffers of a ring share. */
function ringStep(
  buffers: readonly { readonly length: number }[],
): number {
  const step = buffers[0]?.length ?? 0;
  if (step === 0 || buffers.some((buffer) => buffer.length !== step)) {
    throw new RangeError(
      "Cannot read in chunks: the buffers must have one length above 0",
    );
  }
  return step;
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
  source: ByteReader,
  start: number,
  end: number,
  buffers: readonly Uint8Array[],
): AsyncGenerator<Chunk, void, undefined> {
  const step = ringStep(buffers);
  yield* readAhead(steps(start, end, step), buffers, async (offset, buffer) => {
    const bytes = buffer.subarray(0, Math.min(step, end - offset));
    await source.read(offset, bytes);
    return { offset, bytes };
  });
}

/** Where each step of a range starts. */
export function* steps(
  start: number,
  end: number,
  step: number,
): Generator<number, void> {
  for (let at = start; at < end; at += step) yield at;
}
