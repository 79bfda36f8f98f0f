/**
 * `int4`: signed 4-bit codes with float32 scales, grouped along the last axis.
 *
 * ```
 * codes       U8  [..., ceil(columns / 2)]   two codes to a byte, the first in the low nibble;
 *                                            each row starts at a byte, an odd row ends in a zero nibble
 * scales      F32 [..., groups per row]      [1] for one scale per tensor
 * zeroPoints  I8  like scales                affine only
 * ```
 *
 * code = clamp(RNE(x / scale) + zeroPoint, −8, 7), value = (code − zeroPoint) · scale,
 * every step in float32. Scale rules:
 *
 * - `absmax`: scale = max |x| / 7
 * - `minmax`: scale = (max − min) / 15, the original module's; codes saturate where data is far from zero
 * - `affine`: min and max extended to hold 0, scale = (max − min) / 15,
 *   zeroPoint = clamp(RNE(−8 − min / scale), −8, 7)
 *
 * A scale of 0 becomes 1. Source: the int4 Python module that this project grew out of.
 *
 * @module
 */
import {
  type GroupSize,
  groupsShape,
  type ScaleMethod,
} from "../kernels/grouped.ts";
import { INT4_KERNELS } from "../kernels/modules.ts";
import { F32, signedByte } from "../layouts/codecs.ts";
import { fieldPart, packedRows } from "../layouts/parts.ts";
import { defineWithOwnWay } from "../model/define.ts";
import {
  HALF_OF_LARGEST,
  type Int4Parts,
  int4Runs,
  type ResolvedInt4Options,
} from "../model/int4_runs.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { scaleOf } from "../schemes/int4_scale.ts";
import { UINT4 } from "../schemes/grids.ts";
import { linearSchemeApart } from "../schemes/linear_form.ts";
import {
  searched,
  seekScale,
  seekZero,
  type Sought,
  ZERO_SEARCHES,
} from "../schemes/sought.ts";
import type { StoredPlan } from "../schemes/stored_plan.ts";
import { wholeRange } from "../schemes/whole_range.ts";
import type { Format } from "../words/format.ts";
import type { Layout } from "../words/layout.ts";
import { choiceOption, numberOption, rangeOption } from "../words/options.ts";
import type { Schema } from "../words/schema.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  checkSearch,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import { everywhere, type Span } from "../words/tile.ts";

export type { Int4Parts, ResolvedInt4Options } from "../model/int4_runs.ts";

/** Options of the format `int4`. */
export interface Int4Options extends SearchOptions {
  /** How many values share a scale: a number along the last axis, `"row"`, or `"tensor"` (the default). */
  readonly groupSize?: GroupSize;
  /** How the scale is found: `"absmax"` (the default), `"minmax"` or `"affine"`. */
  readonly scaleMethod?: ScaleMethod;
  /**
   * Take all values to lie between these two instead of looking, as for data that
   * comes in pieces; with `groupSize: "tensor"` only. Values beyond saturate.
   */
  readonly range?: readonly [min: number, max: number];
}

const OPTIONS: Schema<Int4Options> = {
  groupSize: numberOption({
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    words: ["row", "tensor"],
    default: "tensor",
    kept: true,
    help: "values that share a scale: a number, row or tensor",
  }),
  scaleMethod: choiceOption({
    choices: ["absmax", "minmax", "affine"],
    default: "absmax",
    kept: true,
    help: "how a scale is found",
  }),
  range: rangeOption({
    kept: false,
    help:
      'smallest and largest value, with groupSize "tensor", instead of looking',
  }),
  ...searchSchema(ZERO_SEARCHES),
};

/** How groups are searched. Scales are positive, as everywhere in this format. */
const SCALES: StoredPlan = { dtype: "F32", level: 15 };
const SYMMETRIC = seekScale(
  UINT4.values.map((code) => code - 8),
  "scale",
  SCALES,
);
const AFFINE = seekZero(SCALES);

function searchOf({ scaleMethod }: ResolvedInt4Options): Sought {
  return scaleMethod === "affine" ? AFFINE : SYMMETRIC;
}

function check(options: ResolvedInt4Options): void {
  const { groupSize, range, scaleMethod } = options;
  checkSearch(
    options,
    range ? [] : searchOf(options).able,
    range ? "a given range" : `scaleMethod "${scaleMethod}"`,
  );
  if (range === undefined || groupSize === "tensor") return;
  throw new RangeError(
    `Cannot use range with groupSize ${groupSize}: it is for groupSize "tensor"`,
  );
}

function groupOf(
  shape: readonly number[],
  groupSize: GroupSize,
): Span {
  const matrix = matrixOf(shape);
  if (groupSize === "tensor") return everywhere(matrix);
  const columns = groupSize === "row" ? matrix.columns : groupSize;
  return { rows: 1, columns: Math.max(1, Math.min(columns, matrix.columns)) };
}

function layout(
  shape: readonly number[],
  { groupSize, scaleMethod }: ResolvedInt4Options,
): Layout<Int4Parts> {
  const group = groupOf(shape, groupSize),
    scales = groupsShape(shape, groupSize);
  return {
    matrix: matrixOf(shape),
    parts: {
      codes: packedRows({
        dtype: "U8",
        shape: withLastAxis(shape, Math.ceil(rowLength(shape) / 2)),
        flip: 8,
        padding: 0,
      }),
      scales: fieldPart("scale", group, "F32", scales, F32),
      ...(scaleMethod === "affine" && {
        // Zero points count from −8, codes of the grid from 0.
        zeroPoints: fieldPart("zero", group, "I8", scales, signedByte(8)),
      }),
    },
  };
}

function scheme(
  shape: readonly number[],
  options: ResolvedInt4Options,
): Scheme {
  const { groupSize, scaleMethod, range } = options;
  const scheme = linearSchemeApart({
    group: groupOf(shape, groupSize),
    offset: scaleMethod === "affine" ? "zero" : undefined,
    rounding: "divide",
    fit(min, max): [number, number] {
      const [scale, zeroPoint] = scaleOf(scaleMethod, ...range ?? [min, max]);
      return [scale, zeroPoint + 8];
    },
    limit: HALF_OF_LARGEST,
    prepass: groupSize === "tensor" ? wholeRange : undefined,
  });
  return searched(scheme, searchOf(options), options, rowLength(shape));
}

const RUNS = /* @__PURE__ */ int4Runs(INT4_KERNELS);

/** The format `int4`; see the head of this file for layout and arithmetic. */
export const int4: Format<"int4", Int4Options, Int4Parts, ResolvedInt4Options> =
  defineWithOwnWay({
    name: "int4",
    summary:
      "signed codes, float32 scales per group, row or tensor; symmetric or with zero points",
    source: "the int4 Python module that this project grew out of",
    groupSize: "tensor",
    bitsPerValue: 4,
    // Half a step of max / 7, and room for the float32 roundings.
    errorBound: 1 / 14 + 1e-6,
    options: OPTIONS,
    check,
    like: ({ fields, groupedBy, prepass, constants }) => ({
      groupSize: prepass || !(groupedBy in fields)
        ? "tensor"
        : fields[groupedBy]?.span.columns,
      scaleMethod: constants?.zero === undefined ? "affine" : "absmax",
    }),
    layout,
    scheme,
  }, () => RUNS);
