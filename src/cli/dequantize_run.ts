/**
 * Dequantizes the tensors of a file one window after another.
 *
 * @module
 */
import type { ByteSink } from "../files/bytes.ts";
import type { TensorFile } from "../files/tensors.ts";
import { allocateSlots, settle } from "../stream/memory.ts";
import { readAhead } from "../stream/pipeline.ts";
import type { HalfSlot } from "./cast.ts";
import {
  type CopiedJob,
  copiedJobs,
  type CopiedTask,
  readCopied,
  roomForCopied,
} from "./copied.ts";
import type { OutputPlan } from "./output.ts";
import type { Progress } from "./progress.ts";

/** Windows in memory: one is computed, one read, one written. */
const SLOTS = 3;

/** Values in a window: three of them are in memory, and halves beside them. More only takes longer to be given by the system, for files of a hundred megabytes a third of the time. */
const WINDOW_VALUES = 512 * 1024;

/** What is needed to dequantize a file. */
export interface DequantizeRun {
  /** The input. */
  readonly file: TensorFile;
  /** What becomes of its tensors. */
  readonly tasks: readonly CopiedTask[];
  /** Where everything goes. */
  readonly output: OutputPlan;
  /** Values in a window; for tests. */
  readonly capacity?: number;
}

/**
 * Dequantizes and copies everything of a file.
 *
 * @param run What to do.
 * @param sink Where to.
 * @param progress Told of every window.
 */
export async function runDequantize(
  { file, tasks, output, capacity = WINDOW_VALUES }: DequantizeRun,
  sink: ByteSink,
  progress: Pick<Progress, "add">,
): Promise<void> {
  const room = roomForCopied(tasks, capacity);
  const slots: readonly HalfSlot[] = allocateSlots(SLOTS, room);
  await output.writeFrame(sink);
  const jobs = copiedJobs(file, tasks, output, capacity, room);
  const fill = (job: CopiedJob, slot: HalfSlot) =>
    readCopied(job, file, slot, sink);
  for await (const finish of readAhead(jobs, slots, fill)) {
    const [name, bytes] = await finish();
    progress.add(bytes, name);
  }
  await settle(slots);
}
