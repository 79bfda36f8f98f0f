/**
 * Small tensors, which are quantized many at a time: those that lie together in
 * the file are read together, so that none of them costs a read or a turn of
 * the event loop.
 *
 * @module
 */
import { isDecodable } from "../files/floats.ts";
import { sizeOf } from "../numeric/shape.ts";
import type { QuantizeTask } from "./quantize_tasks.ts";
import { isQuantized } from "./tensors.ts";

/** Bytes that are read for a batch at most, with what lies between its tensors. */
export const BATCH_BYTES: number = 1024 * 1024;
/** Larger tensors are worth a read of their own. */
const SMALL_BYTES = 64 * 1024;

/** Small tensors that lie in one stretch of the file. */
export interface BatchJob {
  /** Tells it from other jobs. */
  readonly kind: "batch";
  /** What is done with them, in the order of the file. */
  readonly tasks: readonly QuantizeTask[];
  /** Where the stretch starts. */
  readonly offset: number;
  /** Its bytes. */
  readonly byteLength: number;
}

/** Whether a tensor is done in a batch where windows have at most `capacity` values. */
export function isSmall(
  { tensor, layout, repacked, matrices }: QuantizeTask,
  capacity: number,
): boolean {
  return tensor.byteLength <= SMALL_BYTES && !repacked && !matrices &&
    !isQuantized(tensor) && !tensor.scales && !tensor.swapped &&
    isDecodable(tensor.entries[0]) &&
    sizeOf(layout.shape) <= capacity;
}

/**
 * Cuts tasks in batches and in tasks that stand alone, in their order.
 *
 * @param tasks The tasks, in the order of the file.
 * @param capacity Values of a window at most.
 */
export function* batchesOf(
  tasks: Iterable<QuantizeTask>,
  capacity: number,
): Generator<BatchJob | QuantizeTask, void> {
  let batch: QuantizeTask[] = [];
  for (const task of tasks) {
    const small = isSmall(task, capacity);
    if (batch.length > 0 && !(small && isNear(batch[0], task))) {
      yield batchOf(batch);
      batch = [];
    }
    if (small) batch.push(task);
    else yield task;
  }
  if (batch.length > 0) yield batchOf(batch);
}

function isNear(first: QuantizeTask, { tensor }: QuantizeTask): boolean {
  const end = tensor.entries[0].offset + tensor.byteLength;
  return end - first.tensor.entries[0].offset <= BATCH_BYTES;
}

function batchOf(tasks: readonly QuantizeTask[]): BatchJob {
  const { offset } = tasks[0].tensor.entries[0];
  const { tensor } = tasks[tasks.length - 1];
  const byteLength = tensor.entries[0].offset + tensor.byteLength - offset;
  return { kind: "batch", tasks, offset, byteLength };
}
