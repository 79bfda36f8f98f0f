/**
 * Tensors that are not quantized: copied byte for byte, or cast.
 *
 * @module
 */
import type { ByteSink } from "../files/bytes.ts";
import type { EncodedDtype } from "../files/floats.ts";
import type { TensorFile } from "../files/tensors.ts";
import { type CastJob, castTensor, type HalfSlot, readCast } from "./cast.ts";
import {
  COPY_BYTES,
  type CopyJob,
  copyTensor,
  type Finish,
  readCopy,
} from "./copy.ts";
import {
  castElements,
  ELEMENTS_ROOM,
  type ElementsJob,
  readElements,
} from "./elements.ts";
import type { OutputPlan } from "./output.ts";
import type { CopyTask } from "./quantize_tasks.ts";
import { hasValues, largestRead } from "./tensors.ts";

/** A tensor that is not quantized. */
export type CopiedTask = Pick<CopyTask, "index" | "tensor" | "cast">;

/** A piece of a tensor that is not quantized. */
export type CopiedJob = CopyJob | CastJob | ElementsJob;

/** Float32 that a slot needs to hold any piece. */
export function roomForCopied(
  tasks: readonly CopiedTask[],
  capacity: number,
): number {
  return tasks.reduce(
    (most, { tensor, cast }) =>
      Math.max(
        most,
        COPY_BYTES / 4,
        ELEMENTS_ROOM,
        cast ? largestRead(tensor, capacity) : 0,
      ),
    0,
  );
}

/**
 * The jobs of tensors that are not quantized.
 *
 * @param file The input.
 * @param tasks The tensors.
 * @param output Where they go.
 * @param capacity Values of a window that is cast at most, where nothing forces more.
 * @param room Float32 that a slot holds.
 * @returns The jobs.
 */
export function* copiedJobs(
  file: TensorFile,
  tasks: readonly CopiedTask[],
  output: OutputPlan,
  capacity: number,
  room: number,
): Generator<CopiedJob, void> {
  for (const { tensor, index, cast } of tasks) {
    const to = (part?: string) => output.offsetOf(index, part);
    if (!cast) yield* copyTensor(tensor, to, 4 * room);
    else if (!hasValues(tensor) || cast === "F64") {
      yield* castElements(tensor, cast, to());
    } else {
      const dtype = cast as EncodedDtype;
      yield* castTensor(file, { tensor, dtype }, to(), capacity);
    }
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
  switch (job.kind) {
    case "cast":
      return readCast(job, slot, sink);
    case "elements":
      return readElements(job, source, slot, sink);
    case "copy":
      return readCopy(job, source, slot, sink);
  }
}
