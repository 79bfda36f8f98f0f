/**
 * Schemes of E2M1 values in groups along a row: `s·g`, where `s` is a number or a
 * power of two for the group, and maybe one more for the tensor.
 *
 * How scales are found and what a value is divided by differs from library to
 * library, down to the order of roundings: a plan says it in a few functions.
 *
 * @module
 */
import { DTYPE_NAMES, roundTo } from "../numeric/compute.ts";
import { LARGEST_F16 } from "../numeric/f16.ts";
import { NonFinite, ScaleOverflow } from "../numeric/finite.ts";
import { measureMagnitude } from "../kernels/grouped.ts";
import type {
  ComputeDtype,
  EncodeContext,
  Grid,
  GroupKernel,
  Prepass,
  Scheme,
} from "../words/scheme.ts";
import {
  areaNumber,
  everywhere,
  indexInTensor,
  runs,
  type Span,
  type Tile,
} from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import { type E4M3Fit, e4m3Numbers, fitE4M3 } from "./e4m3_fit.ts";
import { type E8M0Fit, e8m0Numbers, fitE8M0 } from "./e8m0_fit.ts";
import { E2M1_RULES, type E2M1Steps, encodeE2M1 } from "./tile_codes.ts";
import { decodeGroups } from "./tile_values.ts";
import {
  COMPUTE_DTYPES,
  magnitudesOfGroups,
  numbersOfGroups,
  roundedValues,
} from "./tiles.ts";

const { abs, fround, max } = Math;

/** What makes one scheme of E2M1 values different from another. */
export interface E2M1Plan {
  /** The tensor. */
  readonly matrix: Matrix;
  /** How many values of a row share a scale. */
  readonly group: number;
  /** What is stored for a group: a scale, or the E8M0 byte of one. */
  readonly stored: "scale" | "exponent";
  /**
   * The scale of the tensor: its role and how it comes of the largest magnitude.
   * The role is `tensorScale` only where values are multiplied by it as it is.
   * Absent where there is none; 1 is passed in its place.
   */
  readonly ofTensor?: {
    readonly role: string;
    find(absmax: number): number;
  };
  /** What is stored for a group, as it will be read back. */
  fit(absmax: number, tensorScale: number): number;
  /** The code of a value; `absmax` is the largest magnitude of its group. */
  code(x: number, stored: number, tensorScale: number, absmax: number): number;
  /** The same for kernels, where a code is that of a quotient; what is not ordinary is left to `code`. */
  readonly steps?: Omit<E2M1Steps, "times"> & {
    /** What quotients are multiplied by, once they are rounded. */
    times?(tensorScale: number): number;
    /** What values are divided by, or multiplied with; `absmax` is the largest magnitude of their group. */
    factor(stored: number, tensorScale: number, absmax: number): number;
    /** How a kernel finds scales and factors, where they are E4M3's: the same as `fit` and `factor`, which it leaves to them where they are not ordinary. */
    e4m3?(tensorScale: number): E4M3Fit;
    /** Likewise, where they are E8M0's. */
    readonly e8m0?: E8M0Fit;
  };
  /** What the values of codes are multiplied by. */
  scale(stored: number, tensorScale: number): number;
  /** E2M1, with code 8 as −0 or +0. */
  readonly grid: Grid;
  /** The type that the weights are rounded to before all else; F32 by default. */
  readonly inputDtype?: ComputeDtype;
  /** The type that values are rounded to. */
  readonly computeDtype: ComputeDtype;
}

/** Makes a scheme. */
export function e2m1Scheme(plan: E2M1Plan): Scheme {
  const { matrix, stored, ofTensor, grid, computeDtype } = plan;
  const encode: Scheme["encode"] = (values, tile, context) =>
    encodeTile(plan, values, tile, context);
  return {
    grid,
    form: "s·g",
    fields: {
      [stored]: { span: spanOf(plan) },
      ...(ofTensor &&
        { [ofTensor.role]: { span: everywhere(matrix), shared: true } }),
    },
    constants: ofTensor ? undefined : { tensorScale: 1 },
    groupedBy: stored,
    byField: stored,
    computeDtype,
    prepass: ofTensor && (() => wholeAbsmax(plan.inputDtype)),
    // What is rounded first may be infinite then.
    checks: (plan.inputDtype ?? "F32") === "F32",
    encode,
    groupKernel: groupKernelOf(plan, encode),
    decode: (tile, out) => decode(plan, tile, out),
  };
}

