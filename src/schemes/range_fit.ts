/**
 * Scales and zero points that a kernel finds for all groups of a tile.
 *
 * @module
 */
import { sharedInstance } from "../kernels/room.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { COMPUTE_DTYPES, roundInto, SURELY_HELD } from "./tiles.ts";

/**
 * How scale and zero point come of a range, every step rounded to float32; with `of` being
 *
 * ```text
 * "range"      x = max(R(max − min), leastRange) + plus
 * "widened"    likewise, of a range that has 0 in it
 * "magnitude"  x = max(|min|, |max|)
 * "signed"     x = |min|, or −max where that is the larger magnitude
 * "top"        x = max(max, 0)
 *
 * scale = S(x / divisor), `least` in place of a quotient that is smaller; `ofZero` where that is 0
 * zero = RNE(clamp(T(−home − T(min / scale)), −home, 15 − home)) + home
 * ```
 *
 * where R, S and T round to a type each. Without a range, and where the scale is 0, it
 * is `zero`.
 */
export interface RangeFit {
  /** See above. */
  readonly of: "range" | "widened" | "magnitude" | "signed" | "top";
  /** The type that all three round to where theirs is not given; F32 by default. */
  readonly dtype?: ComputeDtype;
  /** What R rounds to. */
  readonly rangeDtype?: ComputeDtype;
  /** What S rounds to. */
  readonly scaleDtype?: ComputeDtype;
  /** What T rounds to. */
  readonly stepDtype?: ComputeDtype;
  /** The type that scales are rounded to once more; F32 by default. */
  readonly again?: ComputeDtype;
  /** 0 by default. */
  readonly leastRange?: number;
  /** 0 by default. */
  readonly plus?: number;
  /** 15 by default. */
  readonly divisor?: number;
  /** A magnitude; 0 by default. */
  readonly least?: number;
  /** 0 by default. */
  readonly ofZero?: number;
  /** The code from which zero points are counted; 0 by default. */
  readonly home?: number;
  /** 8 by default without a range, and `home` with one. */
  readonly zero?: number;
}

/** The numbers by which kernels know them: src/kernels/wasm/tile_fit_range.ts. */
const KINDS: readonly RangeFit["of"][] = [
  "range",
  "widened",
  "magnitude",
  "signed",
  "top",
];

/** Fits scales and zero points to ranges; false where there is no kernel, or a scale may not be held by the type that it is stored in. */
export function fitRanges(
  fit: RangeFit,
  stored: ComputeDtype,
  mins: Float32Array,
  maxs: Float32Array,
  scales: Float32Array,
  offsets: Float32Array,
): boolean {
  const arrays = [mins, maxs, scales, offsets];
  const instance = sharedInstance(...arrays);
  if (!instance) return false;
  const { of, dtype = "F32", home = 0 } = fit;
  const hasRange = of === "range" || of === "widened";
  const types = [fit.rangeDtype, fit.scaleDtype, fit.stepDtype];
  const declined = instance.kernels.tile_fit_range?.(
    scales.length,
    ...arrays.map(({ byteOffset }) => byteOffset),
    KINDS.indexOf(of),
    ...types.map((type = dtype) => COMPUTE_DTYPES.indexOf(type)),
    fit.leastRange ?? 0,
    fit.plus ?? 0,
    fit.divisor ?? 15,
    fit.least ?? 0,
    fit.ofZero ?? 0,
    home,
    fit.zero ?? (hasRange ? home : 8),
    SURELY_HELD[stored],
  );
  if (declined !== 0) return false;
  if (fit.again) roundInto(scales, fit.again, Infinity, scales);
  return true;
}
