/**
 * How formats store scales: what a search may choose from.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import type { ComputeDtype } from "../words/scheme.ts";

/** Scales in a float type: so many that the nearest one is looked up, not found by trying. */
export interface RoundedScales {
  /** Tells it from the other kind. */
  readonly kind: "rounded";
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
 * @param signed Whether readers of the format take negative scales.
 */
export function scalesIn(
  dtype: ComputeDtype,
  signed: boolean,
): RoundedScales {
  const round = roundTo(dtype), largest = LARGEST[dtype];
  return {
    kind: "rounded",
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
 * Scales in a list.
 *
 * @param scales What values are multiplied by, positive and ascending.
 * @param fields The field that stands for each.
 */
export function listedScales(
  scales: ArrayLike<number>,
  fields: ArrayLike<number> = scales,
): ListedScales {
  return { kind: "listed", scales, fields };
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
