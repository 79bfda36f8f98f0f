/**
 * The numbers beside the codes, taken out of parts and put into them.
 *
 * @module
 */
import { type FieldItem, unitsOf } from "../words/layout.ts";
import { fieldAreas, type FieldPlan, type Tile } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import type { Band } from "./band.ts";
import { bandOf, type PartBytes } from "./units.ts";

/** Takes the numbers of a tile's field out of a part. */
export function unpackFields(
  part: PartBytes,
  matrix: Matrix,
  item: FieldItem,
  plan: FieldPlan,
  tile: Tile,
): void {
  const { role, codec } = item, { bytes } = part, field = tile.fields[role];
  const { length = 1 } = plan;
  if (codec.loadRun && isUnitArea(part, item, plan)) {
    eachRun(
      part,
      matrix,
      item,
      plan,
      tile,
      (at, stride, first, count, step) =>
        codec.loadRun!(bytes, at, stride, field, first, count, step),
    );
    return;
  }
  makeRoom(item, plan);
  const units = unitsIn(part, matrix, item, plan, tile);
  if (codec.loadUnits && areInOrder(units, part, item, plan)) {
    eachStretch(
      units,
      item,
      (at, first, count) => codec.loadUnits!(bytes, at, count, field, first),
    );
    return;
  }
  const { band, row, rows, tall, column, columns, wide, perUnit, perArea } =
    units;
  for (let r = 0; r < band.rows; r++) {
    const top = rowOf(part, band, plan, r) - row, endRow = top + tall;
    let at = band.at + item.at + r * band.rowStride;
    for (let c = 0; c < band.count; c++, at += band.stride) {
      const left = Math.floor((band.column + c) * perUnit / perArea) * length -
        column;
      codec.load(bytes, at, entries);
      const from = left < 0 ? 0 : left;
      const end = left + wide < columns ? left + wide : columns;
      for (let i = top < 0 ? 0 : top; i < endRow && i < rows; i++) {
        const own = i * columns, unit = (i - top) * wide - left;
        for (let e = from; e < end; e++) field[own + e] = entries[unit + e];
      }
    }
  }
}

/** Puts the numbers of a tile's field into a part. */
export function packFields(
  part: PartBytes,
  matrix: Matrix,
  item: FieldItem,
  plan: FieldPlan,
  tile: Tile,
): void {
  const { role, codec } = item, { bytes } = part, field = tile.fields[role];
  const { length = 1 } = plan;
  if (codec.storeRun && isUnitArea(part, item, plan)) {
    eachRun(
      part,
      matrix,
      item,
      plan,
      tile,
      (at, stride, first, count, step) =>
        codec.storeRun!(field, first, count, bytes, at, stride, step),
    );
    return;
  }
  const all = makeRoom(item, plan), { beyond = NaN } = codec;
  const units = unitsIn(part, matrix, item, plan, tile);
  if (codec.storeUnits && areInOrder(units, part, item, plan)) {
    eachStretch(
      units,
      item,
      (at, first, count) => codec.storeUnits!(field, first, count, bytes, at),
    );
    return;
  }
  const { band, row, rows, tall, column, columns, wide, perUnit, perArea } =
    units;
  for (let r = 0; r < band.rows; r++) {
    const top = rowOf(part, band, plan, r) - row, endRow = top + tall;
    const isTall = top >= 0 && endRow <= rows;
    let at = band.at + item.at + r * band.rowStride;
    for (let c = 0; c < band.count; c++, at += band.stride) {
      const left = Math.floor((band.column + c) * perUnit / perArea) * length -
        column;
      const isWhole = isTall && left >= 0 && left + wide <= columns;
      if (!isWhole) entries.fill(beyond, 0, all);
      const from = left < 0 ? 0 : left;
      const end = left + wide < columns ? left + wide : columns;
      for (let i = top < 0 ? 0 : top; i < endRow && i < rows; i++) {
        const own = i * columns, unit = (i - top) * wide - left;
        for (let e = from; e < end; e++) entries[unit + e] = field[own + e];
      }
      codec.store(entries, bytes, at);
    }
  }
}

// ---- units of one number ----