function spanOf({ group }: E2M1Plan): Span {
  return { rows: 1, columns: group };
}

function encodeTile(
  plan: E2M1Plan,
  given: Float32Array,
  tile: Tile,
  { known, own, overflow = "throw" }: EncodeContext,
): void {
  const { inputDtype = "F32" } = plan;
  const largest = overflow === "clamp" ? LARGEST[inputDtype] : Infinity;
  const values = roundedValues(given, inputDtype, largest, tile, own);
  let ofTensor = 1;
  if (plan.ofTensor) {
    const { role, find } = plan.ofTensor;
    const most = known?.absmax ?? absmaxOf(values);
    tile.fields[role][0] = ofTensor = fround(find(Math.min(largest, most)));
  }
  const stored = tile.fields[plan.stored], span = spanOf(plan);
  const absmax = numbersOfGroups(tile, stored.length);
  const finite = magnitudesOfGroups(values, tile, span, absmax);
  if (!finite && inputDtype === "F32") throw new NonFinite();
  if (!finite && overflow === "throw") {
    rejectInfinite(absmax, tile, span, inputDtype);
  }
  if (encodeByKernels(plan, values, tile, absmax, ofTensor)) return;
  for (const { first, count, area } of runs(tile, span)) {
    for (let i = first; i < first + count; i++) {
      tile.codes[i] = plan.code(
        values[i],
        stored[area],
        ofTensor,
        absmax[area],
      );
    }
  }
}

/** The largest finite number of each type. */
const LARGEST: Readonly<Record<ComputeDtype, number>> = {
  F16: LARGEST_F16,
  BF16: (2 - 2 ** -7) * 2 ** 127,
  F32: (2 - 2 ** -23) * 2 ** 127,
};

/** Throws where values of a group are beyond the type that they were rounded to. */
function rejectInfinite(
  absmax: Float32Array,
  tile: Tile,
  span: Span,
  dtype: ComputeDtype,
): void {
  const area = absmax.indexOf(Infinity);
  if (area < 0) return;
  for (const run of runs(tile, span)) {
    if (run.area !== area) continue;
    const index = indexInTensor(tile, run.first);
    const number = areaNumber(tile.matrix, span, index);
    throw new ScaleOverflow(number, index, DTYPE_NAMES[dtype]);
  }
}

/** Finds scales, and codes by a kernel; false where there is none, or a factor is not ordinary: then scales only. */
function encodeByKernels(
  plan: E2M1Plan,
  values: Float32Array,
  tile: Tile,
  absmax: Float32Array,
  ofTensor: number,
): boolean {
  const { steps } = plan, stored = tile.fields[plan.stored];
  const factors = tile.memory(absmax.length), count = stored.length;
  const times = steps?.times?.(ofTensor) ?? 1;
  const most = steps ? mostOf(steps, times) : Infinity;
  // Those that fill up the last vector are like the last.
  absmax.fill(absmax[count - 1], count);
  if (steps && fitByKernel(steps, ofTensor, absmax, stored, factors, most)) {
    return encodeBy(plan, values, tile, factors, times);
  }
  for (let i = 0; i < count; i++) stored[i] = plan.fit(absmax[i], ofTensor);
  if (!steps) return false;
  for (let i = 0; i < count; i++) {
    const factor = steps.factor(stored[i], ofTensor, absmax[i]);
    // The tests stand for the float32 that it becomes, too.
    if (!(factor > LEAST_FACTOR && factor < Infinity)) return false;
    if (!(absmax[i] / factor < most)) return false;
    factors[i] = factor;
  }
  return encodeBy(plan, values, tile, factors, times);
}

/** Finds codes by factors; false where there is no kernel. */
function encodeBy(
  plan: E2M1Plan,
  values: Float32Array,
  tile: Tile,
  factors: Float32Array,
  times: number,
): boolean {
  const { e8m0, product, rule, dtype = "F32" } = plan.steps!;
  // Multiplied by a power of two from 1 on, numbers of a type stay such.
  const isExact = e8m0 && product && dtype === plan.inputDtype &&
    leastOf(factors) >= 1;
  return encodeE2M1(values, tile, spanOf(plan), factors, {
    product,
    rule,
    times,
    dtype: isExact ? "F32" : dtype,
  });
}

