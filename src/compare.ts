/**
 * How far two arrays are apart.
 *
 * @module
 */
import { type Kernel, run } from "./kernels/engine.ts";
import { compareSums } from "./kernels/js/compare.ts";
import { addNoise, noiseSums } from "./kernels/js/noise.ts";
import { COMPARE_KERNELS } from "./kernels/modules.ts";
import { floatValues } from "./numeric/arguments.ts";
import type { FloatValues } from "./numeric/floats.ts";

/** The distance between two arrays, in float64. */
export interface Comparison {
  /** Mean absolute error. */
  readonly mae: number;
  /** Root of the mean squared error. */
  readonly rmse: number;
  /** Largest absolute error. */
  readonly maxError: number;
  /** Signal-to-quantization-noise ratio in dB: 10 log10(sum x² / sum error²). Infinity where there is no error. */
  readonly sqnr: number;
  /** Cosine of the angle between the two; 1 where both are all zeros. */
  readonly cosine: number;
}

const SUMS: Kernel = {
  name: "compare_sums",
  module: COMPARE_KERNELS,
  js: compareSums,
};

/** Columns of each running sum; they fix the order of addition on every backend. */
const COLUMNS = 4;

/** Stretches start at multiples of the columns. */
const STEP = 64;

/**
 * Compares an array with what it should be.
 *
 * @param expected The values before quantization.
 * @param actual The values after, as many.
 * @throws {RangeError} When the lengths differ.
 * @throws {TypeError} When one of them is no array of floats.
 *
 * @example
 * ```ts
 * import { compare, dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const values = [0.1, 0.5, -1.3, 2.7];
 * const { sqnr, maxError } = compare(values, dequantize(quantize(values)));
 * console.log(sqnr.toFixed(1), maxError.toFixed(3));
 * ```
 */
export function compare(
  expected: FloatValues,
  actual: FloatValues,
): Comparison {
  const meter = new ErrorMeter();
  meter.add(floatValues(expected, "expected"), floatValues(actual, "actual"));
  return meter.result();
}

/** A comparison of arrays that come in pieces. Every piece but the last holds a multiple of 4 values. */
export class ErrorMeter {
  #sums = new Float64Array(6 * COLUMNS);
  #count = 0;

  /** Takes the next piece of both arrays. Throws a RangeError when the lengths differ. */
  add(expected: Float32Array, actual: Float32Array): void {
    checkLengths(expected, actual);
    this.#count += expected.length;
    run({
      kernel: SUMS,
      count: expected.length,
      step: STEP,
      operands: [
        { array: expected, access: "read", bits: 32 },
        { array: actual, access: "read", bits: 32 },
        { array: this.#sums, access: "update" },
      ],
      again: () => {},
    });
  }

  /** What all pieces so far add up to. */
  result(): Comparison {
    const [squares, sizes, xx, yy, xy] = [0, 1, 2, 3, 4].map((i) =>
      this.#column(i).reduce((a, b) => a + b)
    );
    const n = Math.max(1, this.#count), angle = Math.sqrt(xx) * Math.sqrt(yy);
    return {
      mae: sizes / n,
      rmse: Math.sqrt(squares / n),
      maxError: Math.max(...this.#column(5)),
      sqnr: squares === 0 ? Infinity : 10 * Math.log10(xx / squares),
      cosine: angle === 0 ? Number(xx === yy) : xy / angle,
    };
  }

  #column(i: number): number[] {
    return [...this.#sums.subarray(i * COLUMNS, (i + 1) * COLUMNS)];
  }
}

function checkLengths(expected: Float32Array, actual: Float32Array): void {
  if (expected.length === actual.length) return;
  throw new RangeError(
    `Cannot compare ${expected.length} values with ${actual.length}: both arrays must have the same length`,
  );
}

const NOISE: Kernel = {
  name: "noise_sums",
  module: COMPARE_KERNELS,
  js: noiseSums,
};

/** The error as far as it can be told at the speed of a quantizer. */
export type Noise = Pick<Comparison, "rmse" | "sqnr">;

/** What an {@linkcode ErrorMeter} tells of {@linkcode Noise}, to nine digits, in a quarter of the time. */
export class NoiseMeter {
  readonly #sums = new Float64Array(2);
  /** Of stretches whose squares are beyond float32. */
  readonly #extreme = new Float64Array(2);
  #count = 0;

  /** Takes the next piece of both arrays. Throws a RangeError when the lengths differ. */
  add(expected: Float32Array, actual: Float32Array): void {
    checkLengths(expected, actual);
    this.#count += expected.length;
    run({
      kernel: NOISE,
      count: expected.length,
      step: STEP,
      operands: [
        { array: expected, access: "read", bits: 32 },
        { array: actual, access: "read", bits: 32 },
        { array: this.#sums, access: "update" },
      ],
      again: (first, n) =>
        addNoise(
          expected.subarray(first, first + n),
          actual.subarray(first, first + n),
          this.#extreme,
        ),
    });
  }

  /** Forgets all pieces so far. */
  reset(): void {
    this.#sums.fill(0);
    this.#extreme.fill(0);
    this.#count = 0;
  }

  /** What all pieces so far add up to. */
  result(): Noise {
    const noise = this.#sums[0] + this.#extreme[0];
    const signal = this.#sums[1] + this.#extreme[1];
    return {
      rmse: Math.sqrt(noise / Math.max(1, this.#count)),
      sqnr: noise === 0 ? Infinity : 10 * Math.log10(signal / noise),
    };
  }
}
