/**
 * How the libraries of torch find exponents and codes of MXFP4; the heads of the
 * formats have the formulas.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import { evenE2M1, lowE2M1, signedE2M1 } from "../numeric/e2m1.ts";
import {
  ceilLogE8M0,
  decodeE8M0,
  decodeE8M0Half,
  exponentE8M0,
  type ExponentRule,
} from "../numeric/e8m0.ts";
import { f32ToF16 } from "../numeric/f16.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import type { ResolvedSearchOptions } from "../words/search.ts";
import type { E2M1Plan } from "./e2m1.ts";
import { E2M1 } from "./grids.ts";
import { searched, seekScale, type Sought } from "./sought.ts";
import { decodeGroups } from "./tile_values.ts";

const { abs, fround, max } = Math;

/** The part of a plan that differs between libraries. */
export type MxRules = Pick<
  E2M1Plan,
  "stored" | "fit" | "code" | "steps" | "scale"
>;

/**
 * What values are multiplied with in place of being divided by a scale: for powers of
 * two that is the same, and faster.
 */
function inverseOf(exponent: number): number {
  return 1 / decodeE8M0(exponent);
}

/** The smallest scale that torchao divides by, whatever the byte says. */
const LEAST_DIVISOR = 2 ** -126;

/** How torchao finds exponents. */
export type ScaleRule = ExponentRule | "rceil";

/**
 * torchao, and what transformers reads.
 *
 * @param rule How exponents are found.
 * @param compute The type of the values.
 */
export function torchaoRules(rule: ScaleRule, compute: ComputeDtype): MxRules {
  const round = roundTo(compute);
  const divide = (x: number, exponent: number) =>
    x / max(decodeE8M0(exponent), LEAST_DIVISOR);
  // A byte of 0 has no inverse of its own: values stay as they are.
  const multiply = (x: number, exponent: number) =>
    exponent === 0 ? x : x * decodeE8M0(254 - exponent);
  const scaled = rule === "rceil" ? multiply : divide;
  return {
    stored: "exponent",
    fit: (absmax) =>
      rule === "rceil"
        ? ceilLogE8M0(fround(absmax / 6))
        : exponentE8M0(absmax, rule),
    code: (x, exponent) => signedE2M1(fround(scaled(x, exponent))),
    steps: {
      factor: (exponent) =>
        rule === "rceil" && exponent === 0
          ? 1
          : 1 / max(decodeE8M0(exponent), LEAST_DIVISOR),
      product: true,
      rule: "signed",
      e8m0: rule === "rceil"
        ? { rule: "logarithm", divisor: 6, factorOfZero: 1 }
        : { rule, less: 2, factorOfZero: 1 / LEAST_DIVISOR },
    },
    scale: (exponent) => round(decodeE8M0(exponent)),
  };
}

/**
 * compressed-tensors.
 *
 * @param weights The type of the weights.
 */
export function compressedTensorsRules(weights: ComputeDtype): MxRules {
  const round = roundTo(weights);
  return {
    stored: "exponent",
    fit: (absmax) =>
      weights === "F16" ? f16Exponent(absmax) : exponentE8M0(absmax, "even"),
    code(x, exponent): number {
      const scaled = round(fround(x / decodeE8M0(exponent)));
      return evenE2M1(abs(scaled)) | (scaled < 0 ? 8 : 0);
    },
    steps: {
      factor: inverseOf,
      product: true,
      dtype: weights,
      rule: "even",
      e8m0: {
        rule: "even",
        less: 2,
        factorOfZero: inverseOf(0),
        // See f16Exponent.
        ...(weights === "F16" && { leastNormal: 2 ** -14, ofZero: 127 }),
      },
    },
    scale: decodeE8M0,
  };
}

/** In the bits of a binary16, where what has no exponent gets a scale of 0, for which 1 is stored. */
function f16Exponent(absmax: number): number {
  const field = f32ToF16(absmax) + (1 << 8) >> 10;
  return field === 0 ? 127 : field - 15 - 2 + 127;
}

/** Twice what codes stand for. */
const DOUBLED = /* @__PURE__ */ E2M1.values.map((x) => 2 * x);

/**
 * Looks up values under scales of up to 2^128, of which halves are float32: one
 * rounding, that to the compute dtype.
 *
 * @param group How many values share an exponent.
 * @param compute The type of the values.
 */
export function decodeByHalves(
  group: number,
  compute: ComputeDtype,
): Scheme["decode"] {
  return (tile, out) => {
    const { exponent } = tile.fields;
    const halves = tile.memory(exponent.length);
    for (let i = 0; i < halves.length; i++) {
      halves[i] = decodeE8M0Half(exponent[i]);
    }
    const offsets = tile.memory(exponent.length).fill(0);
    const lookup = { values: DOUBLED, computeDtype: compute };
    const span = { rows: 1, columns: group };
    decodeGroups(tile, span, halves, offsets, lookup, out);
  };
}

/** ModelOpt. */
export const MODELOPT_RULES: MxRules = {
  stored: "exponent",
  fit: (absmax) => ceilLogE8M0(fround(absmax / 6)),
  code(x, exponent): number {
    const scaled = fround(x / decodeE8M0(exponent));
    return lowE2M1(abs(scaled)) | (scaled > 0 ? 0 : 8);
  },
  steps: {
    factor: decodeE8M0,
    rule: "low",
    e8m0: { rule: "logarithm", divisor: 6, factorOfZero: decodeE8M0(0) },
  },
  scale: decodeE8M0,
};

/** How exponents are searched. */
export const MX_SEARCH: Sought = /* @__PURE__ */ seekScale(
  E2M1.values,
  "exponent",
  { numbers: "E8M0", scaleOf: decodeE8M0, holds: "F32" },
);

/** The scheme with exponents that are searched, where that is asked for. */
export function searchedMx(
  scheme: Scheme,
  options: ResolvedSearchOptions,
  columns: number,
): Scheme {
  return searched(scheme, MX_SEARCH, options, columns);
}
