/**
 * What `onnx_int4` and `onnx_uint4` share: weights as ONNX's DequantizeLinear takes
 * them, quantized by QuantizeLinear.
 *
 * @module
 */
import { fieldPart, flatCodes, flatNibbles } from "../layouts/parts.ts";
import { roundTo } from "../numeric/compute.ts";
import { clamp, roundHalfToEven } from "../numeric/rounding.ts";
import { matrixOf, rowLength } from "../numeric/shape.ts";
import { UINT4 } from "../schemes/grids.ts";
import { linearScheme } from "../schemes/linear.ts";
import { wholeRange } from "../schemes/whole_range.ts";
import type { RangeFit } from "../schemes/range_fit.ts";
import {
  searched,
  seekIntegers,
  seekScale,
  type Sought,
  ZERO_SEARCHES,
} from "../schemes/sought.ts";
import { encodeInType } from "../schemes/tile_rounded.ts";
import type { Format, Part } from "../words/format.ts";
import type { Layout } from "../words/layout.ts";
import { numberOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere, type Span } from "../words/tile.ts";
import { defineFormat } from "./define.ts";
import { dtypeOption, FLOATS, LARGEST, symmetricOption } from "./groups.ts";

const { abs, ceil, fround, max: larger, min: smaller } = Math;

/** Options of the formats `onnx_int4` and `onnx_uint4`. */
export interface OnnxLinearOptions extends SearchOptions {
  /** The axis that scales go along, as the operators' attribute says; the last one by default. `"tensor"` is one scale for all. */
  readonly axis?: number | "tensor";
  /** How many values along the axis share a scale, as the operators' attribute says; 32 by default. 0 is one scale for each index of the axis. */
  readonly blockSize?: number;
  /** No zero points: what is stored as 0 is 0. The default of `onnx_int4`, not of `onnx_uint4`. */
  readonly symmetric?: boolean;
  /** The type of the scales and the values: `"F32"` (the default), `"F16"` or `"BF16"`. */
  readonly scaleDtype?: ComputeDtype;
}

/** The arrays of an `onnx_int4` or `onnx_uint4` tensor. */
export interface OnnxLinearParts {
  /** Two codes to a byte over the ends of rows, the first in the low nibble: the tensor's `raw_data`. */
  readonly data: Part<"U8">;
  /** The scales. */
  readonly scale: Part<ComputeDtype>;
  /** Zero points, packed as the codes are. With `symmetric: false` only. */
  readonly zero_point?: Part<"U8">;
}

/** Options with everything filled in. */
export interface ResolvedOnnxLinearOptions extends ResolvedSearchOptions {
  /** The axis that scales go along. */
  readonly axis: number | "tensor";
  /** How many values along it share a scale; 0 for one scale an index. */
  readonly blockSize: number;
  /** Whether there are no zero points. */
  readonly symmetric: boolean;
  /** The type of the scales. */
  readonly scaleDtype: ComputeDtype;
}

/** One of the two formats. */
export type OnnxLinearFormat<Name extends string> = Format<
  Name,
  OnnxLinearOptions,
  OnnxLinearParts,
  ResolvedOnnxLinearOptions
>;

/** What makes one different from the other. */
export interface OnnxLinearSpec<Name extends string> {
  /** The name that options and files use. */
  readonly name: Name;
  /** One line for a list of formats. */
  readonly summary: string;
  /** Whether codes are −8 … 7 in two's complement. */
  readonly signed: boolean;
  /** See {@linkcode Format.bitsPerValue}. */
  readonly bitsPerValue: number;
  /** See {@linkcode Format.errorBound}. */
  readonly errorBound: number;
}

