/**
 * `faiss_qt4`: faiss' ScalarQuantizer of 4 bits: a range for each dimension, or one for
 * all (`QT_4bit` and `QT_4bit_uniform`).
 *
 * ```
 * codes     U8    [..., ⌈columns / 2⌉]   two codes to a byte, the first in the low nibble
 * trained   F32   [2 · columns]          the smallest value of each column, then the widths
 *                                        of their ranges; uniform: [2], both numbers
 * ```
 *
 * - smallest = min x, width = max x − min x, in float32
 * - code = ⌊clamp((x − smallest) / width, 0, 1) · 15⌋, the quotient in float32, the product
 *   in double precision; 0 where the width is 0
 * - value = smallest + ((code + 0.5) / 15) · width, every step in float32
 *
 * faiss built for AVX2 and others fuses the last two steps where the dimension is a
 * multiple of 8, and its values differ in the last bits: this is its scalar code.
 *
 * Source: faiss 1.15.1, impl/ScalarQuantizer.cpp, with RS_minmax and its argument 0.
 *
 * @module
 */
import { F32, repeated } from "../layouts/codecs.ts";
import { fieldAt } from "../layouts/items.ts";
import { packedRows } from "../layouts/parts.ts";
import { defineFormat } from "../model/define.ts";
import { badNumber } from "../model/numbers.ts";
import {
  firstOutside,
  type Overflow,
  ScaleOverflow,
} from "../numeric/finite.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { columnRanges } from "../schemes/extremes.ts";
import { UINT4 } from "../schemes/grids.ts";
import { BIAS_SEARCHES, searched, seekRanges } from "../schemes/sought.ts";
import { decodeGroups } from "../schemes/tile_values.ts";
import { decodeColumns, encodeMiddles } from "../schemes/vector_columns.ts";
import type { Format, Part } from "../words/format.ts";
import type { Layout } from "../words/layout.ts";
import { booleanOption } from "../words/options.ts";
import type { EncodeContext, Ranges, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere, type Span, type Tile } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";

const { fround } = Math;

const NAME = "faiss_qt4";

/** Options of the format `faiss_qt4`. */
export interface FaissQt4Options extends SearchOptions {
  /** Whether one range serves all columns (`QT_4bit_uniform`). No by default. */
  readonly uniform?: boolean;
}

/** `faiss_qt4` options with everything filled in. */
export type ResolvedFaissQt4Options =
  & Required<Omit<FaissQt4Options, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The arrays of a `faiss_qt4` tensor. */
export interface FaissQt4Parts {
  /** Two codes to a byte, the first in the low nibble. */
  readonly codes: Part<"U8">;
  /** The smallest values, then the widths of ranges. */
  readonly trained: Part<"F32">;
}

/** The area that shares a range. */
function spanOf(matrix: Matrix, uniform: boolean): Span {
  const { rows, columns } = everywhere(matrix);
  return { rows, columns: uniform ? columns : 1 };
}

function layout(
  shape: readonly number[],
  { uniform }: ResolvedFaissQt4Options,
): Layout<FaissQt4Parts> {
  const matrix = matrixOf(shape), columns = rowLength(shape);
  const ranges = uniform ? 1 : columns;
  const codec = repeated(F32, ranges);
  return {
    matrix,
    parts: {
      codes: packedRows({
        dtype: "U8",
        shape: withLastAxis(shape, Math.ceil(columns / 2)),
      }),
      trained: {
        dtype: "F32",
        shape: [2 * ranges],
        unit: { ...everywhere(matrix), bytes: 2 * codec.bytes },
        order: "rows",
        holds: [
          fieldAt("smallest", 0, codec),
          fieldAt("width", codec.bytes, codec),
        ],
      },
    },
  };
}

function scheme(
  shape: readonly number[],
  { uniform, ...options }: ResolvedFaissQt4Options,
): Scheme {
  const matrix = matrixOf(shape), span = spanOf(matrix, uniform);
  const { columns } = matrix;
  const trained = trainedOnce();
  const base: Scheme = {
    grid: UINT4,
    form: "other",
    fields: {
      smallest: { span, shared: true },
      width: { span, shared: true },
    },
    groupedBy: "width",
    computeDtype: "F32",
    prepass: () => columnRanges(columns, uniform),
    // All ranges lie in one array.
    together: { rows: 1, columns: Math.max(1, matrix.columns) },
    encode: (values, tile, context) =>
      encode(values, tile, trained(tile, context)),
    decode: (tile, out) => decode(span, tile, out),
  };
  // The level of a code is in the middle of its step.
  const sought = seekRanges({ columns, together: uniform, offset: 0.5 });
  return searched(base, sought, options, columns);
}

/** The ranges of a tensor as they are stored. */
type Trained = Readonly<Record<"smallest" | "width", Float32Array>>;

