/**
 * Tensors whose groups have a byte each, and nothing else beside it but numbers of the
 * whole tensor: where everything lies.
 *
 * @module
 */
import { isWholeUnit } from "../layouts/band.ts";
import { halvesOf } from "../layouts/halves.ts";
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
  /** The part with the bytes of the groups, row after row. */
  readonly bytes: string;
  /** The number that each byte stands for. */
  readonly numbers: Float32Array;
  /** How many values of a row share one: whole vectors. */
  readonly group: number;
  /** Numbers of the whole tensor, by their roles: the parts that have them, and how. */
  readonly shared: ReadonlyMap<string, readonly [part: string, FieldItem]>;
}

/** Where everything lies; undefined where the tensor is none of these. */
export function byteGroupsOf(
  { scheme: { fields, byField = "" }, layout: { matrix, parts } }: Tensor,
): ByteGroups | undefined {
  let codes: string | undefined, bytes: string | undefined;
  let numbers: Float32Array | undefined;
  const shared = new Map<string, readonly [string, FieldItem]>();
  if (!(byField in fields)) return undefined;
  for (const [name, plan] of Object.entries(parts)) {
    const [item] = plan.holds;
    if (hasPackedRows(plan, matrix)) codes = name;
    else if (item.kind !== "field" || plan.holds.length > 1) return undefined;
    else if (item.role !== byField) shared.set(item.role, [name, item]);
    else if (hasGroups(plan, fields[byField], matrix)) {
      bytes = name;
      numbers = item.codec.numbers;
    }
  }
  const group = fields[byField].span.columns;
  return codes && bytes && numbers
    ? { codes, bytes, numbers, group, shared }
    : undefined;
}

function hasPackedRows(
  { unit, order, holds: [item] }: PartPlan,
  { columns }: Matrix,
): boolean {
  return item.kind === "codes" && order === "rows" && unit.rows === 1 &&
    columns % unit.columns === 0 && isWholeUnit(unit, item) && !item.flip &&
    halvesOf(item.nibbles).first === "low";
}

/** Whether a part has a number for each group of a row, row after row, and groups are whole vectors. */
function hasGroups(
  { unit, order }: PartPlan,
  { span }: FieldPlan,
  { columns }: Matrix,
): boolean {
  return order === "rows" && unit.rows === 1 && span.rows === 1 &&
    unit.columns === span.columns && columns % span.columns === 0 &&
    span.columns % VECTOR === 0;
}
