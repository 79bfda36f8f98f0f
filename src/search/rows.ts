/**
 * A row of floats to 4-bit codes and scales, in plain JS: what the WebAssembly
 * kernel does, to the bit.
 *
 * @module
 */
import { f16ToF32, f32ToF16 } from "../numeric/f16.ts";
import {
  evaluate,
  fastScale,
  optimalScale,
  type ScalePoint,
  type SortedMagnitudes,
} from "../schemes/optimal_scale.ts";
import type { SearchGrid } from "./grid.ts";
import type { Estimator, RowScale, Settings } from "./options.ts";

/** Where a quantized row goes. */
export interface RowParts {
  /** Two codes to a byte, the first in the low nibble. */
  readonly codes: Uint8Array;
  /** One float16 for each group, a fraction of the row's scale; absent where the row is one group. */
  readonly fractions?: Uint16Array;
}

/** Magnitudes are whole numbers below this: as many bits as a float32 has. */
const MAGNITUDE_BITS = 24;

/** A group, quantized but for its scale's place. */
interface Group {
  /** What the levels are to be multiplied by. */
  readonly scale: number;
  /** Magnitudes times `unit` are the values. */
  readonly point: ScalePoint;
}

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** The power of two that makes whole numbers below 2^24 of magnitudes up to `largest`. */
function unitOf(largest: number): number {
  word[0] = largest;
  const exponent = Math.max(bits[0] >>> 23, 1) - 127;
  return 2 ** (exponent + 1 - MAGNITUDE_BITS);
}

/** Half to even, for numbers from 0 to 2^24. */
function roundEven(x: number): number {
  const floor = Math.floor(x), rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** Quantizes rows of one length with one choice of options. */
export class RowQuantizer {
  readonly #grid: SearchGrid;
  readonly #scale: RowScale;
  readonly #estimator: Estimator;
  readonly #group: number;
  readonly #magnitudes: Uint32Array;
  readonly #sorted: Uint32Array;
  readonly #sums: Float64Array;
  readonly #codes: Uint8Array;
  readonly #scales: Float32Array;

  /** Makes room for rows of `length` values, a multiple of 32. */
  constructor(
    { grid, scale, estimator, groupSize }: Settings,
    length: number,
  ) {
    this.#grid = grid;
    this.#scale = scale;
    this.#estimator = estimator;
    this.#group = groupSize === "row" ? length : groupSize;
    this.#magnitudes = new Uint32Array(this.#group);
    this.#sorted = new Uint32Array(this.#group);
    this.#sums = new Float64Array(this.#group + 1);
    this.#codes = new Uint8Array(length);
    this.#scales = new Float32Array(length / this.#group);
  }

  /**
   * Quantizes one row.
   *
   * @param values The row, finite, rotated where it shall be.
   * @param parts Where codes go, and fractions where there are groups.
   * @returns The row's scale.
   */
  quantize(values: Float32Array, { codes, fractions }: RowParts): number {
    const group = this.#group, scales = this.#scales;
    let largest = 0;
    for (let g = 0; g < scales.length; g++) {
      scales[g] = this.#quantizeGroup(values, g * group);
      largest = Math.max(largest, scales[g]);
    }
    for (let i = 0; i < codes.length; i++) {
      codes[i] = this.#codes[2 * i] | this.#codes[2 * i + 1] << 4;
    }
    fractions?.forEach((_, g) => {
      fractions[g] = largest === 0 ? 0 : f32ToF16(scales[g] / largest);
    });
    return largest;
  }

  #quantizeGroup(values: Float32Array, from: number): number {
    const { levels, thresholds } = this.#grid;
    const half = levels.length, size = this.#group;
    let largest = 0;
    for (let i = 0; i < size; i++) {
      largest = Math.max(largest, Math.abs(values[from + i]));
    }
    const unit = unitOf(largest);
    for (let i = 0; i < size; i++) {
      this.#magnitudes[i] = roundEven(Math.abs(values[from + i]) / unit);
    }
    const point = largest === 0
      ? { scale: 1, p: 0, q: 1 }
      : this.#search(this.#sort());
    for (let i = 0; i < size; i++) {
      const magnitude = this.#magnitudes[i];
      let level = 0;
      while (
        level < thresholds.length &&
        magnitude >= thresholds[level] * point.scale
      ) level++;
      // A zero of either sign is on the smallest positive level.
      this.#codes[from + i] = values[from + i] < 0
        ? half - 1 - level
        : half + level;
    }
    return this.#scaleOf(values, from, point, unit);
  }

  #sort(): SortedMagnitudes {
    const sorted = this.#sorted, sums = this.#sums;
    sorted.set(this.#magnitudes);
    sorted.sort().reverse();
    for (let i = 0; i < sorted.length; i++) sums[i + 1] = sums[i] + sorted[i];
    return { values: sorted, sums, count: sorted.length };
  }

  #search(magnitudes: SortedMagnitudes): ScalePoint {
    if (this.#scale === "optimal") return optimalScale(magnitudes, this.#grid);
    if (this.#scale === "fast") return fastScale(magnitudes, this.#grid);
    const top = magnitudes.values[0] / this.#grid.levels.at(-1)!;
    return evaluate(magnitudes, this.#grid, top);
  }

  /** P / Q, or ‖x‖² / P: then the row's dot product with itself is right, and others on average. */
  #scaleOf(
    values: Float32Array,
    from: number,
    { p, q }: ScalePoint,
    unit: number,
  ): number {
    if (p === 0) return 0;
    if (this.#estimator === "least-squares") return Math.fround(p / q * unit);
    const squares = sumOfSquares(values, from, this.#group);
    return Math.fround(squares / (p * unit));
  }
}

/** Σ x² in float64, even and odd places apart, as two lanes add them. */
export function sumOfSquares(
  values: Float32Array,
  from: number,
  count: number,
): number {
  let even = 0, odd = 0;
  const end = from + count;
  for (let i = from; i < end; i += 2) {
    even += values[i] * values[i];
    if (i + 1 < end) odd += values[i + 1] * values[i + 1];
  }
  return even + odd;
}

/** The values of a quantized row, rotated as they are stored. */
export function decodeRow(
  grid: SearchGrid,
  scale: number,
  { codes, fractions }: RowParts,
  out: Float32Array,
): void {
  const group = fractions ? out.length / fractions.length : out.length;
  for (let i = 0; i < out.length; i++) {
    const code = codes[i >> 1] >> (4 * (i & 1)) & 15;
    const fraction = fractions ? f16ToF32(fractions[Math.floor(i / group)]) : 1;
    out[i] = grid.values[code] * fraction * scale;
  }
}
