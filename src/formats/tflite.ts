/**
 * `tflite`: INT4 weights of TensorFlow Lite models, as ai-edge-quantizer makes them.
 *
 * ```text
 * weight      U8  [ceil(size / 2)]    two codes to a byte over the ends of rows, the first in the low
 *                                     nibble, in two's complement: the tensor's buffer
 * scale       F32 [1] or [channels]   granularity "tensor" and "channel", channels along `axis`
 *             F16 [rows, blocks]      a block size: the tensor that `scales` points to
 * zero_point  I64 like the scales     −8 … 7; with symmetric: false only
 * value = (code − zero) · scale in float32; with granularity "tensor" code · scale − zero · scale
 * ```
 *
 * Symmetric: scale = max(max |x|, 1e-9) / 7, code = clamp(RNE(x / scale), −8, 7).
 * Asymmetric: the range is extended to hold 0, scale = max(max − min, 1e-9) / 15,
 * zero = RNE(−8 − min / scale), code = clamp(RNE(x / scale + zero), −8, 7). Scales of
 * blocks are rounded to bfloat16 and then to float16 before codes are found; where that
 * makes 0, values are −8, 0 or 7 times nothing.
 *
 * Source: ai-edge-quantizer 0.10.0, `uniform_quantize_tensor.py`; LiteRT 2.3.0.
 *
 * @module
 */
