/**
 * How formats store scales: what a search may choose from.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { decodeE4M3 } from "../numeric/e4m3.ts";
import type { ComputeDtype } from "../words/scheme.ts";

/** Scales in a float type: so many that the nearest one is looked up, not found by trying. */
export interface RoundedScales {
  /** Tells it from the other kind. */
  readonly kind: "rounded";
  /** The type. */
  readonly dtype: ComputeDtype;
  /** The largest scale. */
  readonly largest: number;
  /** The nearest scale that can be stored, of two the larger one; not beyond the largest. For positive numbers. */
  nearest(scale: number): number;
  /** Whether scales may be negative. */
  readonly signed: boolean;
  /** The number that stands for a scale, where that is not the scale. */
  fieldOf?(scale: number): number;
}

/** Scales of 8 bits: few enough to try those in question. Positive. */
export interface ListedScales {
  /** Tells it from the other kind. */
  readonly kind: "listed";
  /** What values are multiplied by, ascending. */
  readonly scales: ArrayLike<number>;
  /** The field that stands for each. */
  readonly fields: ArrayLike<number>;
}

/** Either. */
export type StoredScales = RoundedScales | ListedScales;

const LARGEST: Readonly<Record<ComputeDtype, number>> = {
  F32: (2 - 2 ** -23) * 2 ** 127,
  F16: 65504,
  BF16: (2 - 2 ** -7) * 2 ** 127,
};

/**
 * Scales in a float type.
 *
 * @param dtype The type.
 * @param limits Whether readers of the format take negative scales; the largest
 * level, with which a value is still finite in the type that it is rounded to.
 */
export function scalesIn(
  dtype: ComputeDtype,
  { signed = false, level = 1, compute = "F32" }: {
    signed?: boolean;
    level?: number;
    compute?: ComputeDtype;
  } = {},
): RoundedScales {
  const round = roundTo(dtype);
  // A little less than what makes the largest value: neither rounding leads beyond.
  const largest = Math.min(
    LARGEST[dtype],
    level > 1 || compute !== "F32"
      ? round(LARGEST[compute] / level * (1 - 2 ** -8))
      : Infinity,
  );
  return {
    kind: "rounded",
    dtype,
    largest,
    signed,
    nearest(scale): number {
      if (scale >= largest) return largest;
      const near = round(scale), twin = 2 * scale - near;
      // Where the one on the other side is as near, rounding to even may have gone down.
      return twin > near && twin <= largest && round(twin) === twin
        ? twin
        : near;
    },
  };
}

/**
 * Scales that are kept as what values are divided by: the inverses, in float32, of
 * the numbers of a float type.
 *
 * @param dtype The type: `"F32"` or `"BF16"`.
 * @param level The largest level, with which a value is still finite.
 */
export function inverseScalesIn(
  dtype: "F32" | "BF16",
  level: number,
): RoundedScales {
  const { largest, ...scales } = scalesIn(dtype, { level });
  const inverse = (divisor: number) => Math.fround(1 / divisor);
  const fieldOf = (scale: number) => {
    const middle = Math.min(roundTo(dtype)(1 / scale), LARGEST[dtype]);
    // One of the neighbours may have the nearer inverse; of equal ones the larger scale.
    return neighbours(middle, dtype).reduce((best, divisor) =>
      Math.abs(inverse(divisor) - scale) < Math.abs(inverse(best) - scale)
        ? divisor
        : best
    );
  };
  return {
    ...scales,
    largest,
    nearest: (scale) => inverse(fieldOf(Math.min(scale, largest))),
    fieldOf,
  };
}

/** A positive number and those below and above, of the finite ones of a float type, ascending. */
function neighbours(x: number, dtype: "F32" | "BF16"): number[] {
  const [bits] = new Int32Array(Float32Array.of(x).buffer);
  const step = dtype === "F32" ? 1 : 1 << 16;
  const all = Int32Array.of(bits - step, bits, bits + step);
  return Array.from(new Float32Array(all.buffer))
    .filter((y) => y > 0 && y <= LARGEST[dtype]);
}

/**
 * Scales that are the numbers of a field and what they stand for. Of numbers that stand
 * for the same the last is used.
 *
 * @param fields The numbers, by ascending scale.
 * @param scaleOf What values are multiplied by.
 * @param holds Whether values up to a magnitude are finite; the largest levels are checked by it.
 */
export function listedScales(
  fields: ArrayLike<number>,
  scaleOf: (field: number) => number = (field) => field,
  holds: (scale: number) => boolean = () => true,
): ListedScales {
  const usable = Array.from(fields).filter((field, i) => {
    const scale = scaleOf(field);
    return scale > 0 && holds(scale) &&
      !(i + 1 < fields.length && scaleOf(fields[i + 1]) === scale);
  });
  return {
    kind: "listed",
    fields: Float32Array.from(usable),
    scales: Float64Array.from(usable, scaleOf),
  };
}

/** The positive numbers of E4M3. */
export const E4M3_NUMBERS: readonly number[] = /* @__PURE__ */ Array.from(
  { length: 126 },
  (_, i) => decodeE4M3(i + 1),
);

/** The numbers of E8M0, that of NaN left out. */
export const E8M0_EXPONENTS: readonly number[] = /* @__PURE__ */ Array.from(
  { length: 255 },
  (_, e) => e,
);

/** Whether the largest level of E2M1 is finite at a scale, in the type that values are rounded to. */
export function holdsE2M1(scale: number, dtype: ComputeDtype = "F32"): boolean {
  return Number.isFinite(roundTo(dtype)(Math.fround(6 * scale)));
}

/** Index of the listed scale that is nearest to a positive number, of two the larger one. */
export function nearestListed(
  { scales }: ListedScales,
  scale: number,
): number {
  let low = 0, high = scales.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (scale >= (scales[middle] + scales[middle + 1]) / 2) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The nearest scale that can be stored. */
export function nearestStored(stored: StoredScales, scale: number): number {
  return stored.kind === "rounded"
    ? stored.nearest(scale)
    : stored.scales[nearestListed(stored, scale)];
}
