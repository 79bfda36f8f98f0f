/**
 * Act-order: columns of which each says what group it is in, as libraries have
 * them that quantize columns in order of their activations.
 *
 * @module
 */
import { roundTo } from "../numeric/compute.ts";
import type { Scheme } from "../words/scheme.ts";
import {
  fieldAreas,
  type FieldPlan,
  type FieldPlans,
  type Tile,
} from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";

const { ceil, floor, fround, min } = Math;

/** With act-order, whole rows are held in memory, eight of them at a time. */
export const MOST_COLUMNS_IN_ORDER: number = 2 ** 20;

/** The field that says which group each column is in. */
export function orderPlan({ rows }: Matrix): FieldPlan {
  return { span: { rows: Math.max(1, rows), columns: 1 }, shared: true };
}

/** Fills in the natural order, group by group: a division for each column took longer than all else of a tile. */
export function setOrder(
  { fields: { order }, column }: Pick<Tile, "fields" | "column">,
  size: number,
): void {
  for (let c = 0; c < order.length;) {
    const group = floor((column + c) / size);
    const end = Math.min((group + 1) * size - column, order.length);
    order.fill(group, c, end);
    c = end;
  }
}

/** Whether columns are in the natural order. */
export function isInOrder(
  { fields: { order }, column }: Pick<Tile, "fields" | "column">,
  size: number,
): boolean {
  for (let c = 0; c < order.length;) {
    const group = floor((column + c) / size);
    const end = Math.min((group + 1) * size - column, order.length);
    while (c < end && order[c] === group) c++;
    if (c < end) return false;
  }
  return true;
}

/**
 * A scheme of integers whose columns say what group they are in. What it writes is
 * in natural order.
 *
 * @param linear The scheme in natural order.
 * @param matrix The tensor.
 * @param part The name of the part with the groups, for messages.
 */
export function inActOrder(
  linear: Scheme,
  matrix: Matrix,
  part: string,
): Scheme {
  const columns = Math.max(1, matrix.columns);
  const { scale, ...rest } = linear.fields;
  const group = { ...scale, wholeRows: matrix.columns };
  const fields: FieldPlans = {
    ...Object.fromEntries(
      ["scale", ...Object.keys(rest)].map((role) => [role, group]),
    ),
    order: orderPlan(matrix),
  };
  const groups = Math.ceil(matrix.columns / scale.span.columns);
  const check = (tile: Tile) => {
    checkGroups(tile, groups, part);
    linear.check?.(tile);
  };
  return {
    ...linear,
    fields,
    together: { rows: 1, columns },
    encode(values, tile, context): void {
      linear.encode(values, tile, context);
      setOrder(tile, scale.span.columns);
    },
    check,
    decode(tile, out): void {
      check(tile);
      decodeInOrder(tile, linear, fields, out);
    },
  };
}

/**
 * Decodes columns of which each says what group it is in.
 *
 * @param tile The tile.
 * @param scheme In which dtype values are computed, and the zero point where there is no field for it.
 * @param fields The fields: scales are of whole rows.
 * @param out Receives the values.
 */
export function decodeInOrder(
  tile: Tile,
  { computeDtype, constants }: Pick<Scheme, "computeDtype" | "constants">,
  { scale: plan }: FieldPlans,
  out: Float32Array,
): void {
  const { codes, columns, fields: { scale, zero, order } } = tile;
  const areas = fieldAreas(tile, plan), round = roundTo(computeDtype);
  for (let i = 0; i < out.length; i++) {
    const row = floor(i / columns);
    const area = row * areas.columns + order[i % columns] - areas.column;
    const offset = zero ? zero[area] : constants!.zero as number;
    out[i] = round(fround((codes[i] - offset) * scale[area]));
  }
}

/** Refuses columns of groups that there are not. */
export function checkGroups(
  { fields: { order }, column }: Tile,
  groups: number,
  part: string,
): void {
  const bad = order.findIndex((g) => !(g >= 0 && g < groups));
  if (bad < 0) return;
  throw new RangeError(
    `Cannot dequantize: part "${part}" has ${order[bad]} for input ${
      column + bad
    }; it must be from 0 to ${groups - 1}`,
  );
}

/** Whether a scheme's columns may be in groups of any order. */
export function isInActOrder({ together, fields }: Scheme): boolean {
  return together !== undefined && "order" in fields;
}

/**
 * The columns in the order of their groups, those of a group in the order that
 * they had: what stands at `i` becomes column `i`.
 *
 * @param order The group of each column.
 * @param size How many columns a group has; the last may have fewer.
 * @throws {RangeError} If a group has another number of columns, or there is no such group.
 */
export function columnsByGroup(
  order: Float32Array | Int32Array,
  size: number,
): Int32Array {
  const next = Float64Array.from(
    { length: ceil(order.length / size) },
    (_, group) => group * size,
  );
  const columns = new Int32Array(order.length);
  order.forEach((group, column) => {
    // Of a group that there is not, or in the place of the next one.
    const place = next[group];
    if (!(place < min((group + 1) * size, order.length))) {
      throw new RangeError(
        `column ${column} is one too many in group ${group}, so that the columns cannot be put in groups of ${size}`,
      );
    }
    columns[place] = column;
    next[group]++;
  });
  return columns;
}

/**
 * Puts the codes of a tile of whole rows in another order.
 *
 * @param tile The tile.
 * @param sorted Which column goes to each place.
 */
export function takeColumns(
  { codes, columns }: Pick<Tile, "codes" | "columns">,
  sorted: Int32Array,
): void {
  const row = new Uint8Array(columns);
  for (let at = 0; at < codes.length; at += columns) {
    row.set(codes.subarray(at, at + columns));
    for (let i = 0; i < columns; i++) codes[at + i] = row[sorted[i]];
  }
}
