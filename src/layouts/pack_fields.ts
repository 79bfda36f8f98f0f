/**
 * The numbers beside the codes, taken out of parts and put into them.
 *
 * @module
 */
import { type FieldItem, type Unit, unitsOf } from "../words/layout.ts";
import {
  fieldAreas,
  type FieldPlan,
  type Span,
  type Tile,
} from "../words/tile.ts";
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
  const units = unitsIn(part, matrix, item, plan, tile), { length = 1 } = plan;
  for (let r = 0; r < units.band.rows; r++) {
    const row = rowOf(units, r),
      endRow = Math.min(units.rows, row + units.tall);
    for (let c = 0; c < units.band.count; c++) {
      codec.load(bytes, offsetOf(units, r, c), entries);
      const column = columnOf(units, c), from = Math.max(0, column) * length;
      const end = Math.min(units.columns, column + units.wide) * length;
      for (let i = Math.max(0, row); i < endRow; i++) {
        const own = i * units.columns * length;
        const unit = ((i - row) * units.wide - column) * length;
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
  const all = makeRoom(item, plan);
  const units = unitsIn(part, matrix, item, plan, tile), { length = 1 } = plan;
  for (let r = 0; r < units.band.rows; r++) {
    const row = rowOf(units, r),
      endRow = Math.min(units.rows, row + units.tall);
    for (let c = 0; c < units.band.count; c++) {
      const column = columnOf(units, c), from = Math.max(0, column) * length;
      const end = Math.min(units.columns, column + units.wide) * length;
      entries.fill(codec.beyond ?? NaN, 0, all);
      for (let i = Math.max(0, row); i < endRow; i++) {
        const own = i * units.columns * length;
        const unit = ((i - row) * units.wide - column) * length;
        for (let e = from; e < end; e++) entries[unit + e] = field[own + e];
      }
      codec.store(entries, bytes, offsetOf(units, r, c));
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

/** Units that a tile touches, and how their areas lie in its field. */
interface Units {
  readonly band: Band;
  readonly unit: Unit;
  readonly span: Span;
  /** Offset of the numbers in a unit. */
  readonly at: number;
  /** Rows of areas in a unit … */
  readonly tall: number;
  /** … and columns of them. */
  readonly wide: number;
  /** Number of the tile's first row of areas, and how many it has. */
  readonly row: number;
  readonly rows: number;
  /** The same of columns. */
  readonly column: number;
  readonly columns: number;
}

function unitsIn(
  part: PartBytes,
  matrix: Matrix,
  { at, codec: { areas } }: FieldItem,
  plan: FieldPlan,
  tile: Tile,
): Units {
  const { row, rows, column, columns } = fieldAreas(tile, plan);
  return {
    band: bandOf(part, matrix, unitsOf(part.plan, matrix, tile)),
    unit: part.plan.unit,
    span: plan.span,
    at,
    tall: areas.rows,
    wide: areas.columns,
    row,
    rows,
    column,
    columns,
  };
}

/** Where the first row of areas of the units in row `r` is in the tile; below 0 where it lies before it. */
function rowOf({ band, unit, span, row }: Units, r: number): number {
  return Math.floor((band.row + r) * unit.rows / span.rows) - row;
}

/** The same of the first column of areas. */
function columnOf({ band, unit, span, column }: Units, c: number): number {
  return Math.floor((band.column + c) * unit.columns / span.columns) - column;
}

function offsetOf({ band, at }: Units, r: number, c: number): number {
  return band.at + at + r * band.rowStride + c * band.stride;
}
