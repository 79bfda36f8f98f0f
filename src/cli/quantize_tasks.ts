/**
 * What becomes of the tensors of a file.
 *
 * @module
 */
import type { QuantizedPlan } from "../files/parts.ts";
import { sizeOf } from "../numeric/shape.ts";
import type { FormatTensor } from "../stream/tensor.ts";
import type { Tensor } from "./tensors.ts";

/** A matrix of a tensor with weights of its own: experts have one each. */
export interface WeighedMatrix {
  /** The matrix as a tensor; its options hold the weights. */
  readonly layout: FormatTensor;
  /** Its first row, among the rows of the tensor. */
  readonly row: number;
  /** How many blocks lie before it. */
  readonly block: number;
}

/** A tensor that is quantized. */
export interface QuantizeTask {
  /** Its number among all tensors of the file, and of the output. */
  readonly index: number;
  /** What is read. */
  readonly tensor: Tensor;
  /** What is written. */
  readonly plan: QuantizedPlan;
  /** The same with options filled in. */
  readonly layout: FormatTensor;
  /** Bytes of all its parts. */
  readonly bytes: number;
  /** Whether its numbers move as they are: only the layout changes. */
  readonly repacked: boolean;
  /** Why the format could not hold its values with the options that were given, where they are repacked with others. */
  readonly unheld?: string;
  /** Whether its columns are put in the order of their groups, so that they can be repacked. */
  readonly permuted?: boolean;
  /** Its matrices with their weights, where importance is used. */
  readonly matrices?: readonly WeighedMatrix[];
}

/** A tensor that is copied byte for byte, or cast. */
export interface CopyTask {
  /** Its number among all tensors of the file, and of the output. */
  readonly index: number;
  /** What is copied. */
  readonly tensor: Tensor;
  /** Its new name. */
  readonly name: string;
  /** Why it is not quantized. */
  readonly reason: string;
  /** Whether it could not be quantized, though it was chosen. */
  readonly refused: boolean;
  /** What its values are written as, where not as they are. */
  readonly cast?: string;
}

/** What to do with the tensors of a file. */
export interface QuantizeTasks {
  /** Those that are quantized, in the order of the file. */
  readonly quantized: readonly QuantizeTask[];
  /** Those that are copied. */
  readonly copied: readonly CopyTask[];
}

/** Bits that a value of a tensor takes, scales included. */
export function bitsPerValue(
  { bytes, layout: { shape } }: QuantizeTask,
): number {
  return bytes * 8 / Math.max(1, sizeOf(shape));
}