function optionsOf(signed: boolean): Schema<OnnxLinearOptions> {
  return {
    axis: numberOption({
      min: 0,
      max: 64,
      words: ["tensor"],
      help: "axis that scales go along, or tensor; the last one by default",
      kept: true,
    }),
    blockSize: numberOption({
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
      help: "values along the axis that share a scale, 0 for one an index",
      kept: true,
    }),
    symmetric: symmetricOption(signed),
    scaleDtype: dtypeOption("F32", true, "type of the scales and the values"),
    ...searchSchema(ZERO_SEARCHES),
  };
}

const BLOCK_SIZE = 32;

/** The largest magnitude whose code times the rounded scale is finite, too. */
const LIMITS: Readonly<Record<ComputeDtype, number>> = {
  ...LARGEST,
  F16: 65000,
};

function complete(
  options: ResolvedOnnxLinearOptions,
  shape: readonly number[],
): ResolvedOnnxLinearOptions {
  const { axis = larger(0, shape.length - 1), blockSize } = options;
  return {
    ...options,
    axis,
    blockSize: blockSize ?? (axis === "tensor" ? 0 : BLOCK_SIZE),
  };
}

function check(
  name: string,
  { axis, blockSize }: ResolvedOnnxLinearOptions,
  shape: readonly number[],
): void {
  if (axis === "tensor") {
    if (blockSize === 0) return;
    throw new RangeError(
      `Cannot use blockSize ${blockSize} with axis "tensor": there is one scale for all values`,
    );
  }
  const axes = larger(1, shape.length), isLast = axis === axes - 1;
  if (axis >= axes) {
    throw new RangeError(
      `Cannot use axis ${axis}: shape [${shape}] has ${axes}, counted from 0`,
    );
  }
  if (isLast || axis === 0 && (blockSize === 0 || axes === 2)) return;
  throw new RangeError(
    `Cannot hold shape [${shape}] as ${name} with axis ${axis}: ` +
      "scales can go along the last axis, the first of a matrix, or be one for each index of the first",
  );
}

/** The area that shares a scale, and the shape of the scales. */
function groupOf(
  shape: readonly number[],
  { axis, blockSize }: ResolvedOnnxLinearOptions,
): { readonly span: Span; readonly scales: number[] } {
  const matrix = matrixOf(shape), all = everywhere(matrix);
  if (axis === "tensor") return { span: all, scales: [1] };
  const dimensions = shape.length === 0 ? [1] : shape;
  // A window of a tensor is taken as a matrix, whatever axes there were.
  const isLast = axis >= dimensions.length - 1;
  const along = isLast ? dimensions.length - 1 : axis;
  const length = dimensions[along];
  if (blockSize === 0) {
    const span = isLast
      ? { ...all, columns: 1 }
      : { ...all, rows: larger(1, matrix.rows / larger(1, length)) };
    return { span, scales: [length] };
  }
  const size = smaller(blockSize, larger(1, length));
  return {
    span: isLast ? { rows: 1, columns: size } : { rows: size, columns: 1 },
    scales: dimensions.map((n, i) => i === along ? ceil(n / size) : n),
  };
}

function layoutOf(
  shape: readonly number[],
  options: ResolvedOnnxLinearOptions,
  flip: number,
): Layout<OnnxLinearParts> {
  const matrix = matrixOf(shape), { scaleDtype, symmetric } = options;
  const { span, scales } = groupOf(shape, options);
  return {
    matrix,
    parts: {
      data: flatCodes(matrix, { flip }),
      scale: fieldPart("scale", span, scaleDtype, scales, FLOATS[scaleDtype]),
      ...(!symmetric && {
        zero_point: flatNibbles("zero", span, matrix, { flip }),
      }),
    },
  };
}

/** How groups are searched; `zero` is the code of 0 where there are no zero points. */
function searchOf(
  { symmetric, scaleDtype: dtype }: ResolvedOnnxLinearOptions,
  zero: number,
): Sought {
  // Values are computed in the type of the scales.
  if (!symmetric || zero === 8) {
    return seekIntegers({ symmetric, dtype, signed: true, compute: dtype });
  }
  const stored = { dtype, level: 15, compute: dtype };
  return seekScale(UINT4.values, "scale", stored);
}

