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
 * level, with which a value is still finite.
 */
export function scalesIn(
  dtype: ComputeDtype,
  { signed = false, level = 1 }: { signed?: boolean; level?: number } = {},
): RoundedScales {
  const round = roundTo(dtype);
  // A little less than what makes the largest value: neither rounding leads beyond.
  const largest = Math.min(
    LARGEST[dtype],
    level > 1 ? round(LARGEST.F32 / level * (1 - 2 ** -8)) : Infinity,
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
 * Scales that are the numbers of a field and what they stand for.
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
  const usable = Array.from(fields).filter((field) => {
    const scale = scaleOf(field);
    return scale > 0 && holds(scale);
  });
  return {
    kind: "listed",
    fields: Float32Array.from(usable),
    scales: Float64Array.from(usable, scaleOf),
  };
}

/** The positive numbers of E4M3. */
export const E4M3_NUMBERS: readonly number[] = Array.from(
  { length: 126 },
  (_, i) => decodeE4M3(i + 1),
);

/** The numbers of E8M0, that of NaN left out. */
export const E8M0_EXPONENTS: readonly number[] = Array.from(
  { length: 255 },
  (_, e) => e,
);

/** Whether the largest level of E2M1 is finite at a scale. */
export function holdsE2M1(scale: number): boolean {
  return Number.isFinite(Math.fround(6 * scale));
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