/** Finds them for the first tile of a tensor; tiles after it have the same ranges. */
function trainedOnce(): (tile: Tile, context: EncodeContext) => Trained {
  let known: Ranges | undefined, trained: Trained | undefined;
  return ({ fields: { width: { length } } }, { ranges, overflow }) => {
    if (trained && ranges === known) return trained;
    const smallest = new Float32Array(length), width = smallest.slice();
    for (let k = 0; k < length; k++) {
      const [min, max] = ranges ? [ranges.min[k], ranges.max[k]] : [0, 0];
      [smallest[k], width[k]] = rangeOf(min, max, k, overflow);
    }
    [known, trained] = [ranges, { smallest, width }];
    return trained;
  };
}

function encode(
  values: Float32Array,
  tile: Tile,
  { smallest: lowest, width: widest }: Trained,
): void {
  const { codes, fields: { smallest, width } } = tile;
  smallest.set(lowest);
  width.set(widest);
  const lows = ofColumns(smallest, tile), widths = ofColumns(width, tile);
  if (encodeMiddles(values, tile, lows, widths)) return;
  const { columns } = tile;
  for (let first = 0; first < values.length; first += columns) {
    for (let c = 0; c < columns; c++) {
      const part = widths[c] === 0
        ? 0
        : fround(fround(values[first + c] - lows[c]) / widths[c]);
      codes[first + c] = part > 0 ? part < 1 ? part * 15 : 15 : 0;
    }
  }
}

/** Numbers for each column, where there may be one for all. */
function ofColumns(
  numbers: Float32Array,
  { columns, memory }: Tile,
): Float32Array {
  return numbers.length === columns
    ? numbers
    : memory(columns).fill(numbers[0]);
}

/** Where a code lies in the range: in the middle of its fifteenth. */
function partOf(code: number): number {
  return fround((code + 0.5) / 15);
}

const PARTS = Float32Array.from({ length: 16 }, (_, code) => partOf(code));

/** The largest of these. */
const LAST = PARTS[15];

/** Ranges between these have values that are float32: the last is half a step beyond the width. */
const LIMIT = 1.6e38;

function rangeOf(
  min: number,
  max: number,
  column: number,
  overflow: Overflow = "throw",
): readonly [smallest: number, width: number] {
  const width = fround(max - min), fits = fround(LAST * width) < Infinity;
  if (fits || overflow === "keep") return [min, width];
  if (overflow === "throw") throw new ScaleOverflow(column, column, "float32");
  const low = Math.max(min, -LIMIT), high = Math.min(max, LIMIT);
  return [fround(low), fround(fround(high) - fround(low))];
}

function decode(span: Span, tile: Tile, out: Float32Array): void {
  const { smallest, width } = tile.fields;
  const isWide = width.length > 1;
  if (isWide && decodeColumns(tile, smallest, width, PARTS, out)) return;
  decodeGroups(tile, span, width, smallest, {
    values: PARTS,
    offset: "bias",
    computeDtype: "F32",
  }, out);
}

function check(
  _options: ResolvedFaissQt4Options,
  shape: readonly number[],
): void {
  if (rowLength(shape) > 0) return;
  throw new RangeError(
    `Cannot lay out shape [${shape}] as ${NAME}: the last axis is 0, vectors have 1 dimension or more`,
  );
}

/** The largest float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

function checkNumbers({ trained: { data } }: FaissQt4Parts): void {
  const half = data.length / 2;
  const low = firstOutside(data.subarray(0, half), -LARGEST, LARGEST);
  const width = firstOutside(data.subarray(half), 0, LARGEST);
  if (low < 0 && width < 0) return;
  const index = low < 0 ? half + width : low;
  const wanted = index < half ? "finite" : "finite and not negative";
  throw badNumber(NAME, "trained", index, data[index], wanted);
}

/**
 * faiss' scalar quantizer; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const vectors = Float32Array.from({ length: 100 * 7 }, (_, i) => Math.sin(i));
 * const q = quantize(vectors, { format: "faiss_qt4", shape: [100, 7] });
 * console.log(q.parts.codes.shape, q.parts.trained.shape); // [100, 4] [14]
 * console.log(dequantize(q).length); // 700
 * ```
 */
export const faiss_qt4: Format<
  "faiss_qt4",
  FaissQt4Options,
  FaissQt4Parts,
  ResolvedFaissQt4Options
> = defineFormat({
  name: NAME,
  summary:
    "faiss QT_4bit: vectors by the range of each dimension, or of all (uniform)",
  source: "faiss 1.15.1 ScalarQuantizer, scalar code",
  groupSize: "tensor",
  bitsPerValue: 4,
  // Half a step of 2 / 15.
  errorBound: 0.067,
  options: {
    uniform: booleanOption({
      default: false,
      kept: true,
      help: "one range for all columns",
    }),
    ...searchSchema(BIAS_SEARCHES),
  },
  check,
  checkNumbers,
  layout,
  scheme,
});
