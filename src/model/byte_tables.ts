/**
 * The way back for tensors whose groups have a byte each, and nothing else beside it
 * but numbers of the whole tensor: what the sixteen codes stand for under every byte
 * is worked out once, by the scheme, and then looked up.
 *
 * @module
 */
import { type Kernel, run } from "../kernels/engine.ts";
import {
  decodeByTables as plainTwin,
  takeTables,
} from "../kernels/js/byte_tables.ts";
import type { KernelModule } from "../kernels/modules.ts";
import { isWholeUnit } from "../layouts/band.ts";
import { type Halves, halvesOf, runOf } from "../layouts/halves.ts";
import { mayMakeNaNs, settleNaNs } from "../numeric/nan.ts";
import type { Coder } from "../words/format.ts";
import type { FieldItem, PartPlan } from "../words/layout.ts";
import type { FieldPlan, Tile } from "../words/tile.ts";
import { areaOf, type Matrix, whole } from "../words/window.ts";
import { bytesOf } from "./define.ts";
import type { TensorBytes } from "./pack_tile.ts";
import type { Tensor, TensorOf } from "./stages.ts";
import { newTile, openRoom } from "./tensor.ts";

const BYTES = 256, CODES = 16;

/** Values that a kernel looks up at a time. */
const VECTOR = 16;

const DECODE: Kernel = { name: "table_decode", js: plainTwin };
const PLANES: Kernel = { name: "table_planes", js: takeTables };

/** Where such a tensor has what is needed. */
interface Places {
  /** The part with the codes. */
  codes?: string;
  /** The part with the bytes of the groups. */
  bytes?: string;
  /** The number that each byte stands for. */
  numbers?: Float32Array;
  /** Numbers of the whole tensor, by their roles. */
  readonly shared: Record<string, number>;
}

/**
 * Dequantizes by tables; small tensors, for which tables are not worth their making, and
 * those that have more beside their codes, as the generic way does.
 *
 * @param module The kernels for it.
 */
export function byTables(
  module: KernelModule,
): <P extends object, R extends object>(
  generic: Coder<P, R>,
  tensorOf: TensorOf<R>,
) => Partial<Coder<P, R>> {
  return (generic, tensorOf) => ({
    dequantize(parts, shape, options, out): void {
      const tensor = tensorOf(shape, options);
      if (decode(module, tensor, bytesOf(parts), out)) return;
      generic.dequantize(parts, shape, options, out);
    },
  });
}

/** Dequantizes a tensor; false where it is to be done the generic way. */
function decode(
  module: KernelModule,
  tensor: Tensor,
  parts: TensorBytes["bytes"],
  out: Float32Array,
): boolean {
  const { scheme: { fields, byField = "" }, layout: { matrix } } = tensor;
  const count = areaOf(whole(matrix)), group = fields[byField]?.span.columns;
  if (!(count >= BYTES * group)) return false;
  const { codes, bytes, numbers, shared } = placesOf(tensor, parts);
  if (!codes || !bytes || !numbers) return false;
  openRoom(out);
  const tile = tileOfAll(tensor, { ...shared, [byField]: numbers });
  const isFull = makeTables(module, tensor, tile);
  run({
    kernel: { ...DECODE, module },
    count,
    step: group,
    operands: [
      { array: parts[codes], access: "read", bits: 4 },
      { array: parts[bytes], access: "read", bytes: 1 },
      { array: out, access: "write", bits: 32 },
      { array: tables, access: "read" },
    ],
    numbers: [group, isFull],
    again: nothingLeft,
  });
  return true;
}

/** Where everything lies; not all is found where the tensor is none of these. */
function placesOf(
  { scheme: { fields, byField }, layout: { matrix, parts } }: Tensor,
  bytes: TensorBytes["bytes"],
): Places {
  const places: Places = { shared: {} };
  for (const [name, plan] of Object.entries(parts)) {
    const [item] = plan.holds;
    if (hasPackedRows(plan, matrix)) places.codes = name;
    else if (item.kind !== "field" || plan.holds.length > 1) break;
    else if (item.role !== byField) {
      places.shared[item.role] = numberOf(item, bytes[name]);
    } else if (hasGroups(plan, fields[byField], matrix)) {
      places.bytes = name;
      places.numbers = item.codec.numbers;
    }
  }
  return places;
}

/** Whether a part has all codes, row after row, two to a byte, the first in its lower half. */
function hasPackedRows(
  { unit, order, holds: [item] }: PartPlan,
  { columns }: Matrix,
): boolean {
  return item.kind === "codes" && order === "rows" && unit.rows === 1 &&
    columns % unit.columns === 0 && isWholeUnit(unit, item) && !item.flip &&
    arePairs(halvesOf(item.nibbles));
}

/** Whether neighbours share a byte, the first in its lower half. */
function arePairs(halves: Halves): boolean {
  return runOf(halves) === 1 && halves.low[0] < halves.high[0];
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

/** The number that a part has for the whole tensor. */
function numberOf({ codec, at }: FieldItem, bytes: Uint8Array): number {
  const numbers = new Float32Array(1);
  codec.load(bytes, at, numbers);
  return numbers[0];
}

/** A tile with a row for each byte: all codes, and these numbers. */
function tileOfAll(
  { scheme }: Tensor,
  numbers: Record<string, number | Float32Array>,
): Tile {
  const matrix = { rows: BYTES, columns: CODES };
  const tile = newTile(whole(matrix), {
    scheme,
    layout: { matrix, parts: {} },
  });
  for (let i = 0; i < tile.codes.length; i++) tile.codes[i] = i % CODES;
  for (const [role, field] of Object.entries(tile.fields)) {
    const known = numbers[role];
    if (typeof known === "number") field.fill(known);
    else field.set(known);
  }
  return tile;
}

/** Tables as kernels take them. */
const tables = /* @__PURE__ */ new Uint32Array(BYTES * CODES);

/** Sets the tables; tells whether they have more than the upper halves of floats. */
function makeTables(
  module: KernelModule,
  { scheme }: Tensor,
  tile: Tile,
): number {
  const values = tile.memory(tables.length), full = new Int32Array(1);
  scheme.decode(tile, values);
  if (mayMakeNaNs(tile.fields)) settleNaNs(values);
  run({
    kernel: { ...PLANES, module },
    count: BYTES,
    step: BYTES,
    operands: [
      { array: values, access: "read" },
      { array: tables, access: "write" },
      { array: full, access: "write" },
    ],
    again: nothingLeft,
  });
  return full[0];
}

function nothingLeft(): void {
  throw new Error("Tables have all that a byte and a code can stand for");
}
