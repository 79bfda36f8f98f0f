/**
 * Tensors that are copied byte for byte.
 *
 * @module
 */
import type { ByteSink, ByteSource } from "../files/bytes.ts";
import type { TensorEntry } from "../files/tensors.ts";
import { bytesOf, leaveBusy, type Slot } from "../stream/memory.ts";
import type { Tensor } from "./tensors.ts";

/** A piece that has been read. Finishing it returns whose bytes they were, and how many. */
export type Finish = () => Promise<[name: string, bytes: number]>;

/** Copies are cut in stretches of this many bytes at least. */
export const COPY_BYTES: number = 1024 * 1024;

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

/**
 * The jobs that copy a tensor, all of its parts.
 *
 * @param tensor The tensor.
 * @param offsetOf Where the tensor goes, or a part of it.
 * @param room Bytes of a stretch at most.
 * @returns The jobs.
 */
export function* copyTensor(
  { name, entries, quantized }: Tensor,
  offsetOf: (part?: string) => number,
  room: number,
): Generator<CopyJob, void> {
  const parts: Iterable<[string | undefined, TensorEntry]> = quantized?.parts ??
    [[undefined, entries[0]]];
  for (const [part, { offset, byteLength }] of parts) {
    yield* copyJobs(name, offset, offsetOf(part), byteLength, room);
  }
}

/**
 * Reads a stretch into a slot.
 *
 * @param job The stretch.
 * @param source The input.
 * @param slot Where to.
 * @param sink Where it goes from there.
 * @returns Starts writing it.
 */
export async function readCopy(
  { name, from, to, count }: CopyJob,
  source: ByteSource,
  slot: Slot,
  sink: ByteSink,
): Promise<Finish> {
  await slot.busy;
  const bytes = bytesOf(slot.values).subarray(0, count);
  await source.read(from, bytes);
  return () => {
    leaveBusy(slot, sink.write(to, bytes));
    return Promise.resolve([name, count]);
  };
}
