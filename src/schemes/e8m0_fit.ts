/**
 * Scales in E8M0 that a kernel finds for all groups of a tile.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { CARRY, type ExponentRule } from "../numeric/e8m0.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { COMPUTE_DTYPES, doneOn } from "./tiles.ts";

/**
 * How an exponent comes of the largest magnitude of its group: the bits of
 * `dtype(max(absmax / divisor, least))`, rounded to a power of two by the rule.
 */
export interface E8M0Fit {
  /** How; of logarithms only where they are not near a whole number. */
  readonly rule: ExponentRule | "logarithm";
  /** What magnitudes are divided by first; 1 by default. */
  readonly divisor?: number;
  /** The least quotient, in place of smaller ones; 0 by default. */
  readonly least?: number;
  /** A power of two: quotients below it, but 0, are left to the rules; that of float32 by default. */
  readonly leastNormal?: number;
  /** The type that the quotient is rounded to; F32 by default. */
  readonly dtype?: ComputeDtype;
  /** What is taken from the exponent; 0 by default. */
  readonly less?: number;
  /** The byte where the quotient is 0; 0 by default. */
  readonly ofZero?: number;
  /** What values are multiplied with where the byte is 0, or divided by; otherwise it is the inverse of the scale, or the scale. */
  readonly factorOfZero: number;
}

/**
 * Fits exponents to magnitudes, and finds factors; false where there is no kernel, or
 * one of them is not ordinary.
 *
 * @param fit How.
 * @param product Whether values are multiplied with factors.
 * @param magnitudes The largest of every group, and any that fill up the last vector.
 * @param exponents As many groups.
 * @param factors Likewise.
 */
export function fitE8M0(
  fit: E8M0Fit,
  product: boolean,
  magnitudes: Float32Array,
  exponents: Float32Array,
  factors: Float32Array,
): boolean {
  const arrays = [magnitudes, exponents, factors];
  const numbers = e8m0Numbers(fit, product);
  return doneOn(
    E2M1_TILES_KERNELS,
    "tile_fit_e8m0",
    exponents.length,
    arrays,
    numbers,
  );
}

/** What kernels take of a fit: see src/kernels/wasm/tile_e8m0.ts. */
export function e8m0Numbers(
  { rule, divisor = 1, dtype = "F32", less = 0, ...fit }: E8M0Fit,
  product: boolean,
): number[] {
  const isLogarithm = rule === "logarithm";
  return [
    divisor,
    fit.least ?? 0,
    fit.leastNormal ?? 2 ** -126,
    COMPUTE_DTYPES.indexOf(dtype),
    CARRY[isLogarithm ? "ceil" : rule],
    less,
    Number(isLogarithm),
    fit.ofZero ?? 0,
    Number(product),
    fit.factorOfZero,
  ];
}
