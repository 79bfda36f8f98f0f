/**
 * `lucene99`: vectors of 4 bits as Lucene 9 keeps them in its scalar quantized format:
 * one range for all, and a number for each vector by which scores are corrected.
 *
 * ```
 * codes            U8    [..., columns / 2]   `compress`: byte i has the code of value i in its high
 *                                             nibble, of value i + columns / 2 in its low one
 *                        [..., columns]       otherwise: one code to a byte
 * corrections      F32   [...]                one number for each vector
 * lower_quantile   F32   []                   the smallest value
 * upper_quantile   F32   []                   the largest value
 * ```
 *
 * Every step in float32, from lower quantile l and upper quantile u (confidence 1):
 *
 * - code q = ⌊(15 / (u − l)) · (x − l) + 0.5⌋; 0 where u = l
 * - value = ((u − l) / 15) · q + l
 * - correction = the sum, from first to last, of l · (x − l / 2) + (d − e) · e, d being x − l
 *   and e ((u − l) / 15) · q; 0 for similarity `euclidean`
 *
 * For similarity `cosine` vectors are divided by their length first, unless the square
 * of that is within 1e-4 of 1: the values are those of unit vectors. Lucene adds up
 * squares in an order that depends on the processor; here they are added in double
 * precision, so the last bits may differ for vectors that are not of length 1.
 *
 * Source: Lucene 9.12.1, `ScalarQuantizer` and
 * `Lucene99HnswScalarQuantizedVectorsFormat` with 4 bits.
 *
 * @module
 */
import { wasmInForce } from "../kernels/engine.ts";
import { VECTOR_KERNELS } from "../kernels/modules.ts";
import { sharedInstance } from "../kernels/room.ts";
import { F32 } from "../layouts/codecs.ts";
import { fieldPart } from "../layouts/parts.ts";
import { defineFormat } from "../model/define.ts";
import { badNumber } from "../model/numbers.ts";
import { ScaleOverflow } from "../numeric/finite.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { columnRanges } from "../schemes/extremes.ts";
import { UINT4 } from "../schemes/grids.ts";
import { BIAS_SEARCHES, searched, seekRanges } from "../schemes/sought.ts";
import { decodeGroups } from "../schemes/tile_values.ts";
import { areFinite } from "../schemes/tiles.ts";
import type { Format, Part } from "../words/format.ts";
import type { CodesItem, Layout, PartPlan } from "../words/layout.ts";
import { booleanOption, choiceOption } from "../words/options.ts";
import type { EncodeContext, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere, type Tile } from "../words/tile.ts";

const { abs, floor, fround, sqrt } = Math;

const NAME = "lucene99";

/** How vectors are compared. */
export type Lucene99Similarity =
  | "euclidean"
  | "dot_product"
  | "cosine"
  | "maximum_inner_product";

/** Options of the format `lucene99`. */
export interface Lucene99Options extends SearchOptions {
  /** How vectors are compared, on which corrections depend: `"euclidean"` by default. */
  readonly similarity?: Lucene99Similarity;
  /** Whether two codes share a byte. Yes by default. */
  readonly compress?: boolean;
}

/** `lucene99` options with everything filled in. */
export type ResolvedLucene99Options =
  & Required<Omit<Lucene99Options, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The arrays of a `lucene99` tensor. */
export interface Lucene99Parts {
  /** Codes of each vector. */
  readonly codes: Part<"U8">;
  /** One number for each vector. */
  readonly corrections: Part<"F32">;
  /** The smallest value. */
  readonly lower_quantile: Part<"F32">;
  /** The largest value. */
  readonly upper_quantile: Part<"F32">;
}

/** The order of the last vectors' codes: it is as long as they are. */
let halves: readonly number[] = [];

function codesPart(shape: readonly number[], compress: boolean): PartPlan {
  const columns = rowLength(shape), half = columns / 2;
  const codes: Omit<CodesItem, "nibbles"> = { kind: "codes", at: 0 };
  if (!compress) {
    return {
      dtype: "U8",
      shape,
      unit: { rows: 1, columns: 1, bytes: 1 },
      order: "rows",
      holds: [{ ...codes, nibbles: [0], spare: [1] }],
    };
  }
  if (halves.length !== columns) {
    halves = Array.from(
      { length: columns },
      (_, i) => i < half ? 2 * i + 1 : 2 * (i - half),
    );
  }
  return {
    dtype: "U8",
    shape: withLastAxis(shape, half),
    unit: { rows: 1, columns, bytes: half },
    order: "rows",
    holds: [{ ...codes, nibbles: halves }],
  };
}

