/**
 * Dequantizes the tensors of a file one piece after another.
 *
 * @module
 */
import { measureMagnitude } from "../families/grouped.ts";
import type { ByteSink } from "../files/bytes.ts";
import { quote } from "../files/errors.ts";
import { type EncodedDtype, encodeFloats } from "../files/floats.ts";
import { readAhead } from "../files/pipeline.ts";
import type { TensorFile } from "../files/tensors.ts";
import { dtypeBytes } from "../numeric/dtypes.ts";
import { firstNonFinite } from "../numeric/finite.ts";
import {
  COPY_BYTES,
  type CopyJob,
  copyTensor,
  type Finish,
  readCopy,
} from "./copy.ts";
import type { OutputPlan } from "./output.ts";
import { cut, type Piece, PIECE_VALUES, roomFor } from "./pieces.ts";
import type { Progress } from "./progress.ts";
import {
  allocateSlots,
  leaveBusy,
  settle,
  type Slot,
  type Tensor,
  ValueReader,
} from "./values.ts";

/** Pieces in memory: one is computed, one read, one written. */
const SLOTS = 3;

/** Values in a piece: three of them are in memory, and halves beside them. */
const DEQUANTIZED_VALUES = PIECE_VALUES / 2;

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
  /** Where everything goes. */
  readonly output: OutputPlan;
  /** Values in a piece; for tests. */
  readonly capacity?: number;
}

interface ValueJob {
  readonly kind: "dequantize";
  readonly reader: ValueReader;
  readonly piece: Piece;
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
 * @param progress Told of every piece.
 */
export async function runDequantize(
  run: DequantizeRun,
  sink: ByteSink,
  progress: Pick<Progress, "add">,
): Promise<void> {
  const capacity = run.capacity ?? DEQUANTIZED_VALUES;
  const readers = run.quantized.map((tensor) =>
    new ValueReader(run.file, tensor, capacity)
  );
  const room = readers.reduce(
    (most, { tensor, grain }) =>
      Math.max(most, roomFor(tensor.shape, capacity, grain)),
    run.copied.length > 0 ? COPY_BYTES / 4 : 0,
  );
  const slots: HalfSlot[] = allocateSlots(SLOTS, room).map((slot) => ({
    ...slot,
    halves: new Uint16Array(run.dtype === "F32" ? 0 : room),
  }));
  await run.output.writeFrame(sink);
  const fill = (job: ValueJob | CopyJob, slot: HalfSlot) =>
    job.kind === "copy"
      ? readCopy(job, run.file.source, slot, sink)
      : read(run, job, slot, sink);
  for await (
    const finish of readAhead(jobs(run, readers, capacity, room), slots, fill)
  ) {
    const [name, bytes] = await finish();
    progress.add(bytes, name);
  }
  await settle(slots);
}

function* jobs(
  { copied, output }: DequantizeRun,
  readers: readonly ValueReader[],
  capacity: number,
  room: number,
): Generator<ValueJob | CopyJob, void> {
  for (const reader of readers) {
    for (const piece of cut(reader.tensor.shape, capacity, reader.grain)) {
      yield { kind: "dequantize", reader, piece };
    }
  }
  for (const tensor of copied) {
    const to = output.offsetOf(tensor.name);
    yield* copyTensor(tensor, () => to, 4 * room);
  }
}

async function read(
  { dtype, output }: DequantizeRun,
  { reader, piece }: ValueJob,
  slot: HalfSlot,
  sink: ByteSink,
): Promise<Finish> {
  const decode = await reader.read(piece, slot);
  const { name } = reader.tensor;
  return () => {
    const values = decode();
    if (dtype === "F16") checkF16(values, name, piece);
    const bytes = encodeFloats(values, dtype, slot.halves);
    const width = dtypeBytes(dtype);
    const start = output.offsetOf(name) + piece.first * width;
    leaveBusy(slot, sink.write(start, bytes));
    return Promise.resolve([name, reader.bytesOf(piece)]);
  };
}

/** Throws a RangeError at a value that float16 has no number for. */
function checkF16(values: Float32Array, name: string, { first }: Piece): void {
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
      first + at
    } is beyond 65504; use --to bf16 or --to f32`,
  );
}
