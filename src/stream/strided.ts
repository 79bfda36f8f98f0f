/**
 * Bytes at regular distances in files: read together, written apart.
 *
 * @module
 */
import { gather } from "../layouts/runs.ts";
import type { StridedRange } from "../words/layout.ts";
import type { ByteReader, ByteWriter } from "./bytes.ts";

/** Runs this far apart or less are read along with what lies between them. */
const NEAR_BYTES = 64 * 1024;
/** Bytes that are read at once to take runs out of. */
const SPAN_BYTES = 1024 * 1024;
/** Runs that travel at the same time. */
const AT_ONCE = 16;

/**
 * Reads runs of a file.
 *
 * @param source The file.
 * @param start Where offset 0 of the range is.
 * @param range The runs.
 * @param to Receives them without gaps.
 */
export async function readRange(
  source: ByteReader,
  start: number,
  range: StridedRange,
  to: Uint8Array,
): Promise<void> {
  const { offset, length, stride, count } = range;
  if (count === 0) return;
  if (count === 1) return await source.read(start + offset, to);
  if (stride <= NEAR_BYTES) return await readNear(source, start, range, to);
  await inTurns(count, (i) =>
    source.read(
      start + offset + i * stride,
      to.subarray(i * length, (i + 1) * length),
    ));
}

/** Reads runs with what lies between them. */
async function readNear(
  source: ByteReader,
  start: number,
  { offset, length, stride, count }: StridedRange,
  to: Uint8Array,
): Promise<void> {
  const most = Math.max(1, Math.floor(SPAN_BYTES / stride));
  const span = new Uint8Array((Math.min(most, count) - 1) * stride + length);
  for (let first = 0; first < count; first += most) {
    const n = Math.min(most, count - first);
    const bytes = span.subarray(0, (n - 1) * stride + length);
    await source.read(start + offset + first * stride, bytes);
    const runs = { offset: 0, length, stride, count: n };
    gather(bytes, runs, to.subarray(first * length));
  }
}

/**
 * Writes runs to a file.
 *
 * @param sink The file.
 * @param start Where offset 0 of the range is.
 * @param range The runs.
 * @param from All of them, without gaps.
 * @returns A promise where something has to be waited for; undefined where it is done.
 */
export function writeRange(
  sink: ByteWriter,
  start: number,
  { offset, length, stride, count }: StridedRange,
  from: Uint8Array,
): Promise<void> | undefined {
  if (count === 0) return undefined;
  if (count === 1) return sink.write(start + offset, from);
  return inTurns(count, (i) =>
    sink.write(
      start + offset + i * stride,
      from.subarray(i * length, (i + 1) * length),
    ));
}

async function inTurns(
  count: number,
  work: (i: number) => Promise<void> | undefined,
): Promise<void> {
  for (let first = 0; first < count; first += AT_ONCE) {
    const last = Math.min(count, first + AT_ONCE);
    const working: (Promise<void> | undefined)[] = [];
    for (let i = first; i < last; i++) working.push(work(i));
    // Nothing may touch the memory after this has failed.
    for (const result of await Promise.allSettled(working)) {
      if (result.status === "rejected") throw result.reason;
    }
  }
}
