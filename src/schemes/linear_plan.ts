/**
 * What makes one linear scheme different from another.
 *
 * @module
 */
import type { ComputeDtype, Grid, Prepass } from "../words/scheme.ts";
import type { Span } from "../words/tile.ts";
import type { ScaleCheck } from "./numbers.ts";
import type { RangeFit } from "./range_fit.ts";
import type { Rounding, Thresholds } from "./tile_codes.ts";
import type { encodeInType } from "./tile_rounded.ts";
import type { FitRule } from "./tiles.ts";

/** How a value becomes a code, given scale and offset of its group; clamped to 0 … 15 at the end. */
export type LinearRounding =
  | Exclude<Rounding, "shiftByBias">
  /** By thresholds of x over the scale. */
  | Thresholds
  /** To E2M1: x over the scale, to the even code, with the sign of zeros. */
  | "e2m1";

/** What makes one linear scheme different from another. */
export interface LinearPlan {
  /** The area that shares a scale. */
  readonly group: Span;
  /**
   * What is stored for a group: what codes are multiplied by (`"scale"`, the
   * default), or what they are divided by.
   */
  readonly scale?: "scale" | "divisor";
  /** What codes stand for, where it is not 0 … 15: values are grid times scale. */
  readonly grid?: Grid;
  /** The same as it is multiplied, where the library rounds it first. */
  readonly levels?: ArrayLike<number>;
  /** The role of the offset: a zero point in codes, or a bias in values. Absent where it is always the same zero point. */
  readonly offset?: "zero" | "bias";
  /** The zero point where there is no field for it; 8 by default. */
  readonly zero?: number;
  /** Scale and offset of a group, in float32. */
  fit(min: number, max: number): readonly [scale: number, offset: number];
  /** The same in the kernels, which leave to it what `stored` may not hold. */
  readonly rule?: FitRule | RangeFit;
  /** How a value becomes a code; a shift is by the bias where offsets are biases. */
  readonly rounding: LinearRounding;
  /** The type that steps are rounded to after the division and after the sum; F32 by default. */
  readonly stepDtype?: ComputeDtype;
  /** The code of a value whose scale is 0, where it is not the one that arithmetic gives. */
  zeroScale?(code: number, x: number): number;
  /** The type that scale and bias are stored in; F32 by default. */
  readonly stored?: ComputeDtype;
  /** The largest magnitude of values whose scale and bias that type can hold. */
  readonly limit: number;
  /** The type of the values: they are rounded to it first; F32 by default. */
  readonly inputDtype?: ComputeDtype;
  /** Finds codes of such values as it rounds them, where a kernel does; for steps that are not rounded, or to that type. */
  readonly encodeInType?: typeof encodeInType;
  /** A group that the end of a row cuts short counts as if zeros filled it up. */
  readonly padded?: boolean;
  /** In which dtype values are computed; F32 by default. */
  readonly computeDtype?: ComputeDtype;
  /** The value of a code, where it is not (c − z)·s, rounded once, c·s + b, or of a grid; where all values share scale and offset. */
  value?(code: number, scale: number, offset: number): number;
  /** What scales a reader takes, and the name of their part; not looked at by default. */
  readonly scales?: ScaleCheck;
  /** Whether one range for the whole tensor is needed first. */
  readonly prepass?: () => Prepass;
}
