/**
 * How NNCF computes the scales and codes of its modes; the head of `formats/openvino.ts`
 * tabulates them.
 *
 * @module
 */
import { midpoints, NF4_VALUES } from "../numeric/codebooks.ts";
import { roundTo } from "../numeric/compute.ts";
import { signedE2M1 } from "../numeric/e2m1.ts";
import { decodeE4M3, encodeE4M3 } from "../numeric/e4m3.ts";
import { ceilLog2f, decodeE8M0 } from "../numeric/e8m0.ts";
import { ScaleOverflow } from "../numeric/finite.ts";
import { clamp, roundHalfToEven } from "../numeric/rounding.ts";
import { e2m1Scheme } from "../schemes/e2m1.ts";
import { CB4, E2M1, NF4 } from "../schemes/grids.ts";
import { type LinearPlan, linearScheme } from "../schemes/linear.ts";
import { decodeByHalves, MX_SEARCH } from "../schemes/mx.ts";
import { seekIntegers, seekScale, type Sought } from "../schemes/sought.ts";
import type { Thresholds } from "../schemes/tile_codes.ts";
import { areWithin } from "../schemes/tiles.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  areaNumber,
  indexInTensor,
  runs,
  type Span,
  type Tile,
} from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import { LARGEST } from "./groups.ts";

const { abs, fround, max: larger, min: smaller } = Math;

/** How NNCF compresses a weight. */
export type OpenvinoMode =
  | "int4_sym"
  | "int4_asym"
  | "nf4"
  | "cb4"
  | "fp4"
  | "mxfp4"
  | "nvfp4";

/** What a scale is at least. */
const LEAST = 2 ** -23;

const toFloat16 = roundTo("F16");

function absmaxOf(min: number, max: number): number {
  return larger(abs(min), abs(max));
}

type Rule = Omit<LinearPlan, "group">;

const FLOAT16 = { stored: "F16", scales: { part: "scale" } } as const;

const SYMMETRIC: Rule = {
  stored: "F16",
  scales: { part: "scale", signed: true },
  fit(min, max): [number, number] {
    const scale = fround((abs(min) >= max ? abs(min) : -max) / 8);
    return [abs(scale) < LEAST ? LEAST : scale, 8];
  },
  rule: { of: "signed", divisor: 8, least: LEAST },
  rounding: "divide",
  limit: LARGEST.F16 * 8,
};

const ASYMMETRIC: Rule = {
  ...FLOAT16,
  offset: "zero",
  fit(min, max): [number, number] {
    const low = smaller(min, 0), high = larger(max, 0);
    const scale = larger(fround(fround(high - low) / 15), LEAST);
    return [scale, clamp(0 - roundHalfToEven(fround(low / scale)), 0, 15)];
  },
  rule: { of: "widened", least: LEAST },
  rounding: "add",
  limit: LARGEST.F16 * 7.5,
};

/** The nearest of ascending entries; ties go to the lower. */
function nearestOf(ascending: Float32Array): Thresholds {
  return {
    at: midpoints(ascending),
    codes: Array.from(ascending, (_, code) => code),
  };
}

const NF4_FLOAT16 = NF4_VALUES.map(toFloat16);

const NORMAL_FLOAT: Rule = {
  ...FLOAT16,
  grid: NF4,
  fit: (min, max) => [larger(absmaxOf(min, max), LEAST), 0],
  rule: { of: "magnitude", divisor: 1, least: LEAST },
  rounding: nearestOf(NF4_VALUES),
  levels: NF4_FLOAT16,
  limit: LARGEST.F16,
};

/** The largest magnitude of the codebook. */
const CB4_LARGEST = 3.5;

const CODEBOOK: Rule = {
  ...FLOAT16,
  grid: CB4,
  fit: (min, max) => [
    larger(fround(absmaxOf(min, max) / CB4_LARGEST), LEAST),
    0,
  ],
  rule: { of: "magnitude", divisor: CB4_LARGEST, least: LEAST },
  rounding: nearestOf(Float32Array.from(CB4.values)),
  limit: LARGEST.F16 * CB4_LARGEST,
};

/** The scale of a group of E2M1 values. */
function sixth(absmax: number): number {
  return larger(fround(absmax / 6), LEAST);
}

const FLOAT: Rule = {
  ...FLOAT16,
  grid: E2M1,
  fit: (min, max) => [sixth(absmaxOf(min, max)), 0],
  rule: { of: "magnitude", divisor: 6, least: LEAST },
  rounding: "e2m1",
  limit: LARGEST.F16 * 6,
};