function layout(
  shape: readonly number[],
  { compress }: ResolvedLucene99Options,
): Layout<Lucene99Parts> {
  const matrix = matrixOf(shape), all = everywhere(matrix);
  const vector = { rows: 1, columns: all.columns };
  const once = (role: string) => fieldPart(role, all, "F32", [], F32);
  return {
    matrix,
    parts: {
      codes: codesPart(shape, compress),
      corrections: fieldPart(
        "correction",
        vector,
        "F32",
        shape.slice(0, -1),
        F32,
      ),
      lower_quantile: once("lower"),
      upper_quantile: once("upper"),
    },
  };
}

function scheme(
  shape: readonly number[],
  { similarity, ...options }: ResolvedLucene99Options,
): Scheme {
  const matrix = matrixOf(shape), all = everywhere(matrix);
  const vector = { rows: 1, columns: all.columns };
  const prepare = similarity === "cosine" ? normalize : undefined;
  const { columns } = matrix;
  const base: Scheme = {
    grid: UINT4,
    form: "other",
    fields: {
      correction: { span: vector },
      lower: { span: all, shared: true },
      upper: { span: all, shared: true },
    },
    groupedBy: "upper",
    computeDtype: "F32",
    prepass: () => columnRanges(columns, true, prepare),
    together: vector,
    encode: (values, tile, context) =>
      encode(similarity, values, tile, context),
    decode,
  };
  const sought = seekRanges({ columns, together: true, offset: 0, prepare });
  return searched(base, sought, options, columns);
}

/** How far the square of a length may be from 1 for a vector to be left as it is. */
const EPSILON = fround(1e-4);

/** Divides a vector by its length. */
function normalize(vector: Float32Array): void {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += vector[i] * vector[i];
  const square = fround(sum);
  if (square === 0 || abs(square - 1) <= EPSILON) return;
  const length = sqrt(square);
  for (let i = 0; i < vector.length; i++) vector[i] /= length;
}

/** Values between quantiles of this magnitude are float32. */
const LIMIT = 1.7e38;

/** From one value to the next. */
function stepOf(lower: number, upper: number): number {
  return fround(fround(upper - lower) / 15);
}

function quantiles(
  { ranges, overflow = "throw" }: EncodeContext,
): readonly [lower: number, upper: number] {
  const [lower, upper] = ranges ? [ranges.min[0], ranges.max[0]] : [0, 0];
  const largest = fround(15 * stepOf(lower, upper));
  if (largest < Infinity || overflow === "keep") return [lower, upper];
  if (overflow === "throw") throw new ScaleOverflow(0, 0, "float32");
  return [
    fround(Math.max(lower, -LIMIT)),
    fround(Math.min(upper, LIMIT)),
  ];
}

function encode(
  similarity: Lucene99Similarity,
  given: Float32Array,
  tile: Tile,
  context: EncodeContext,
): void {
  const { fields } = tile, isCosine = similarity === "cosine";
  const values = isCosine ? normalized(given, tile, context) : given;
  const [lower, upper] = quantiles(context);
  fields.lower[0] = lower;
  fields.upper[0] = upper;
  const corrects = similarity !== "euclidean";
  if (encodeVectors(values, tile, lower, upper, corrects)) return;
  encodePlain(values, tile, lower, upper, corrects);
}

/** Vectors of length 1: in place of those given, where these may be overwritten. */
function normalized(
  given: Float32Array,
  { columns, memory }: Tile,
  { own }: EncodeContext,
): Float32Array {
  const values = own ? given : memory(given.length);
  if (!own) values.set(given);
  for (let first = 0; first < values.length; first += columns) {
    normalize(values.subarray(first, first + columns));
  }
  return values;
}

