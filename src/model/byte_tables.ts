/**
 * The way back for tensors whose groups have a byte each: what the sixteen codes stand
 * for under every byte is worked out once, by the scheme, and then looked up.
 *
 * @module
 */
import { type Kernel, run } from "../kernels/engine.ts";
import {
  decodeByTables as plainTwin,
  takeTables,
} from "../kernels/js/byte_tables.ts";
import type { KernelModule } from "../kernels/modules.ts";
import { mayMakeNaNs, settleNaNs } from "../numeric/nan.ts";
import type { Tile } from "../words/tile.ts";
import { areaOf, whole } from "../words/window.ts";
import { type ByteGroups, readBytes } from "./byte_groups.ts";
import type { TensorBytes } from "./pack_tile.ts";
import type { Tensor } from "./stages.ts";
import { newTile, openRoom } from "./tensor.ts";

const BYTES = 256, CODES = 16;

/** How many values take as long the generic way as an entry of the tables. */
const WORTH = 4;

const DECODE: Kernel = { name: "table_decode", js: plainTwin };
const PLANES: Kernel = { name: "table_planes", js: takeTables };

/**
 * Dequantizes a tensor; false where it is so small that tables are not worth their
 * making.
 *
 * @param module The kernels for it.
 * @param tensor The tensor.
 * @param groups Where everything lies.
 * @param parts The bytes of its parts.
 * @param out One float32 for each value, row by row.
 */
export function decodeByTables(
  module: KernelModule,
  tensor: Tensor,
  groups: ByteGroups,
  parts: TensorBytes["bytes"],
  out: Float32Array,
): boolean {
  const { codes, bytes, group, numbers, shared } = groups;
  const { matrix } = tensor.layout;
  if (areaOf(whole(matrix)) < WORTH * tables.length) return false;
  openRoom(out);
  const tile = tileOfAll(tensor);
  for (const [role, field] of Object.entries(tile.fields)) {
    const found = shared.get(role);
    if (!found) {
      field.set(numbers);
      continue;
    }
    const [part, { codec, at }] = found;
    codec.load(parts[part], at, field);
    field.fill(field[0]);
  }
  const isFull = makeTables(module, tensor, tile);
  readBytes(groups, matrix, parts[bytes], (first, count, own) => {
    const end = first + count;
    const packed = parts[codes].subarray(first / 2, end / 2);
    run({
      kernel: { ...DECODE, module },
      count,
      step: group,
      operands: [
        { array: packed, access: "read", bits: 4 },
        { array: own, access: "read", bytes: 1 },
        { array: out.subarray(first, end), access: "write", bits: 32 },
        { array: tables, access: "read" },
      ],
      numbers: [group, isFull],
      again: nothingLeft,
    });
  });
  return true;
}

/** A tile with a row for each byte: all codes, and room for their numbers. */
function tileOfAll({ scheme }: Tensor): Tile {
  const matrix = { rows: BYTES, columns: CODES };
  const layout = { matrix, parts: {} };
  const tile = newTile(whole(matrix), { scheme, layout }), { codes } = tile;
  for (let i = 0; i < codes.length; i++) codes[i] = i % CODES;
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
