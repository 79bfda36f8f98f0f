/**
 * Tensors whose values are written as another dtype, window by window.
 *
 * @module
 */
import type { ByteSink } from "../files/bytes.ts";
import { quote } from "../files/errors.ts";
import type { EncodedDtype } from "../files/floats.ts";
import {
  encodeHalves,
  firstBeyondF16,
  type HalfDtype,
} from "../files/halves.ts";
import type { TensorFile } from "../files/tensors.ts";
import { dtypeBytes } from "../numeric/dtypes.ts";
import { F16_OVERFLOW } from "../numeric/f16.ts";
import { bytesOf, leaveBusy, type Slot } from "../stream/memory.ts";
import { writeRange } from "../stream/strided.ts";
import type { Values } from "../stream/values.ts";
import { hasWholeRows, type Window } from "../words/window.ts";
import type { Finish } from "./copy.ts";
import { openValues, shareOf, type Tensor } from "./tensors.ts";

/** A window of values on its way to another dtype. */
export interface CastJob {
  /** Tells it from other jobs. */
  readonly kind: "cast";
  /** What is cast. */
  readonly tensor: Tensor;
  /** What it is written as. */
  readonly dtype: EncodedDtype;
  /** Where its first value goes. */
  readonly to: number;
  /** What reads it. */
  readonly values: Values;
  /** The window. */
  readonly window: Window;
}

/** What is cast: a tensor, and what it becomes. */
export interface Cast {
  /** The tensor; its values can be read. */
  readonly tensor: Tensor;
  /** What it is written as. */
  readonly dtype: EncodedDtype;
}

/**
 * The jobs that cast a tensor.
 *
 * @param file What it is in.
 * @param cast The tensor, and its new dtype.
 * @param to Where its first value goes.
 * @param capacity Values of a window at most, where nothing forces more.
 * @returns The jobs.
 */
export function* castTensor(
  file: TensorFile,
  cast: Cast,
  to: number,
  capacity: number,
): Generator<CastJob, void> {
  const values = openValues(file, cast.tensor);
  for (const window of values.windows(capacity)) {
    yield { kind: "cast", ...cast, to, values, window };
  }
}

/** Memory of a window, and of its values as halves. */
export interface HalfSlot extends Slot {
  /** Room for as many halves as the slot has values; none where all is float32. */
  halves?: Uint16Array;
}

/**
 * Reads a window into a slot.
 *
 * @param job The window.
 * @param slot Where to.
 * @param sink Where it goes from there.
 * @returns Casts it, and starts writing it.
 */
export async function readCast(
  job: CastJob,
  slot: HalfSlot,
  sink: ByteSink,
): Promise<Finish> {
  const { tensor, dtype, to, values: source, window } = job;
  const decode = await source.read(window, source.matrix, slot);
  const { row, rows, column, columns } = window;
  return () => {
    const values = decode();
    const all = source.matrix.columns;
    const bytes = dtype === "F32"
      ? bytesOf(values)
      : encodeWindow(values, dtype, job, slot);
    const width = dtypeBytes(dtype);
    const length = columns * width;
    const range = {
      offset: (row * all + column) * width,
      length: hasWholeRows(window, source.matrix) ? rows * length : length,
      stride: all * width,
      count: hasWholeRows(window, source.matrix) ? 1 : rows,
    };
    leaveBusy(slot, writeRange(sink, to, range, bytes));
    return Promise.resolve([tensor.name, shareOf(tensor, window)]);
  };
}

/** Encodes a window into its slot. Throws a RangeError at a value that float16 has no number for. */
function encodeWindow(
  values: Float32Array,
  dtype: HalfDtype,
  job: CastJob,
  slot: HalfSlot,
): Uint8Array {
  const halves = slot.halves ??= new Uint16Array(slot.values.length);
  const largest = encodeHalves(values, dtype, halves);
  if (dtype === "F16" && !(largest < F16_OVERFLOW)) rejectBeyond(values, job);
  return bytesOf(halves.subarray(0, values.length));
}

/** NaN and infinity, which a file may hold, are numbers of float16 too. */
function rejectBeyond(
  values: Float32Array,
  { tensor: { name }, values: { matrix }, window }: CastJob,
): void {
  const at = firstBeyondF16(values);
  if (at < 0) return;
  const { row, column, columns } = window;
  throw new RangeError(
    `Cannot write tensor ${quote(name)} as f16: ${values[at]} at index ${
      (row + Math.floor(at / columns)) * matrix.columns + column + at % columns
    } is beyond 65504; pass --cast ${name}=BF16`,
  );
}