/** Scale and zero point of a range; `zero` is the code of 0 where there are no zero points. */
function fitOf(
  { symmetric, scaleDtype }: ResolvedOnnxLinearOptions,
  zero: number,
): (min: number, max: number) => readonly [scale: number, zero: number] {
  const round = roundTo(scaleDtype);
  // The operator divides by scales.
  const orOne = (scale: number) => scale === 0 ? 1 : scale;
  const levels = zero === 0 ? 15 : 7;
  return (min, max) => {
    const low = smaller(min, 0), high = larger(max, 0);
    if (symmetric) {
      const most = zero === 0 ? high : larger(abs(low), high);
      return [orOne(round(fround(most / levels))), zero];
    }
    const scale = orOne(round(fround(fround(high - low) / 15)));
    return [scale, clamp(roundHalfToEven(fround(0 - low / scale)), 0, 15)];
  };
}

/** The same for kernels. */
function ruleOf(
  { symmetric, scaleDtype }: ResolvedOnnxLinearOptions,
  zero: number,
): RangeFit {
  const rule = { scaleDtype, ofZero: 1 };
  if (!symmetric) return { ...rule, of: "widened" };
  return zero === 0
    ? { ...rule, of: "top", zero }
    : { ...rule, of: "magnitude", divisor: 7 };
}

function schemeOf(
  shape: readonly number[],
  options: ResolvedOnnxLinearOptions,
  zero: number,
): Scheme {
  const { axis, symmetric, scaleDtype } = options, most = LIMITS[scaleDtype];
  const scheme = linearScheme({
    group: groupOf(shape, options).span,
    offset: symmetric ? undefined : "zero",
    zero,
    fit: fitOf(options, zero),
    rule: ruleOf(options, zero),
    rounding: "divide",
    inputDtype: scaleDtype,
    encodeInType,
    stored: scaleDtype,
    limit: symmetric ? most : most / 2,
    computeDtype: scaleDtype,
    prepass: axis === "tensor" ? wholeRange : undefined,
    // MatMulNBitsQuantizer writes symmetric scales with the sign of the largest value.
    scales: { part: "scale", signed: symmetric && zero === 8 },
  });
  const search = searchOf(options, zero);
  return searched(scheme, search, options, rowLength(shape));
}

/**
 * Makes one of the two formats.
 *
 * @param spec What makes it different from the other.
 */
export function onnxLinearFormat<Name extends string>(
  { name, signed, ...described }: OnnxLinearSpec<Name>,
): OnnxLinearFormat<Name> {
  const home = signed ? 8 : 0;
  return defineFormat<
    Name,
    OnnxLinearOptions,
    OnnxLinearParts,
    ResolvedOnnxLinearOptions
  >({
    ...described,
    name,
    source: "onnx 1.23.2 QuantizeLinear and DequantizeLinear, opset 21",
    groupSize: BLOCK_SIZE,
    options: optionsOf(signed),
    complete,
    check(options, shape): void {
      const { able } = searchOf(options, home);
      checkSearch(options, able, `symmetric: ${options.symmetric}`);
      check(name, options, shape);
    },
    like(
      { fields, groupedBy, prepass, constants, computeDtype },
    ): OnnxLinearOptions {
      const span = fields[groupedBy]?.span;
      const symmetric = constants?.zero === home;
      // Values are computed in the type of the scales.
      const same = { symmetric, scaleDtype: computeDtype };
      if (prepass || !span) return { axis: "tensor", ...same };
      return span.columns === 1 && span.rows > 1
        ? { axis: 0, blockSize: span.rows, ...same }
        : { blockSize: span.columns, ...same };
    },
    layout: (shape, options) => layoutOf(shape, options, home),
    scheme: (shape, options) => schemeOf(shape, options, home),
  });
}
