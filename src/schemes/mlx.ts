/**
 * How MLX finds scales and codes in its modes of 4 bits; `formats/mlx.ts` has the
 * formulas.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { nearestE2M1 } from "../numeric/e2m1.ts";
import { decodeE4M3, encodeE4M3, LARGEST_E4M3 } from "../numeric/e4m3.ts";
import { ceilE8M0, decodeE8M0 } from "../numeric/e8m0.ts";
import { roundHalfToEven } from "../numeric/rounding.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import type { E2M1Plan } from "./e2m1.ts";

const { abs, fround, max } = Math;

const LEAST_SCALE = fround(1e-7);

/** Scale and bias of a group in mode `affine`, before they are stored. */
export function fitAffine(
  least: number,
  most: number,
): [scale: number, bias: number] {
  const step = max(fround(fround(most - least) / 15), LEAST_SCALE);
  const byLeast = abs(least) > abs(most);
  const edge = byLeast ? least : most, scale = byLeast ? step : -step;
  const steps = roundHalfToEven(fround(edge / scale));
  return steps === 0 ? [scale, 0] : [fround(edge / steps), edge];
}

/** The part of a plan that differs between the modes of E2M1 values. */
export type E2M1Rules = Pick<
  E2M1Plan,
  "stored" | "ofTensor" | "fit" | "code" | "steps" | "scale"
>;

/**
 * Mode `mxfp4`.
 *
 * @param weights The type of the weights.
 * @param compute The type of the values.
 */
export function mxfp4Rules(
  weights: ComputeDtype,
  compute: ComputeDtype,
): E2M1Rules {
  const ofWeights = roundTo(weights), round = roundTo(compute);
  return {
    stored: "exponent",
    fit(absmax): number {
      const exact = fround(absmax / 6), rounded = ofWeights(exact);
      if (rounded === 0) return 127;
      // MLX has no such weights: what is beyond float16 is left as it is.
      return ceilE8M0(rounded < Infinity ? rounded : exact);
    },
    code: (x, exponent) => nearestE2M1(fround(x / decodeE8M0(exponent)), 0.5),
    steps: {
      factor: decodeE8M0,
      rule: "toZero",
      e8m0: {
        rule: "ceil",
        divisor: 6,
        dtype: weights,
        ofZero: 127,
        factorOfZero: decodeE8M0(0),
      },
    },
    scale: (exponent) => round(decodeE8M0(exponent)),
  };
}

/**
 * Mode `nvfp4`.
 *
 * @param weights The type of the weights.
 * @param globalScale Whether the tensor has a scale of its own.
 */
export function nvfp4Rules(
  weights: ComputeDtype,
  globalScale: boolean,
): E2M1Rules {
  const ofWeights = roundTo(weights);
  const encoded = (ofTensor: number) =>
    globalScale ? fround(6 * LARGEST_E4M3 / ofTensor) : 1;
  return {
    stored: "scale",
    // A magnitude, no scale: values are not multiplied by it as it is.
    ...(globalScale &&
      { ofTensor: { role: "tensorAbsmax", find: (absmax: number) => absmax } }),
    fit(absmax, ofTensor): number {
      const scale = fround(ofWeights(fround(absmax / 6)) * encoded(ofTensor));
      // 0 · ∞, in a tensor of zeros: on x86-64 that is a NaN with its sign set, and
      // MLX saturates it like what is too large.
      return decodeE4M3(encodeE4M3(Number.isNaN(scale) ? -Infinity : scale));
    },
    code(x, scale, ofTensor): number {
      if (scale === 0) return 0;
      const scaled = ofWeights(fround(x / scale));
      return nearestE2M1(fround(scaled * encoded(ofTensor)), 0.5);
    },
    steps: {
      factor: (scale: number) => scale,
      rule: "toZero",
      dtype: weights,
      times: encoded,
      e4m3: (ofTensor) => ({
        divisor: 6,
        dtype: weights,
        times: encoded(ofTensor),
        factor: ["product", 1],
        factorOfZero: Infinity,
      }),
    },
    scale: (scale, ofTensor) =>
      globalScale
        ? fround(scale * fround(ofTensor / (6 * LARGEST_E4M3)))
        : scale,
  };
}
