/**
 * Dequantizes the tensors of a file one window after another.
 *
 * @module
 */
import type { ByteSink } from "../files/bytes.ts";
import { quote } from "../files/errors.ts";
import { type EncodedDtype, encodeFloats } from "../files/floats.ts";
import type { TensorFile } from "../files/tensors.ts";
import { measureMagnitude } from "../kernels/grouped.ts";
import { dtypeBytes } from "../numeric/dtypes.ts";
import { firstNonFinite } from "../numeric/finite.ts";
import {
  allocateSlots,
  leaveBusy,
  settle,
  type Slot,
} from "../stream/memory.ts";
import { readAhead } from "../stream/pipeline.ts";
import { writeRange } from "../stream/strided.ts";
import type { Values } from "../stream/values.ts";
import { hasWholeRows, type Window } from "../words/window.ts";
import {
  COPY_BYTES,
  type CopyJob,
  copyTensor,
  type Finish,
  readCopy,
} from "./copy.ts";
import type { OutputPlan } from "./output.ts";
import type { Progress } from "./progress.ts";
import { largestRead, openValues, shareOf, type Tensor } from "./tensors.ts";

/** Windows in memory: one is computed, one read, one written. */
const SLOTS = 3;

/** Values in a window: three of them are in memory, and halves beside them. */
const WINDOW_VALUES = 2 * 1024 * 1024;

/** Everything from here on is infinite as a float16. */
const F16_OVERFLOW = 65520;

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

interface WindowJob {
  readonly kind: "dequantize";
  readonly tensor: Tensor;
  /** Its number in the output. */
  readonly index: number;
  readonly values: Values;
  readonly window: Window;
}

interface HalfSlot extends Slot {
  /** Room for the values as halves. */
  readonly halves: Uint16Array;
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
  const slots: HalfSlot[] = allocateSlots(SLOTS, room).map((slot) => ({
    ...slot,
    halves: new Uint16Array(run.dtype === "F32" ? 0 : room),
  }));
  await run.output.writeFrame(sink);
  const fill = (job: WindowJob | CopyJob, slot: HalfSlot) =>
    job.kind === "copy"
      ? readCopy(job, run.file.source, slot, sink)
      : read(run, job, slot, sink);
  for await (
    const finish of readAhead(jobs(run, capacity, room), slots, fill)
  ) {
    const [name, bytes] = await finish();
    progress.add(bytes, name);
  }
  await settle(slots);
}

function* jobs(
  { file, quantized, copied, output }: DequantizeRun,
  capacity: number,
  room: number,
): Generator<WindowJob | CopyJob, void> {
  for (const [index, tensor] of quantized.entries()) {
    const values = openValues(file, tensor);
    for (const window of values.windows(capacity)) {
      yield { kind: "dequantize", tensor, index, values, window };
    }
  }
  for (const [i, tensor] of copied.entries()) {
    const to = output.offsetOf(quantized.length + i);
    yield* copyTensor(tensor, () => to, 4 * room);
  }
}

async function read(
  { dtype, output }: DequantizeRun,
  { tensor, index, values: source, window }: WindowJob,
  slot: HalfSlot,
  sink: ByteSink,
): Promise<Finish> {
  const decode = await source.read(window, source.matrix, slot);
  const { name } = tensor, { row, rows, column, columns } = window;
  return () => {
    const values = decode();
    const all = source.matrix.columns;
    if (dtype === "F16") checkF16(values, name, window, all);
    const bytes = encodeFloats(values, dtype, slot.halves);
    const width = dtypeBytes(dtype);
    const length = columns * width;
    const range = {
      offset: (row * all + column) * width,
      length: hasWholeRows(window, source.matrix) ? rows * length : length,
      stride: all * width,
      count: hasWholeRows(window, source.matrix) ? 1 : rows,
    };
    const write = writeRange(sink, output.offsetOf(index), range, bytes);
    leaveBusy(slot, write);
    return Promise.resolve([name, shareOf(tensor, window)]);
  };
}

/** Throws a RangeError at a value that float16 has no number for. */
function checkF16(
  values: Float32Array,
  name: string,
  { row, column, columns }: Window,
  all: number,
): void {
  // NaN and infinity, which a file may hold, are numbers of float16 too.
  if (firstNonFinite(values) < 0 && measureMagnitude(values) < F16_OVERFLOW) {
    return;
  }
  const at = values.findIndex((x) =>
    Number.isFinite(x) && Math.abs(x) >= F16_OVERFLOW
  );
  if (at < 0) return;
  throw new RangeError(
    `Cannot write tensor ${quote(name)} as f16: ${values[at]} at index ${
      (row + Math.floor(at / columns)) * all + column + at % columns
    } is beyond 65504; use --to bf16 or --to f32`,
  );
}
