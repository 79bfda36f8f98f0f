/**
 * Scales and zero points that a kernel finds for all groups of a tile.
 *
 * @module
 */
import { sharedInstance } from "../kernels/room.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { COMPUTE_DTYPES, SURELY_HELD } from "./tiles.ts";

/**
 * How scale and zero point come of a range, every step rounded to float32; with R the
 * rounding to `dtype`, and `of` being
 *
 * ```text
 * "range"      x = max(R(max − min), leastRange) + plus
 * "widened"    likewise, of a range that has 0 in it
 * "magnitude"  x = max(|min|, |max|)
 * "signed"     x = |min|, or −max where that is the larger magnitude
 *
 * scale = R(x / divisor), `least` in place of a quotient that is smaller; `ofZero` where that is 0
 * zero = RNE(clamp(R(−home − R(min / scale)), −home, 15 − home)) + home; 8 without a range
 * ```
 */
export interface RangeFit {
  /** See above. */
  readonly of: "range" | "widened" | "magnitude" | "signed";
  /** F32 by default. */
  readonly dtype?: ComputeDtype;
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
}

/** The numbers by which kernels know them: src/kernels/wasm/tile_fit_range.ts. */
const KINDS: readonly RangeFit["of"][] = [
  "range",
  "widened",
  "magnitude",
  "signed",
];

/** Fits scales and zero points to ranges; false where there is no kernel, or a scale may not be held by the type that it is stored in. */
export function fitRanges(
  { of, dtype = "F32", leastRange = 0, plus = 0, divisor = 15, ...fit }:
    RangeFit,
  stored: ComputeDtype,
  mins: Float32Array,
  maxs: Float32Array,
  scales: Float32Array,
  offsets: Float32Array,
): boolean {
  const arrays = [mins, maxs, scales, offsets];
  const { least = 0, ofZero = 0, home = 0 } = fit;
  const instance = sharedInstance(...arrays);
  return instance !== undefined && instance.kernels.tile_fit_range(
        scales.length,
        ...arrays.map(({ byteOffset }) => byteOffset),
        KINDS.indexOf(of),
        COMPUTE_DTYPES.indexOf(dtype),
        leastRange,
        plus,
        divisor,
        least,
        ofZero,
        home,
        SURELY_HELD[stored],
      ) === 0;
}