import { F16, F32, signedLong } from "../layouts/codecs.ts";
import { fieldPart, flatCodes } from "../layouts/parts.ts";
import { defineFormat } from "../model/define.ts";
import { LARGEST, symmetricOption } from "../model/groups.ts";
import { roundTo } from "../numeric/compute.ts";
import { roundHalfToEven } from "../numeric/rounding.ts";
import { matrixOf, rowLength } from "../numeric/shape.ts";
import { linearScheme } from "../schemes/linear.ts";
import { wholeRange } from "../schemes/whole_range.ts";
import { checkZeros } from "../schemes/numbers.ts";
import type { RangeFit } from "../schemes/range_fit.ts";
import {
  searched,
  seekIntegers,
  type Sought,
  ZERO_SEARCHES,
} from "../schemes/sought.ts";
import type { Format, Part } from "../words/format.ts";
import type { Layout } from "../words/layout.ts";
import { numberOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import type { Tile } from "../words/tile.ts";
import { everywhere, type Span } from "../words/tile.ts";

const { abs, fround, max: larger, min: smaller } = Math;

/** Options of the format `tflite`. */
export interface TfliteOptions extends SearchOptions {
  /** What shares a scale: an index of the first axis (`"channel"`, the default), all values (`"tensor"`), or so many of a row: 32, 64, 128 or 256. */
  readonly granularity?: "tensor" | "channel" | 32 | 64 | 128 | 256;
  /** Which axis channels are of, the tensor's `quantized_dimension`: 0 (the default), one before which all are 1, or the last, as of depthwise convolutions. With granularity `"channel"` only. */
  readonly axis?: number;
  /** No zero points (the default), or one for each scale; blocks are always symmetric. */
  readonly symmetric?: boolean;
}

/** The arrays of a `tflite` tensor. */
export interface TfliteParts {
  /** Two codes to a byte over the ends of rows, the first in the low nibble. */
  readonly weight: Part<"U8">;
  /** The scales: float16 for blocks. */
  readonly scale: Part<"F32" | "F16">;
  /** Zero points. With `symmetric: false` only. */
  readonly zero_point?: Part<"I64">;
}

/** `tflite` options with everything filled in. */
export type ResolvedTfliteOptions =
  & Required<Omit<TfliteOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

const BLOCKS = [32, 64, 128, 256] as const;

const OPTIONS: Schema<TfliteOptions> = {
  granularity: numberOption({
    min: 32,
    max: 256,
    choices: BLOCKS,
    words: ["tensor", "channel"],
    default: "channel",
    help: "values that share a scale: channel, tensor or a block size",
    kept: true,
  }),
  axis: numberOption({
    min: 0,
    max: 64,
    default: 0,
    help: "axis of the channels: 0, or the last",
    kept: true,
  }),
  symmetric: symmetricOption(true),
  ...searchSchema(ZERO_SEARCHES),
};

function searchOf(
  { granularity, symmetric }: ResolvedTfliteOptions,
): Sought {
  const dtype = typeof granularity === "number" ? "F16" : "F32";
  return seekIntegers({ symmetric, dtype });
}

function check(
  options: ResolvedTfliteOptions,
  shape: readonly number[],
): void {
  const { granularity, symmetric, axis } = options;
  checkSearch(options, searchOf(options).able, `symmetric: ${symmetric}`);
  if (granularity === "channel") return checkAxis(axis, shape);
  if (axis !== 0) {
    throw new RangeError(
      `Cannot use axis ${axis} with granularity ${granularity}: only channels have one`,
    );
  }
  if (granularity === "tensor") return;
  if (!symmetric) {
    throw new RangeError(
      `Cannot use symmetric: false with granularity ${granularity}: blocks have no zero points`,
    );
  }
  const { columns } = matrixOf(shape);
  if (shape.length <= 2 && columns % granularity === 0) return;
  throw new RangeError(
    `Cannot hold shape [${shape}] as tflite with granularity ${granularity}: it takes a matrix of rows of whole blocks`,
  );
}

function checkAxis(axis: number, shape: readonly number[]): void {
  const axes = larger(1, shape.length);
  if (axis >= axes) {
    throw new RangeError(
      `Cannot use axis ${axis}: shape [${shape}] has ${axes}, counted from 0`,
    );
  }
  if (axis === axes - 1 || shape.slice(0, axis).every((n) => n === 1)) return;
  throw new RangeError(
    `Cannot hold shape [${shape}] as tflite with axis ${axis}: ` +
      "channels can be of the first axis, of one before which all are 1, or of the last",
  );
}

/** The area that shares a scale, and the shape of the scales. */
function groupOf(
  shape: readonly number[],
  { granularity, axis }: ResolvedTfliteOptions,
): { readonly span: Span; readonly scales: readonly number[] } {
  const matrix = matrixOf(shape), all = everywhere(matrix);
  if (granularity === "tensor") return { span: all, scales: [1] };
  if (granularity !== "channel") {
    const { rows, columns } = matrix;
    return {
      span: { rows: 1, columns: granularity },
      scales: [rows, columns / granularity],
    };
  }
  if (axis > 0 && axis === shape.length - 1) {
    return { span: { ...all, columns: 1 }, scales: [matrix.columns] };
  }
  const channels = shape.length < 2 ? 1 : shape[axis];
  const rows = larger(1, matrix.rows / larger(1, channels));
  return { span: { ...all, rows }, scales: [matrix.rows === 0 ? 0 : channels] };
}

function layout(
  shape: readonly number[],
  options: ResolvedTfliteOptions,
): Layout<TfliteParts> {
  const matrix = matrixOf(shape), { span, scales } = groupOf(shape, options);
  const [dtype, codec] = typeof options.granularity === "number"
    ? ["F16", F16] as const
    : ["F32", F32] as const;
  return {
    matrix,
    parts: {
      weight: flatCodes(matrix, { flip: 8 }),
      scale: fieldPart("scale", span, dtype, scales, codec),
      ...(!options.symmetric && {
        zero_point: fieldPart("zero", span, "I64", scales, signedLong(8)),
      }),
    },
  };
}

/** The least range that is told from nothing. */
const LEAST = fround(1e-9);
const toBfloat16 = roundTo("BF16"), toFloat16 = roundTo("F16");

/** Scale and zero point of a range. */
function fitOf(
  { granularity, symmetric }: ResolvedTfliteOptions,
): (min: number, max: number) => readonly [scale: number, zero: number] {
  if (symmetric) {
    const stored = typeof granularity === "number"
      ? (scale: number) => toFloat16(toBfloat16(scale))
      : fround;
    return (min, max) => [
      stored(fround(larger(abs(min), abs(max), LEAST) / 7)),
      8,
    ];
  }
  return (min, max) => {
    const low = smaller(min, 0), high = larger(max, 0);
    const scale = fround(larger(fround(high - low), LEAST) / 15);
    return [scale, roundHalfToEven(fround(-8 - fround(low / scale))) + 8];
  };
}

/** The same for kernels, but for zero points that are too far from the range. */
function ruleOf(
  { granularity, symmetric }: ResolvedTfliteOptions,
): RangeFit | undefined {
  if (!symmetric) return undefined;
  const rule = {
    of: "magnitude",
    divisor: 7,
    least: fround(LEAST / 7),
  } as const;
  return typeof granularity === "number"
    ? { ...rule, scaleDtype: "BF16", again: "F16" }
    : rule;
}

function scheme(
  shape: readonly number[],
  options: ResolvedTfliteOptions,
): Scheme {
  const { granularity, symmetric } = options;
  const blocks = typeof granularity === "number";
  const linear = linearScheme({
    group: groupOf(shape, options).span,
    offset: symmetric ? undefined : "zero",
    fit: fitOf(options),
    rule: ruleOf(options),
    rounding: "addSigned",
    // Nothing divided by nothing is nothing; only scales of blocks, which have no zero points, can be 0.
    zeroScale: (code, x) => x === 0 ? 8 : code,
    stored: blocks ? "F16" : "F32",
    // bfloat16 has no number between 65280 and float16's infinity.
    limit: blocks ? 65280 * 7 : LARGEST.F32 / 2,
    value: granularity === "tensor"
      ? (code, scale, zero) =>
        fround(fround((code - 8) * scale) - fround((zero - 8) * scale))
      : undefined,
    prepass: granularity === "tensor" ? wholeRange : undefined,
    scales: { part: "scale" },
  });
  const checkOwn = (tile: Tile) => {
    if (!symmetric) checkZeros(tile, linear.fields, "zero_point", -8);
  };
  const scheme: Scheme = {
    ...linear,
    check(tile): void {
      checkOwn(tile);
      linear.check?.(tile);
    },
    decode(tile, out): void {
      checkOwn(tile);
      linear.decode(tile, out);
    },
  };
  return searched(scheme, searchOf(options), options, rowLength(shape));
}

/**
 * The format `tflite`; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weight = Float32Array.from({ length: 10 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weight, {
 *   format: "tflite",
 *   shape: [10, 64],
 *   granularity: 32,
 * });
 * console.log(q.parts.weight.shape, q.parts.scale.shape); // [320] [10, 2]
 * console.log(dequantize(q).length); // 640
 * ```
 */
export const tflite: Format<
  "tflite",
  TfliteOptions,
  TfliteParts,
  ResolvedTfliteOptions
> = defineFormat({
  name: "tflite",
  summary:
    "TensorFlow Lite INT4: a scale for each channel, block or tensor; optional zero points",
  source:
    "google-ai-edge/ai-edge-quantizer 0.10.0 algorithms/uniform_quantize/uniform_quantize_tensor.py",
  groupSize: "row",
  bitsPerValue: 4 + 32 / 4096,
  errorBound: 1 / 14 + 1e-6,
  options: OPTIONS,
  check,
  like({ fields, groupedBy, prepass, constants }, shape): TfliteOptions {
    const span = fields[groupedBy]?.span, columns = span?.columns;
    const block = BLOCKS.find((size) => size === columns);
    const symmetric = constants?.zero !== undefined;
    if (prepass || columns === undefined) {
      return { granularity: "tensor", symmetric };
    }
    if (columns === 1 && span.rows > 1 && shape.length > 1) {
      return { granularity: "channel", axis: shape.length - 1, symmetric };
    }
    // One block a row is a channel, too, whose float32 scale holds any other.
    return block && symmetric && columns < matrixOf(shape).columns
      ? { granularity: block, symmetric }
      : { granularity: "channel", symmetric };
  },
  layout,
  scheme,
});
