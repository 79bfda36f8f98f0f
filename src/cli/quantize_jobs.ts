/**
 * The pieces of work that quantizing a file is cut in.
 *
 * @module
 */
import type { NoiseMeter } from "../compare.ts";
import type { ByteWriter } from "../stream/bytes.ts";
import type { QuantizerJob, TensorQuantizer } from "../stream/quantizer.ts";
import { writeRange } from "../stream/strided.ts";
import type { FormatTensor, StreamTensor } from "../stream/tensor.ts";
import type { Values } from "../stream/values.ts";
import type { WindowBytes } from "../stream/window_bytes.ts";
import { rangeOf } from "../words/layout.ts";
import type { CopiedJob } from "./copied.ts";
import type { BatchJob } from "./quantize_batch.ts";
import type { QuantizeTask, WeighedMatrix } from "./quantize_tasks.ts";
import type { RepackJob } from "./repack_run.ts";

/** A tensor while it is quantized. */
export interface Work {
  /** What becomes of it. */
  readonly task: QuantizeTask;
  /** What reads it. */
  readonly values: Values;
  /** The tensor as it is cut, or a matrix of it that has weights of its own. */
  readonly tensor: StreamTensor;
  /** Told of all values. */
  readonly meter: NoiseMeter;
  /** What quantizes it. */
  readonly quantizer: TensorQuantizer;
  /** The tensor that the matrix is cut from. */
  readonly all: StreamTensor;
  /** The matrix, where it is one. */
  readonly matrix?: WeighedMatrix;
}

/** A window that is quantized. */
export interface WindowJob extends QuantizerJob {
  readonly kind: "window";
  readonly work: Work;
}

/** Anything that a slot is filled with. */
export type Job = WindowJob | RepackJob | BatchJob | CopiedJob;

/** What quantizes tensors of one layout that fit in a window. */
export interface SmallWorker {
  readonly layout: FormatTensor;
  readonly tensor: StreamTensor;
  readonly quantizer: TensorQuantizer;
  readonly meter: NoiseMeter;
}

/**
 * Writes the parts of a window.
 *
 * @param tensor The tensor that it is a window of.
 * @param done Its bytes.
 * @param offsetOf Where each part of the tensor starts.
 * @param sink Where to.
 * @returns Settled when all is written; undefined where it is so already.
 */
export function writeWindow(
  { plans, shared, matrix }: StreamTensor,
  { bytes, area }: WindowBytes,
  offsetOf: (part: string) => number,
  sink: ByteWriter,
): Promise<unknown> | undefined {
  const isFirst = area.row === 0 && area.column === 0;
  const writes: Promise<void>[] = [];
  for (const [part, layout] of plans) {
    if (shared.has(part) && !isFirst) continue;
    const range = rangeOf(layout, matrix, area);
    const write = writeRange(sink, offsetOf(part), range, bytes[part]);
    if (write) writes.push(write);
  }
  return writes.length > 0 ? Promise.all(writes) : undefined;
}
