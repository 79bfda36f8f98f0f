/**
 * What scales a format can store, as data: stored_scale.ts makes of it what searches
 * need, and most bundles do without searches.
 *
 * @module
 */
import type { ComputeDtype } from "../words/scheme.ts";

/** Scales in a float type. */
export interface RoundedPlan {
  /** The type: `"F32"` or `"BF16"` where scales are kept as inverses. */
  readonly dtype: ComputeDtype;
  /** Whether readers of the format take negative scales. */
  readonly signed?: boolean;
  /** The largest level, with which a value is still finite; 1 by default. */
  readonly level?: number;
  /** The type that values are rounded to; F32 by default. */
  readonly compute?: ComputeDtype;
  /** Whether scales are kept as what values are divided by: the inverses, in float32, of numbers of the type. */
  readonly asInverses?: boolean;
}

/** Scales that the numbers of a type of 8 bits stand for, the positive ones. */
export interface ListedPlan {
  /** The type. */
  readonly numbers: "E4M3" | "E8M0";
  /** What values are multiplied by, given a number and that of the tensor, or 1; the number by default. */
  readonly scaleOf?: (number: number, ofTensor: number) => number;
  /** The field of the number of the tensor, where scales depend on one. */
  readonly ofTensor?: string;
  /** The type in which the largest value of E2M1 has to be finite; without it all scales can be used. */
  readonly holds?: ComputeDtype;
}

/** Either. */
export type StoredPlan = RoundedPlan | ListedPlan;
