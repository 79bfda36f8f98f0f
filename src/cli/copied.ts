/**
 * Tensors that are not quantized: copied byte for byte, or cast.
 *
 * @module
 */
import type { ByteSink } from "../files/bytes.ts";
import type { TensorFile } from "../files/tensors.ts";
import { type CastJob, castTensor, type HalfSlot, readCast } from "./cast.ts";
import {
  COPY_BYTES,
  type CopyJob,
  copyTensor,
  type Finish,
  readCopy,
} from "./copy.ts";
import type { OutputPlan } from "./output.ts";
import type { CopyTask } from "./quantize_tasks.ts";
import { largestRead } from "./tensors.ts";

/** A piece of a tensor that is not quantized. */
export type CopiedJob = CopyJob | CastJob;

/** Float32 that a slot needs to hold any piece. */
export function roomForCopied(
  tasks: readonly CopyTask[],
  capacity: number,
): number {
  return tasks.reduce(
    (most, { tensor, cast }) =>
      Math.max(most, cast ? largestRead(tensor, capacity) : COPY_BYTES / 4),
    0,
  );
}

/**
 * The jobs of tensors that are not quantized.
 *
 * @param file The input.
 * @param tasks The tensors.
 * @param output Where they go.
 * @param capacity Float32 of a piece at most, where nothing forces more.
 * @returns The jobs.
 */
export function* copiedJobs(
  file: TensorFile,
  tasks: readonly CopyTask[],
  output: OutputPlan,
  capacity: number,
): Generator<CopiedJob, void> {
  for (const { tensor, index, cast } of tasks) {
    const to = (part?: string) => output.offsetOf(index, part);
    if (!cast) {
      yield* copyTensor(tensor, to, 4 * capacity);
      continue;
    }
    const wider = `pass --cast ${tensor.name}=BF16`;
    const what = { tensor, dtype: cast, wider };
    yield* castTensor(file, what, to(), capacity);
  }
}

/**
 * Reads a piece into a slot.
 *
 * @param job The piece.
 * @param file The input.
 * @param slot Where to.
 * @param sink Where it goes from there.
 * @returns Starts writing it.
 */
export function readCopied(
  job: CopiedJob,
  { source }: TensorFile,
  slot: HalfSlot,
  sink: ByteSink,
): Promise<Finish> {
  return job.kind === "cast"
    ? readCast(job, slot, sink)
    : readCopy(job, source, slot, sink);
}