/** The kernel from values to bytes; undefined where none rounds as the plan does. */
function groupKernelOf(
  { steps, ofTensor, group, inputDtype = "F32" }: E2M1Plan,
  encode: Scheme["encode"],
): GroupKernel | undefined {
  const { e4m3, e8m0, rule, dtype = "F32", product = false } = steps ?? {};
  const isRounded = dtype !== "F32" &&
    !(e8m0 && product && dtype === inputDtype);
  if (!rule || isRounded || group > MOST_GROUP) return undefined;
  if (!e4m3 && !e8m0) return undefined;
  return {
    name: e4m3 ? "group_encode_e4m3" : "group_encode_e8m0",
    encode,
    ofTensor,
    numbers(number): number[] {
      const times = steps!.times?.(number) ?? 1;
      return [
        group,
        COMPUTE_DTYPES.indexOf(inputDtype),
        E2M1_RULES.indexOf(rule),
        Number(product),
        times,
        ...(e4m3
          ? e4m3Numbers(e4m3(number), mostOf({ rule, dtype }, times))
          : e8m0Numbers(e8m0!, product)),
      ];
    },
  };
}

/** The longest group that the kernel takes. */
const MOST_GROUP = 2048;

function leastOf(numbers: Float32Array): number {
  let least = Infinity;
  for (let i = 0; i < numbers.length; i++) {
    if (numbers[i] < least) least = numbers[i];
  }
  return least;
}

/** Finds scales and factors of all groups; false where there is no kernel, or one of them is not ordinary. */
function fitByKernel(
  { e4m3, e8m0, product = false }: NonNullable<E2M1Plan["steps"]>,
  ofTensor: number,
  absmax: Float32Array,
  stored: Float32Array,
  factors: Float32Array,
  most: number,
): boolean {
  if (e4m3) return fitE4M3(e4m3(ofTensor), absmax, stored, factors, most);
  return e8m0 !== undefined && fitE8M0(e8m0, product, absmax, stored, factors);
}

/** Steps beyond this are left to MLX's rule: float32 no longer tells their neighbours apart. */
const MOST_STEPS = 2 ** 16;

/** Quotients beyond this are left to the rules, where those that are rounded have to be finite. */
const MOST_HALVES = 2 ** 15;

/** Up to what quotients may be, which are multiplied then to become steps. */
function mostOf(
  { rule, dtype }: Pick<E2M1Steps, "rule" | "dtype">,
  times: number,
): number {
  if (rule !== "toZero") return Infinity;
  const most = MOST_STEPS / times;
  return dtype === "F16" ? Math.min(most, MOST_HALVES) : most;
}

/** The smallest float32. */
const LEAST_FACTOR = 2 ** -149;

function decode(plan: E2M1Plan, tile: Tile, out: Float32Array): void {
  const { fields } = tile, stored = fields[plan.stored];
  const ofTensor = plan.ofTensor ? fields[plan.ofTensor.role][0] : 1;
  const scales = tile.memory(stored.length);
  for (let i = 0; i < scales.length; i++) {
    scales[i] = plan.scale(stored[i], ofTensor);
  }
  const offsets = tile.memory(stored.length).fill(0);
  decodeGroups(tile, spanOf(plan), scales, offsets, {
    values: plan.grid.values,
    computeDtype: plan.computeDtype,
  }, out);
}

function absmaxOf(values: Float32Array): number {
  let largest = 0;
  for (const x of values) largest = max(largest, abs(x));
  return largest;
}

/** A prepass that finds the largest magnitude of a whole tensor in the type that its values are rounded to. */
export function wholeAbsmax(dtype: ComputeDtype = "F32"): Prepass {
  let absmax = 0;
  return {
    checks: true,
    add(values): void {
      absmax = max(absmax, measureMagnitude(values));
    },
    result: () => ({ known: { absmax: roundTo(dtype)(absmax) } }),
  };
}
