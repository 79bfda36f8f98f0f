/**
 * What formats with integer codes share: groups along rows, their options, the
 * dtypes of their scales.
 *
 * @module
 */
import { BF16, F16, F32 } from "../layouts/codecs.ts";
import { matrixOf } from "../numeric/shape.ts";
import type { Codec } from "../words/layout.ts";
import { booleanOption, choiceOption, numberOption } from "../words/options.ts";
import type {
  BooleanOption,
  ChoiceOption,
  NumberOption,
} from "../words/schema.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import type { Span } from "../words/tile.ts";

/** How floats of a dtype are stored. */
export const FLOATS: Readonly<Record<ComputeDtype, Codec>> = { F32, F16, BF16 };

/** The largest number of a dtype. */
export const LARGEST: Readonly<Record<ComputeDtype, number>> = {
  F32: 3.4028234663852886e38,
  F16: 65504,
  BF16: 3.3895313892515355e38,
};

/**
 * The option of how many values share a scale.
 *
 * @param size What holds where it is not given.
 */
export function groupSizeOption(
  size: number | "row",
): NumberOption<number | "row"> {
  return numberOption({
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    words: ["row"],
    default: size,
    help: "values that share a scale, along the last axis",
    kept: true,
  });
}

/**
 * The option of a type of floats: that of scales, or that values are rounded to.
 *
 * @param byDefault What holds where it is not given.
 * @param kept Whether it has to be kept to read the parts back.
 * @param help What it is the type of.
 */
export function dtypeOption(
  byDefault: ComputeDtype | undefined,
  kept: boolean,
  help: string,
): ChoiceOption<ComputeDtype> {
  return choiceOption({
    choices: ["F32", "F16", "BF16"],
    ...(byDefault && { default: byDefault }),
    kept,
    help,
  });
}

/**
 * The option of whether there are zero points.
 *
 * @param symmetric What holds where it is not given.
 */
export function symmetricOption(symmetric: boolean): BooleanOption<boolean> {
  return booleanOption({
    default: symmetric,
    help: "the same zero point for every group, or one for each",
    kept: true,
  });
}

/** The area of a group along rows, and how many of them a row has. */
export function rowGroups(
  shape: readonly number[],
  groupSize: number | "row",
): Span & { readonly groups: number } {
  const { columns } = matrixOf(shape);
  const size = groupSize === "row" ? Math.max(1, columns) : groupSize;
  return { rows: 1, columns: size, groups: Math.ceil(columns / size) };
}

/** The options of a format with groups along rows that come nearest to a scheme. */
export function likeRows(
  { fields, groupedBy, constants }: Scheme,
): { groupSize: number | undefined; symmetric: boolean } {
  return {
    groupSize: fields[groupedBy]?.span.columns,
    symmetric: constants?.zero !== undefined,
  };
}

/** Refuses what is no matrix. */
export function checkMatrix(
  format: string,
  shape: readonly number[],
): void {
  const { rows } = matrixOf(shape);
  if (shape.length <= 2 && (rows > 0 || matrixOf(shape).columns === 0)) return;
  throw new RangeError(
    `Cannot hold shape [${shape}] as ${format}: it takes the weight of a linear layer, [outputs, inputs], with one output or more`,
  );
}

/** Refuses rows that are not made of whole groups. */
export function checkWholeGroups(
  format: string,
  shape: readonly number[],
  groupSize: number | "row",
): void {
  const { columns } = matrixOf(shape);
  if (groupSize === "row" || columns % groupSize === 0) return;
  throw new RangeError(
    `Cannot hold shape [${shape}] as ${format}: its ${columns} columns are no multiple of groupSize ${groupSize}, as the library needs it`,
  );
}
