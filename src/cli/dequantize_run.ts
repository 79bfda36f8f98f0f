/**
 * Dequantizes the tensors of a file one window after another.
 *
 * @module
 */
import type { ByteSink } from "../files/bytes.ts";
import type { EncodedDtype } from "../files/floats.ts";
import type { TensorFile } from "../files/tensors.ts";
import { allocateSlots, settle } from "../stream/memory.ts";
import { readAhead } from "../stream/pipeline.ts";
import { type CastJob, castTensor, type HalfSlot, readCast } from "./cast.ts";
import { COPY_BYTES, type CopyJob, copyTensor, readCopy } from "./copy.ts";
import type { OutputPlan } from "./output.ts";
import type { Progress } from "./progress.ts";
import { largestRead, type Tensor } from "./tensors.ts";

/** Windows in memory: one is computed, one read, one written. */
const SLOTS = 3;

/** Values in a window: three of them are in memory, and halves beside them. */
const WINDOW_VALUES = 2 * 1024 * 1024;

/** What is needed to dequantize a file. */
export interface DequantizeRun {
  /** The input. */
  readonly file: TensorFile;
  /** What is dequantized. */
  readonly quantized: readonly Tensor[];
  /** What is copied. */
  readonly copied: readonly Tensor[];
  /** What values are written as. */
  readonly dtype: EncodedDtype;
  /** Where everything goes: what is dequantized first, then what is copied. */
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
  run: DequantizeRun,
  sink: ByteSink,
  progress: Pick<Progress, "add">,
): Promise<void> {
  const capacity = run.capacity ?? WINDOW_VALUES;
  const room = run.quantized.reduce(
    (most, tensor) => Math.max(most, largestRead(tensor, capacity)),
    run.copied.length > 0 ? COPY_BYTES / 4 : 0,
  );
  const slots: readonly HalfSlot[] = allocateSlots(SLOTS, room);
  await run.output.writeFrame(sink);
  const fill = (job: CastJob | CopyJob, slot: HalfSlot) =>
    job.kind === "copy"
      ? readCopy(job, run.file.source, slot, sink)
      : readCast(job, slot, sink);
  for await (
    const finish of readAhead(jobs(run, capacity, room), slots, fill)
  ) {
    const [name, bytes] = await finish();
    progress.add(bytes, name);
  }
  await settle(slots);
}

function* jobs(
  { file, quantized, copied, dtype, output }: DequantizeRun,
  capacity: number,
  room: number,
): Generator<CastJob | CopyJob, void> {
  for (const [index, tensor] of quantized.entries()) {
    const to = output.offsetOf(index);
    const wider = "use --to bf16 or --to f32";
    yield* castTensor(file, { tensor, dtype, wider }, to, capacity);
  }
  for (const [i, tensor] of copied.entries()) {
    const to = output.offsetOf(quantized.length + i);
    yield* copyTensor(tensor, () => to, 4 * room);
  }
}
