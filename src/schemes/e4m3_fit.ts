/**
 * Scales in E4M3 that a kernel finds for all groups of a tile.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import { COMPUTE_DTYPES, doneOn } from "./tiles.ts";

/**
 * How a scale comes of the largest magnitude of its group: every number is a float32,
 * every step is rounded to one.
 *
 * ```text
 * x = dtype(absmax / divisor), times or by another number
 * scale = E4M3(max(x, least)); `ofZero` where x is 0, `orElse` where the scale is
 * ```
 */
export interface E4M3Fit {
  /** What magnitudes are divided by first. */
  readonly divisor: number;
  /** The type that the quotient is rounded to; F32 by default. */
  readonly dtype?: ComputeDtype;
  /** What it is multiplied by then; 1 by default. */
  readonly times?: number;
  /** Or divided by. */
  readonly over?: number;
  /** The least number that is rounded to E4M3; 0 by default. */
  readonly least?: number;
  /** What is rounded in place of 0; `least` by default. */
  readonly ofZero?: number;
  /** The scale in place of 0; 0 by default. */
  readonly orElse?: number;
  /**
   * What values are divided by or multiplied with: scale · number, scale / number,
   * number / scale, or the quotient without any scale; the number is the least that it is.
   */
  readonly factor: readonly [FactorRule, number];
  /** The factor where the scale is 0; without it such a group is left to the rules. */
  readonly factorOfZero?: number;
}

/** See {@linkcode E4M3Fit.factor}. */
export type FactorRule = "product" | "quotient" | "inverse" | "unscaled";

/** The numbers by which kernels know them: src/kernels/wasm/tile_e4m3.ts. */
const FACTOR_RULES: readonly FactorRule[] = [
  "product",
  "quotient",
  "inverse",
  "unscaled",
];

/**
 * Fits scales to magnitudes, and finds factors; false where there is no kernel, or one
 * of them is a NaN or not ordinary.
 *
 * @param fit How.
 * @param magnitudes The largest of every group, and any that fill up the last vector.
 * @param scales As many groups.
 * @param factors Likewise.
 * @param most What a magnitude by its factor has to be below.
 */
export function fitE4M3(
  fit: E4M3Fit,
  magnitudes: Float32Array,
  scales: Float32Array,
  factors: Float32Array,
  most: number,
): boolean {
  const arrays = [magnitudes, scales, factors];
  const numbers = e4m3Numbers(fit, most);
  return doneOn(
    E2M1_TILES_KERNELS,
    "tile_fit_e4m3",
    scales.length,
    arrays,
    numbers,
  );
}

/** What kernels take of a fit: see src/kernels/wasm/tile_e4m3.ts. */
export function e4m3Numbers(
  { factor: [rule, by], over, times = over ?? 1, least = 0, ...fit }: E4M3Fit,
  most: number,
): number[] {
  return [
    fit.divisor,
    COMPUTE_DTYPES.indexOf(fit.dtype ?? "F32"),
    times,
    Number(over !== undefined),
    least,
    fit.ofZero ?? least,
    fit.orElse ?? 0,
    FACTOR_RULES.indexOf(rule),
    by,
    fit.factorOfZero ?? 0,
    most,
  ];
}
