/**
 * The numbers beside the codes, taken out of parts and put into them.
 *
 * @module
 */
import { type FieldItem, unitsOf } from "../words/layout.ts";
import { fieldAreas, type FieldPlan, type Tile } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import { bandOf, type PartBytes } from "./units.ts";

/** Numbers of one unit. */
let entries = /* @__PURE__ */ new Float32Array(256);

/** Makes room for the numbers of a unit. */
function makeRoom({ codec }: FieldItem, { length = 1 }: FieldPlan): void {
  const count = codec.areas.rows * codec.areas.columns * length;
  if (entries.length < count) entries = new Float32Array(count);
}

/** Whether a unit is an area of the field with one number: then units and areas lie alike. */
function isUnitArea(
  { plan: { unit } }: PartBytes,
  { codec }: FieldItem,
  { span, length = 1 }: FieldPlan,
): boolean {
  return length === 1 && codec.areas.rows === 1 && codec.areas.columns === 1 &&
    unit.rows === span.rows && unit.columns === span.columns;
}

export function unpackFields(
  part: PartBytes,
  matrix: Matrix,
  item: FieldItem,
  plan: FieldPlan,
  tile: Tile,
): void {
  const { role, at, codec } = item, { bytes } = part;
  const field = tile.fields[role];
  if (codec.loadRun && isUnitArea(part, item, plan)) {
    const band = bandOf(part, matrix, fieldAreas(tile, plan));
    for (let r = 0; r < band.rows; r++) {
      const from = band.at + at + r * band.rowStride, to = r * band.count;
      codec.loadRun(bytes, from, band.stride, field, to, band.count);
    }
    return;
  }
  makeRoom(item, plan);
  if (codec.areas.rows === 1 && !plan.length && tile.rows > 0) {
    return unpackRows(part, matrix, item, plan, tile);
  }
  eachEntry(part, matrix, item, plan, tile, {
    before: (unitAt) => codec.load(bytes, unitAt + at, entries),
    visit(entry, index): void {
      if (index >= 0) field[index] = entries[entry];
    },
  });
}

/** Numbers of units that are one row of areas high, unit after unit. */
function unpackRows(
  part: PartBytes,
  matrix: Matrix,
  { role, at, codec }: FieldItem,
  plan: FieldPlan,
  tile: Tile,
): void {
  const { unit } = part.plan, { span } = plan, field = tile.fields[role];
  const units = bandOf(part, matrix, unitsOf(part.plan, matrix, tile));
  const areas = fieldAreas(tile, plan), perUnit = codec.areas.columns;
  for (let r = 0; r < units.rows; r++) {
    const row = Math.floor((units.row + r) * unit.rows / span.rows) - areas.row;
    if (row < 0 || row >= areas.rows) continue;
    const first = row * areas.columns, end = first + areas.columns;
    for (let c = 0; c < units.count; c++) {
      const column = (units.column + c) * unit.columns / span.columns;
      const from = units.at + r * units.rowStride + c * units.stride;
      codec.load(part.bytes, from + at, entries);
      let to = first + Math.floor(column) - areas.column;
      for (let k = 0; k < perUnit; k++, to++) {
        if (to >= first && to < end) field[to] = entries[k];
      }
    }
  }
}

export function packFields(
  part: PartBytes,
  matrix: Matrix,
  item: FieldItem,
  plan: FieldPlan,
  tile: Tile,
): void {
  const { role, at, codec } = item, { bytes } = part;
  const field = tile.fields[role];
  if (codec.storeRun && isUnitArea(part, item, plan)) {
    const band = bandOf(part, matrix, fieldAreas(tile, plan));
    for (let r = 0; r < band.rows; r++) {
      const to = band.at + at + r * band.rowStride, from = r * band.count;
      codec.storeRun(field, from, band.count, bytes, to, band.stride);
    }
    return;
  }
  makeRoom(item, plan);
  eachEntry(part, matrix, item, plan, tile, {
    visit(entry, index): void {
      entries[entry] = index < 0 ? codec.beyond ?? NaN : field[index];
    },
    after: (unitAt) => codec.store(entries, bytes, unitAt + at),
  });
}

/** What is done with the numbers of units. */
interface EntryVisitor {
  /** With the offset of a unit, before its numbers. */
  before?(at: number): void;
  /** With every number of a unit, and its index in the tile's field, or −1 where the tile does not have it. */
  visit(entry: number, index: number): void;
  /** With the offset of the unit, after them. */
  after?(at: number): void;
}

function eachEntry(
  part: PartBytes,
  matrix: Matrix,
  { codec }: FieldItem,
  plan: FieldPlan,
  tile: Tile,
  visitor: EntryVisitor,
): void {
  const { span, length = 1 } = plan, areas = fieldAreas(tile, plan);
  const { unit } = part.plan, { rows, columns } = codec.areas;
  const units = bandOf(part, matrix, unitsOf(part.plan, matrix, tile));
  for (let r = 0; r < units.rows; r++) {
    const row = Math.floor((units.row + r) * unit.rows / span.rows) - areas.row;
    for (let c = 0; c < units.count; c++) {
      const at = units.at + r * units.rowStride + c * units.stride;
      const column =
        Math.floor((units.column + c) * unit.columns / span.columns) -
        areas.column;
      visitor.before?.(at);
      for (let k = 0; k < rows * columns; k++) {
        const i = row + Math.floor(k / columns), j = column + k % columns;
        const inside = i >= 0 && i < areas.rows && j >= 0 && j < areas.columns;
        for (let e = 0; e < length; e++) {
          const index = inside ? (i * areas.columns + j) * length + e : -1;
          visitor.visit(k * length + e, index);
        }
      }
      visitor.after?.(at);
    }
  }
}
