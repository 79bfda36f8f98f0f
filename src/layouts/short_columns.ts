/**
 * Numbers of fields whose units of a column lie together, where a tile has a few of
 * every column: all columns are read or written at once, as a call for each takes
 * longer than what it moves.
 *
 * @module
 */
import type {
  FieldItem,
  FieldMover,
  PartBytes,
  PartPlan,
} from "../words/layout.ts";
import { fieldAreas, type FieldPlan, type Tile } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import { copyPieces, type Pieces } from "./copy_pieces.ts";
import { bandOf } from "./units.ts";

/** Numbers of a column from which on each column is moved on its own. */
const LONG_COLUMN = 64;

/** The numbers of columns one after another, and their bytes. */
let numbers = /* @__PURE__ */ new Float32Array(0);
let together = /* @__PURE__ */ new Uint8Array(0);

/** Columns of a part. */
interface Columns {
  readonly places: Pieces;
  /** How many columns, and how many numbers they have. */
  readonly count: number;
  readonly all: number;
}

/** The columns that a tile has of a field, with room for their numbers and bytes; undefined where they are long, or no columns. */
function columnsOf(
  part: PartBytes,
  matrix: Matrix,
  { codec: { bytes: width }, at: start }: FieldItem,
  plan: FieldPlan,
  tile: Tile,
): Columns | undefined {
  const { at, rows, rowStride, count, stride } = bandOf(
    part,
    matrix,
    fieldAreas(tile, plan),
  );
  const isKnown = rows > 1 && rows < LONG_COLUMN && rowStride === width &&
    count > 1;
  if (!isKnown) return undefined;
  const length = rows * width, all = rows * count;
  if (numbers.length < all) numbers = new Float32Array(all);
  if (together.length < all * width) together = new Uint8Array(all * width);
  const places = {
    at: at + start,
    stride,
    count,
    length,
    piece: length,
    apart: 0,
  };
  return { places, count, all };
}

const shortColumns: FieldMover = {
  unpack(part, matrix, item, plan, tile): boolean {
    const columns = columnsOf(part, matrix, item, plan, tile);
    if (!columns) return false;
    const { places, count, all } = columns, { role, codec } = item;
    copyPieces(part.bytes, together, places, false);
    codec.loadRun!(together, 0, codec.bytes, numbers, 0, all, 1);
    const field = tile.fields[role];
    for (let c = 0, i = 0; c < count; c++) {
      for (let k = c; k < all; k += count) field[k] = numbers[i++];
    }
    return true;
  },
  pack(part, matrix, item, plan, tile): boolean {
    const columns = columnsOf(part, matrix, item, plan, tile);
    if (!columns) return false;
    const { places, count, all } = columns, { role, codec } = item;
    const field = tile.fields[role];
    for (let c = 0, i = 0; c < count; c++) {
      for (let k = c; k < all; k += count) numbers[i++] = field[k];
    }
    codec.storeRun!(numbers, 0, all, together, 0, codec.bytes, 1);
    copyPieces(part.bytes, together, places, true);
    return true;
  },
};

/** A part of nothing but the numbers of a field in columns, one for each unit, that are moved so. */
export function inShortColumns(plan: PartPlan): PartPlan {
  const [item] = plan.holds;
  if (item.kind !== "field") throw new Error(`A ${item.kind} is no field`);
  return { ...plan, holds: [{ ...item, mover: shortColumns }] };
}
