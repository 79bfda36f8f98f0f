/**
 * Tensors whose groups have a byte each, and nothing else beside it but numbers of the
 * whole tensor: where everything lies, and their bytes row after row.
 *
 * @module
 */
import { isWholeUnit } from "../layouts/band.ts";
import { halvesOf, isLowFirst } from "../layouts/halves.ts";
import type { FieldItem, PartPlan } from "../words/layout.ts";
import type { FieldPlan } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import type { Tensor } from "./stages.ts";

/** Values that kernels take at a time. */
const VECTOR = 16;

/** Where such a tensor has what is needed. */
export interface ByteGroups {
  /** The part with the codes: row after row, two to a byte, the first in its lower half. */
  readonly codes: string;
  /** The part with the bytes of the groups. */
  readonly bytes: string;
  /** Where they lie in a unit of it, where that is not row after row. */
  readonly unit?: ByteUnit;
  /** The number that each byte stands for. */
  readonly numbers: Float32Array;
  /** How many values of a row share one: whole vectors. */
  readonly group: number;
  /** Numbers of the whole tensor, by their roles: the parts that have them, and how. */
  readonly shared: ReadonlyMap<string, readonly [part: string, FieldItem]>;
}

/** An area whose groups have their bytes in an order of its own. */
interface ByteUnit {
  /** Rows of it. */
  readonly rows: number;
  /** Groups in each. */
  readonly columns: number;
  /** Where the bytes of its groups lie, row by row. */
  readonly places: readonly number[];
}

/** Where everything lies; undefined where the tensor is none of these. */
export function byteGroupsOf(
  { scheme: { fields, byField = "" }, layout: { matrix, parts } }: Tensor,
): ByteGroups | undefined {
  let codes: string | undefined, bytes: string | undefined;
  let numbers: Float32Array | undefined, unit: ByteUnit | undefined;
  const shared = new Map<string, readonly [string, FieldItem]>();
  if (!(byField in fields)) return undefined;
  for (const [name, plan] of Object.entries(parts)) {
    const [item] = plan.holds;
    if (hasPackedRows(plan, matrix)) codes = name;
    else if (item.kind !== "field" || plan.holds.length > 1) return undefined;
    else if (item.role !== byField) shared.set(item.role, [name, item]);
    else if (hasGroups(plan, item, fields[byField], matrix)) {
      const { areas, places } = item.codec;
      bytes = name;
      numbers = item.codec.numbers;
      unit = places && { ...areas, places };
    }
  }
  const group = fields[byField].span.columns;
  return codes && bytes && numbers
    ? { codes, bytes, unit, numbers, group, shared }
    : undefined;
}

function hasPackedRows(
  { unit, order, holds: [item] }: PartPlan,
  { columns }: Matrix,
): boolean {
  return item.kind === "codes" && order === "rows" && unit.rows === 1 &&
    columns % unit.columns === 0 && isWholeUnit(unit, item) && !item.flip &&
    isLowFirst(halvesOf(item.nibbles));
}

/** Whether a part has a number for each group of a row, in units of one or with places, and groups are whole vectors. */
function hasGroups(
  { unit, order }: PartPlan,
  { codec: { areas, places } }: FieldItem,
  { span }: FieldPlan,
  { columns }: Matrix,
): boolean {
  const isOne = areas.rows === 1 && areas.columns === 1;
  return order === "rows" && span.rows === 1 &&
    (isOne || places !== undefined) &&
    unit.rows === areas.rows &&
    unit.columns === span.columns * areas.columns &&
    columns % span.columns === 0 && span.columns % VECTOR === 0;
}

/** A stretch of whole rows: its values, and the bytes of their groups row after row. */
type Stretch = (first: number, count: number, bytes: Uint8Array) => void;

/**
 * Reads the bytes of a part: calls `work` for stretches of rows, with copies where they
 * lie in an order of their own.
 */
export function readBytes(
  groups: ByteGroups,
  matrix: Matrix,
  bytes: Uint8Array,
  work: Stretch,
): void {
  eachBand(groups, matrix, bytes, (first, count, own, units) => {
    if (units) move(groups, matrix, units, own, false);
    work(first, count, own);
  });
}

/** Likewise where `work` writes them. */
export function writeBytes(
  groups: ByteGroups,
  matrix: Matrix,
  bytes: Uint8Array,
  work: Stretch,
): void {
  eachBand(groups, matrix, bytes, (first, count, own, units) => {
    work(first, count, own);
    if (units) move(groups, matrix, units.fill(0), own, true);
  });
}

/** Calls `visit` for rows of units, or once where there are none: with room for the bytes in order, and with the units. */
function eachBand(
  { unit, group }: ByteGroups,
  { rows, columns }: Matrix,
  bytes: Uint8Array,
  visit: (
    first: number,
    count: number,
    own: Uint8Array,
    units?: Uint8Array,
  ) => void,
): void {
  if (!unit) return visit(0, rows * columns, bytes);
  const perRow = columns / group;
  const size = Math.ceil(perRow / unit.columns) * unit.places.length;
  const room = new Uint8Array(Math.min(unit.rows, rows) * perRow);
  for (let row = 0, at = 0; row < rows; row += unit.rows, at += size) {
    const tall = Math.min(unit.rows, rows - row);
    const own = room.subarray(0, tall * perRow);
    const units = bytes.subarray(at, at + size);
    visit(row * columns, tall * columns, own, units);
  }
}

/** Copies bytes of a row of units to where they lie in order, or from there. */
function move(
  { unit, group }: ByteGroups,
  { columns }: Matrix,
  units: Uint8Array,
  own: Uint8Array,
  packs: boolean,
): void {
  const { columns: wide, places } = unit!, perRow = columns / group;
  const rows = own.length / perRow;
  for (let c = 0, at = 0; c < perRow; c += wide, at += places.length) {
    const end = Math.min(wide, perRow - c);
    for (let r = 0, to = c; r < rows; r++, to += perRow) {
      for (let k = 0; k < end; k++) {
        const place = at + places[r * wide + k];
        if (packs) units[place] = own[to + k];
        else own[to + k] = units[place];
      }
    }
  }
}
