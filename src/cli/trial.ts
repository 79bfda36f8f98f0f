/**
 * Settings tried on some values of a tensor.
 *
 * @module
 */
import { compare } from "../compare.ts";
import { dequantizeWith, quantizeWith } from "../core.ts";
import type { TensorFile } from "../files/tensors.ts";
import { firstNonFinite } from "../numeric/finite.ts";
import { allocateSlots } from "../stream/memory.ts";
import {
  bytesInFormat,
  largestRead,
  openValues,
  type Tensor,
} from "./tensors.ts";
import type { Variant } from "./variants.ts";

/** Values of a tensor that settings are tried on. */
const SAMPLE_VALUES = 64 * 1024;

/** Some values of a tensor. */
export interface Sample {
  /** The values. */
  readonly values: Float32Array;
  /** Their shape: rows and columns. */
  readonly shape: readonly number[];
}

/** The first values of a tensor: some rows, or a stretch of the first one. */
export async function readSample(
  file: TensorFile,
  tensor: Tensor,
): Promise<Sample> {
  const source = openValues(file, tensor);
  const [slot] = allocateSlots(1, largestRead(tensor, SAMPLE_VALUES));
  const [window] = source.windows(SAMPLE_VALUES);
  const { columns } = window, rows = usualRows(window.rows);
  const values = (await source.read(window, source.matrix, slot))();
  return { values: values.subarray(0, rows * columns), shape: [rows, columns] };
}

/** As many rows as layouts divide that pack along them, where there are so many. */
function usualRows(rows: number): number {
  return rows < 32 ? rows : rows - rows % 32;
}

/** How settings fare. */
export interface TrialResult {
  /** Signal to noise in decibels. */
  readonly sqnr: number;
  /** Bytes of all parts. */
  readonly bytes: number;
  /** How long quantizing took. */
  readonly seconds: number;
}

/** How a sample fares with other settings; undefined where they cannot hold it. */
export function trial(
  { format, options }: Pick<Variant, "format" | "options">,
  { values, shape }: Sample,
): TrialResult | undefined {
  if (firstNonFinite(values) >= 0) return undefined;
  try {
    const start = performance.now();
    const quantized = quantizeWith(format, values, { shape, ...options });
    const seconds = (performance.now() - start) / 1000;
    const { sqnr } = compare(values, dequantizeWith(format, quantized));
    const resolved = format.resolve(options, shape);
    const bytes = bytesInFormat({ format, shape, options: resolved });
    return { sqnr, bytes, seconds };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