/** Whether a unit is an area of the field with one number: then units and areas lie alike. */
function isUnitArea(
  { plan: { unit } }: PartBytes,
  { codec }: FieldItem,
  { span, length = 1 }: FieldPlan,
): boolean {
  return length === 1 && codec.areas.rows === 1 && codec.areas.columns === 1 &&
    unit.rows === span.rows && unit.columns === span.columns;
}

/** Calls `move` for runs of numbers as they lie in the part: with offset and stride there; first index, count and step in the field. */
function eachRun(
  part: PartBytes,
  matrix: Matrix,
  item: FieldItem,
  plan: FieldPlan,
  tile: Tile,
  move: (
    at: number,
    stride: number,
    first: number,
    count: number,
    step: number,
  ) => void,
): void {
  const band = bandOf(part, matrix, fieldAreas(tile, plan));
  const { rows, rowStride, count, stride } = band, at = band.at + item.at;
  if (part.plan.order === "columns") {
    for (let c = 0; c < count; c++) {
      move(at + c * stride, rowStride, c, rows, count);
    }
  } else if (rowStride === count * stride) {
    move(at, stride, 0, rows * count, 1);
  } else {
    for (let r = 0; r < rows; r++) {
      move(at + r * rowStride, stride, r * count, count, 1);
    }
  }
}

// ---- units of several ----

/** Numbers of one unit. */
let entries = /* @__PURE__ */ new Float32Array(256);

/** Makes room for the numbers of a unit; tells how many they are. */
function makeRoom({ codec }: FieldItem, { length = 1 }: FieldPlan): number {
  const count = codec.areas.rows * codec.areas.columns * length;
  if (entries.length < count) entries = new Float32Array(count);
  return count;
}

/** Units that a tile touches, and how their areas lie in its field; numbers of areas are counted along rows. */
interface Units {
  readonly band: Band;
  /** Number of the tile's first row of areas, and how many it has. */
  readonly row: number;
  readonly rows: number;
  /** Rows of areas in a unit. */
  readonly tall: number;
  /** Number of the tile's first number in a row, and how many it has. */
  readonly column: number;
  readonly columns: number;
  /** Numbers of a unit in a row. */
  readonly wide: number;
  /** Columns of values of a unit, and of an area. */
  readonly perUnit: number;
  readonly perArea: number;
}

function unitsIn(
  part: PartBytes,
  matrix: Matrix,
  { codec: { areas } }: FieldItem,
  plan: FieldPlan,
  tile: Tile,
): Units {
  const { row, rows, column, columns } = fieldAreas(tile, plan);
  const { span, length = 1 } = plan;
  return {
    band: bandOf(part, matrix, unitsOf(part.plan, matrix, tile)),
    row,
    rows,
    tall: areas.rows,
    column: column * length,
    columns: columns * length,
    wide: areas.columns * length,
    perUnit: part.plan.unit.columns,
    perArea: span.columns,
  };
}

/** Whether units without gaps between those of a row hold what the tile has of a field and no more, in the same order. */
function areInOrder(
  { band, row, rows, tall, column, columns, wide, perUnit, perArea }: Units,
  part: PartBytes,
  { codec }: FieldItem,
  plan: FieldPlan,
): boolean {
  const areFull = band.rows * tall === rows && band.count * wide === columns &&
    rowOf(part, band, plan, 0) === row &&
    band.column * perUnit === column * perArea;
  return areFull && part.plan.order === "rows" &&
    (band.count === 1 || tall === 1 && band.stride === codec.bytes);
}

/** Calls `move` with offset, first index in the field and number of neighbouring units: once where all lie together. */
function eachStretch(
  { band: { at, rows, rowStride, count }, tall, columns }: Units,
  item: FieldItem,
  move: (at: number, first: number, count: number) => void,
): void {
  const start = at + item.at;
  if (rowStride === count * item.codec.bytes) {
    return move(start, 0, rows * count);
  }
  for (let r = 0; r < rows; r++) {
    move(start + r * rowStride, r * tall * columns, count);
  }
}

/** Number of the first row of areas of the units in a row. */
function rowOf(
  { plan: { unit } }: PartBytes,
  { row }: Band,
  { span }: FieldPlan,
  r: number,
): number {
  return Math.floor((row + r) * unit.rows / span.rows);
}