/** The scheme of mode mxfp4. */
function microscaled(matrix: Matrix, { columns: group }: Span): Scheme {
  const inverseOf = (exponent: number) => 1 / decodeE8M0(exponent);
  const scheme = e2m1Scheme({
    matrix,
    group,
    stored: "exponent",
    fit: (absmax) => clamp(ceilLog2f(sixth(absmax)), -127, 127) + 127,
    code: (x, exponent) => signedE2M1(fround(x / decodeE8M0(exponent))),
    steps: {
      factor: inverseOf,
      product: true,
      rule: "signed",
      e8m0: {
        rule: "logarithm",
        divisor: 6,
        least: LEAST,
        factorOfZero: inverseOf(0),
      },
    },
    scale: decodeE8M0,
    grid: E2M1,
    computeDtype: "F32",
  });
  return { ...scheme, decode: decodeByHalves(group, "F32") };
}

const RULES: Readonly<
  Record<Exclude<OpenvinoMode, "mxfp4" | "nvfp4">, Rule>
> = {
  int4_sym: SYMMETRIC,
  int4_asym: ASYMMETRIC,
  nf4: NORMAL_FLOAT,
  cb4: CODEBOOK,
  fp4: FLOAT,
};

const onGrid = (levels: readonly number[]) =>
  seekScale(levels, "scale", { dtype: "F16" });

/** The scale of a group by that of all: products that are no float16 are left out. */
function productOf(scale: number, second: number): number {
  return toFloat16(fround(scale * second));
}

/** Which better scales can be searched for, and how. */
export const SEARCHES: Readonly<Record<OpenvinoMode, Sought>> = {
  int4_sym: seekIntegers({ symmetric: true, dtype: "F16", signed: true }),
  int4_asym: seekIntegers({ symmetric: false, dtype: "F16" }),
  nf4: onGrid([...NF4_FLOAT16]),
  cb4: onGrid(CB4.values),
  fp4: onGrid(E2M1.values),
  mxfp4: MX_SEARCH,
  nvfp4: seekScale(E2M1.values, "scale", {
    numbers: "E4M3",
    scaleOf: productOf,
    ofTensor: "tensorScale",
    holds: "F32",
  }),
};

/**
 * The scheme of a mode.
 *
 * @param mode The mode.
 * @param matrix The weight.
 * @param group Its groups: runs of a row.
 */
export function modeScheme(
  mode: OpenvinoMode,
  matrix: Matrix,
  group: Span,
): Scheme {
  if (mode === "nvfp4") return twoScales(matrix, group);
  if (mode === "mxfp4") return microscaled(matrix, group);
  return linearScheme({ ...RULES[mode], group });
}

/** The largest magnitude in a group whose two scales make a float16. */
const MOST = 65519 * 6;

/** The scheme of mode nvfp4. */
function twoScales(matrix: Matrix, group: Span): Scheme {
  const scheme = e2m1Scheme({
    matrix,
    group: group.columns,
    stored: "scale",
    ofTensor: {
      role: "tensorScale",
      find: (absmax) =>
        larger(fround(sixth(smaller(absmax, MOST)) / 448), LEAST),
    },
    fit: (absmax, second) =>
      decodeE4M3(encodeE4M3(fround(sixth(absmax) / second))),
    code: (x, _stored, _second, absmax) =>
      signedE2M1(fround(x / sixth(absmax))),
    steps: {
      factor: (_stored, _second, absmax) => sixth(absmax),
      rule: "signed",
      e4m3: (second) => ({
        divisor: 6,
        over: second,
        factor: ["unscaled", LEAST],
      }),
    },
    scale: productOf,
    grid: E2M1,
    computeDtype: "F32",
  });
  const encode: Scheme["encode"] = (values, tile, context) => {
    const { overflow = "throw" } = context;
    const within = overflow === "clamp"
      ? values.map((x) => clamp(x, -MOST, MOST))
      : values;
    if (overflow === "throw") rejectLarge(values, tile, group);
    scheme.encode(within, tile, context);
  };
  const { groupKernel } = scheme, { role, find } = groupKernel!.ofTensor!;
  return {
    ...scheme,
    productDtype: "F16",
    checks: undefined,
    encode,
    groupKernel: {
      ...groupKernel!,
      encode,
      // Where that is no number the generic way refuses the values.
      ofTensor: { role, find: (most) => most <= MOST ? find(most) : NaN },
    },
  };
}

function rejectLarge(values: Float32Array, tile: Tile, group: Span): void {
  if (areWithin(values, -MOST, MOST)) return;
  for (const { first, count } of runs(tile, group)) {
    for (let i = first; i < first + count; i++) {
      if (abs(values[i]) <= MOST) continue;
      const index = indexInTensor(tile, first);
      const number = areaNumber(tile.matrix, group, index);
      throw new ScaleOverflow(number, index, "float16");
    }
  }
}

/** The mode that comes nearest to a scheme. */
export function modeFor({ grid, fields, constants }: Scheme): OpenvinoMode {
  if (grid.name === NF4.name) return "nf4";
  if (grid.name === CB4.name) return "cb4";
  if (grid.name === E2M1.name) {
    if ("exponent" in fields) return "mxfp4";
    return "tensorScale" in fields ? "nvfp4" : "fp4";
  }
  return constants?.zero === 8 ? "int4_sym" : "int4_asym";
}