/** By kernels; false where there are none, or the inverse of a step is not finite. */
function encodeVectors(
  values: Float32Array,
  { rows, columns, codes, fields: { correction } }: Tile,
  lower: number,
  upper: number,
  corrects: boolean,
): boolean {
  const instance = sharedInstance(values, codes, correction);
  const width = fround(upper - lower), scale = fround(15 / width);
  if (!instance || !Number.isFinite(scale)) return false;
  const call = (name: string, operands: readonly number[]) =>
    wasmInForce()!.call(VECTOR_KERNELS, instance, name, operands) === 0;
  const arrays = [values.byteOffset, codes.byteOffset];
  const ends = [lower, width, scale];
  if (!call("vector_codes", [values.length, ...arrays, ...ends])) return false;
  if (!corrects) {
    correction.fill(0);
    return true;
  }
  const ofSums = [lower, lower / 2, stepOf(lower, upper)];
  const where = [...arrays, correction.byteOffset];
  // Which NaN a sum is, plain JS says.
  return call("vector_corrections", [rows, columns, ...where, ...ofSums]) &&
    areFinite(correction);
}

function encodePlain(
  values: Float32Array,
  { rows, columns, codes, fields }: Tile,
  lower: number,
  upper: number,
  corrects: boolean,
): void {
  const scale = fround(15 / fround(upper - lower));
  const step = stepOf(lower, upper);
  for (let r = 0; r < rows; r++) {
    const first = r * columns;
    let correction = 0;
    for (let i = first; i < first + columns; i++) {
      const x = values[i], d = fround(x - lower);
      const within = x < lower ? 0 : x < upper ? d : fround(upper - lower);
      codes[i] = floor(fround(scale * within) + 0.5);
      const e = fround(codes[i] * step);
      const offset = fround(lower * fround(x - fround(lower / 2)));
      const rest = fround(fround(d - e) * e);
      correction = fround(correction + fround(offset + rest));
    }
    fields.correction[r] = corrects ? correction : 0;
  }
}

function decode(tile: Tile, out: Float32Array): void {
  const { lower, upper: [upper] } = tile.fields;
  const step = tile.memory(1).fill(stepOf(lower[0], upper));
  decodeGroups(tile, everywhere(tile.matrix), step, lower, {
    values: UINT4.values,
    offset: "bias",
    computeDtype: "F32",
  }, out);
}

function check(
  _options: ResolvedLucene99Options,
  shape: readonly number[],
): void {
  const columns = rowLength(shape);
  if (columns > 0 && columns % 2 === 0) return;
  throw new RangeError(
    `Cannot lay out shape [${shape}] as ${NAME}: the last axis is ${columns}, ` +
      "Lucene takes even numbers of dimensions with 4 bits",
  );
}

function checkNumbers(
  { lower_quantile, upper_quantile }: Lucene99Parts,
): void {
  const [lower] = lower_quantile.data, [upper] = upper_quantile.data;
  if (!Number.isFinite(lower)) {
    throw badNumber(NAME, "lower_quantile", 0, lower, "finite");
  }
  if (Number.isFinite(upper) && upper >= lower) return;
  const wanted = `finite and ${lower} or more`;
  throw badNumber(NAME, "upper_quantile", 0, upper, wanted);
}

/**
 * Lucene's scalar quantized vectors; see the head of this file for layout and
 * arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const vectors = Float32Array.from({ length: 100 * 8 }, (_, i) => Math.sin(i));
 * const q = quantize(vectors, {
 *   format: "lucene99",
 *   shape: [100, 8],
 *   similarity: "dot_product",
 * });
 * console.log(q.parts.codes.shape, q.parts.corrections.shape); // [100, 4] [100]
 * console.log(dequantize(q).length); // 800
 * ```
 */
export const lucene99: Format<
  "lucene99",
  Lucene99Options,
  Lucene99Parts,
  ResolvedLucene99Options
> = defineFormat({
  name: NAME,
  summary:
    "Lucene 9 scalar quantized vectors: one range, a correction for each vector",
  source: "Lucene 9.12.1 ScalarQuantizer with 4 bits",
  groupSize: "tensor",
  // Beside the codes a float32 for each vector: here one of 4096 dimensions.
  bitsPerValue: 4 + 32 / 4096,
  // Half a step of 2 / 15.
  errorBound: 0.067,
  options: {
    similarity: choiceOption({
      choices: ["euclidean", "dot_product", "cosine", "maximum_inner_product"],
      default: "euclidean",
      kept: true,
      help: "how vectors are compared; corrections depend on it",
    }),
    compress: booleanOption({
      default: true,
      kept: true,
      help: "two codes to a byte",
    }),
    ...searchSchema(BIAS_SEARCHES),
  },
  check,
  checkNumbers,
  layout,
  scheme,
});
