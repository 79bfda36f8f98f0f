/**
 * Tensors that are copied byte for byte.
 *
 * @module
 */
import type { ByteSink, ByteSource } from "../files/bytes.ts";

/** A stretch of bytes on its way from one file to another. */
export interface CopyJob {
  /** Tells it from other jobs. */
  readonly kind: "copy";
  /** The tensor. */
  readonly name: string;
  /** Offset in the input. */
  readonly from: number;
  /** Offset in the output. */
  readonly to: number;
  /** How many bytes. */
  readonly count: number;
}

/** Cuts a range in stretches that fit in memory. */
export function* copyJobs(
  name: string,
  from: number,
  to: number,
  byteLength: number,
  room: number,
): Generator<CopyJob, void> {
  for (let at = 0; at < byteLength; at += room) {
    const count = Math.min(room, byteLength - at);
    yield { kind: "copy", name, from: from + at, to: to + at, count };
  }
}

/** Reads a stretch into memory. Returns what writes it. */
export async function readCopy(
  { from, to, count }: CopyJob,
  source: ByteSource,
  memory: Uint8Array,
): Promise<(sink: ByteSink) => Promise<void>> {
  const bytes = memory.subarray(0, count);
  await source.read(from, bytes);
  return (sink) => sink.write(to, bytes);
}
