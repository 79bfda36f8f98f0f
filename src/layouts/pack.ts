/**
 * Packing and unpacking by a layout's description. Codes of units that a tile has
 * whole are moved in bands (bands.ts); those of units at its edges one by one.
 *
 * @module
 */
import {
  type BitsItem,
  type CodesItem,
  type ConstantItem,
  type FieldItem,
  type PartPlan,
  type Unit,
  unitsOf,
} from "../words/layout.ts";
import {
  fieldAreas,
  type FieldPlan,
  type FieldPlans,
  type Tile,
} from "../words/tile.ts";
import type { Matrix, Window } from "../words/window.ts";
import { type Band, packBand, unpackBand } from "./bands.ts";
import { packAreas } from "./pack_areas.ts";

/** Bytes of one part, and the window that they were taken for. */
export interface PartBytes {
  /** The plan of the part in the whole tensor. */
  readonly plan: PartPlan;
  /** Its bytes: units of the window, in the part's order, without gaps. */
  readonly bytes: Uint8Array;
  /** What the bytes were taken for: the whole matrix, or a window of it. */
  readonly area: Window;
}

/** Takes codes and fields of a tile out of a part. */
export function unpackPart(
  part: PartBytes,
  matrix: Matrix,
  plans: FieldPlans,
  tile: Tile,
): void {
  const { unit, holds } = part.plan;
  for (const item of holds) {
    if (item.kind === "text") {
      item.read(new TextDecoder().decode(part.bytes), tile.fields);
    } else if (item.kind === "constant") {
      checkConstant(part.bytes, item);
    } else if (item.kind === "field") {
      unpackFields(part, matrix, item, plans[item.role], tile);
    } else if (item.kind === "bits") {
      atEdges(
        part,
        matrix,
        tile,
        undefined,
        (at, row, column) => unpackBits(part, item, at, row, column, tile),
      );
    } else {
      const band = wholeUnits(part, item, matrix, tile);
      if (band) unpackBand(part.bytes, band, unit, item, tile);
      atEdges(
        part,
        matrix,
        tile,
        band,
        (at, row, column) => unpackCodes(part, item, at, row, column, tile),
      );
    }
  }
}

/** Puts codes and fields of a tile into a part. */
export function packPart(
  part: PartBytes,
  matrix: Matrix,
  plans: FieldPlans,
  tile: Tile,
): void {
  const { unit, holds } = part.plan;
  for (const item of holds) {
    if (item.kind === "text") {
      part.bytes.set(new TextEncoder().encode(item.write(tile.fields)));
    } else if (item.kind === "constant") {
      part.bytes.set(item.bytes, item.at);
    } else if (item.kind === "field") {
      packFields(part, matrix, item, plans[item.role], tile);
    } else if (item.kind === "bits") {
      atEdges(
        part,
        matrix,
        tile,
        undefined,
        (at, row, column) => packBits(part, item, at, row, column, tile),
      );
    } else {
      const band = wholeUnits(part, item, matrix, tile);
      if (band) packBand(part.bytes, band, unit, item, tile);
      atEdges(
        part,
        matrix,
        tile,
        band,
        (at, row, column) => packCodes(part, item, at, row, column, tile),
      );
    }
  }
}

/** Throws a RangeError where bytes that have to be the same are not. */
function checkConstant(
  bytes: Uint8Array,
  { at, bytes: expected, otherwise }: ConstantItem,
): void {
  if (!otherwise) return;
  const bad = expected.findIndex((byte, k) => bytes[at + k] !== byte);
  if (bad < 0) return;
  throw new RangeError(
    `Cannot read ${otherwise}: its byte ${bad} is ${
      bytes[at + bad]
    }, by shape and options it must be ${expected[bad]}`,
  );
}

// ---- where units are ----

/** Where some units of a part lie. */
function bandOf(
  { plan, area }: PartBytes,
  matrix: Matrix,
  { row, rows, column, columns }: Window,
): Band {
  const { unit: { bytes }, order } = plan, have = unitsOf(plan, matrix, area);
  const [rowStride, stride] = order === "rows"
    ? [have.columns * bytes, bytes]
    : [bytes, have.rows * bytes];
  const at = (row - have.row) * rowStride + (column - have.column) * stride;
  return { at, row, rows, rowStride, column, count: columns, stride };
}

/** The units that a tile has whole, all in a row or all in a column. Others, and those with halves of bytes to spare beside more than one code, are left to be done one by one. */
function wholeUnits(
  part: PartBytes,
  { spare, nibbles }: CodesItem,
  matrix: Matrix,
  { row, rows, column, columns }: Tile,
): Band | undefined {
  const { unit } = part.plan, { rowStep, rows: tall } = unit;
  const isSingle = spare && nibbles.length === 1 && nibbles[0] === 0;
  if (
    spare && !isSingle || rowStep !== undefined || tall > 1 && unit.columns > 1
  ) {
    return undefined;
  }
  const first = Math.ceil(column / unit.columns);
  const count = Math.floor((column + columns) / unit.columns) - first;
  if (row % tall !== 0 || rows % tall !== 0 || count <= 0) return undefined;
  return bandOf(part, matrix, {
    row: row / tall,
    rows: rows / tall,
    column: first,
    columns: count,
  });
}

/** Calls `visit` with the offset and the place of every unit that a tile touches, but for those in a band. */
function atEdges(
  part: PartBytes,
  matrix: Matrix,
  tile: Tile,
  band: Band | undefined,
  visit: (at: number, row: number, column: number) => void,
): void {
  const { unit } = part.plan;
  const all = bandOf(part, matrix, unitsOf(part.plan, matrix, tile));
  const end = all.column + all.count;
  const from = band ? band.column : end, to = band ? from + band.count : end;
  if (from === all.column && to === end) return;
  for (let r = 0; r < all.rows; r++) {
    for (let c = all.column; c < end; c++) {
      if (c >= from && c < to) continue;
      visit(
        all.at + r * all.rowStride + (c - all.column) * all.stride,
        (all.row + r) * (unit.rowStep === undefined ? unit.rows : 1),
        c * unit.columns,
      );
    }
  }
}

// ---- codes of one unit ----

/** Index in the tile of value `k` of a unit, or −1 where the tile does not have it. */
function valueIndex(
  k: number,
  { columns, rowStep = 1 }: Unit,
  unitRow: number,
  unitColumn: number,
  tile: Tile,
): number {
  const row = unitRow + Math.floor(k / columns) * rowStep - tile.row;
  const column = unitColumn + k % columns - tile.column;
  const inside = row >= 0 && row < tile.rows && column >= 0 &&
    column < tile.columns;
  return inside ? row * tile.columns + column : -1;
}

function unpackCodes(
  { bytes, plan: { unit } }: PartBytes,
  { at, nibbles, flip = 0 }: CodesItem,
  unitAt: number,
  row: number,
  column: number,
  tile: Tile,
): void {
  for (let k = 0; k < nibbles.length; k++) {
    const to = valueIndex(k, unit, row, column, tile);
    if (to < 0) continue;
    const nibble = nibbles[k], byte = bytes[unitAt + at + (nibble >> 1)];
    tile.codes[to] = (byte >> 4 * (nibble & 1) & 15) ^ flip;
  }
}

function packCodes(
  { bytes, plan: { unit } }: PartBytes,
  item: CodesItem,
  unitAt: number,
  row: number,
  column: number,
  tile: Tile,
): void {
  const { at, nibbles, flip = 0, spare = [] } = item;
  for (let k = 0; k < nibbles.length; k++) {
    const from = valueIndex(k, unit, row, column, tile), nibble = nibbles[k];
    const code = from < 0
      ? paddingAt(k, item, unit, row, column, tile)
      : tile.codes[from] ^ flip;
    const byte = unitAt + at + (nibble >> 1), shift = 4 * (nibble & 1);
    bytes[byte] = bytes[byte] & ~(15 << shift) | code << shift;
  }
  for (const nibble of spare) {
    bytes[unitAt + at + (nibble >> 1)] &= nibble & 1 ? 15 : 240;
  }
}

/** What is stored where the tile has no value: see {@linkcode CodesItem.padding} and {@linkcode CodesItem.stale}. */
function paddingAt(
  k: number,
  { padding = 0, stale, flip = 0 }: CodesItem,
  unit: { columns: number },
  unitRow: number,
  unitColumn: number,
  tile: Tile,
): number {
  const { columns } = tile.matrix, column = unitColumn + k % unit.columns;
  const last = columns - 1;
  if (stale === undefined || column !== columns || columns % 2 === 0) {
    return padding;
  }
  if (last % stale === 0) return 0;
  const row = unitRow + Math.floor(k / unit.columns) - tile.row;
  return tile.codes[row * tile.columns + last - 1 - tile.column] ^ flip;
}

// ---- codes of other widths ----

/** Index in the tile of the first value of a unit that the tile has whole, in one row; −1 for others. */
function wholeUnitIndex(
  unit: Unit,
  unitRow: number,
  unitColumn: number,
  tile: Tile,
): number {
  const row = unitRow - tile.row, column = unitColumn - tile.column;
  const whole = unit.rows === 1 && row >= 0 && row < tile.rows &&
    column >= 0 && column + unit.columns <= tile.columns;
  return whole ? row * tile.columns + column : -1;
}

function unpackBits(
  { bytes, plan: { unit } }: PartBytes,
  { at, width, places, above, flip = 0 }: BitsItem,
  unitAt: number,
  row: number,
  column: number,
  tile: Tile,
): void {
  const { codes } = tile, start = unitAt + at;
  const mask = (1 << width) - 1, below = (1 << above) - 1;
  const first = wholeUnitIndex(unit, row, column, tile);
  for (let k = 0; k < places.length; k++) {
    const to = first < 0 ? valueIndex(k, unit, row, column, tile) : first + k;
    if (to < 0) continue;
    const bit = places[k] * width;
    const bits = bytes[start + (bit >> 3)] >> (bit & 7) & mask;
    codes[to] = codes[to] & below | (bits ^ flip) << above;
  }
}

function packBits(
  { bytes, plan: { unit } }: PartBytes,
  { at, width, places, above, flip = 0 }: BitsItem,
  unitAt: number,
  row: number,
  column: number,
  tile: Tile,
): void {
  const { codes } = tile, start = unitAt + at, mask = (1 << width) - 1;
  const first = wholeUnitIndex(unit, row, column, tile);
  for (let k = 0; k < places.length; k++) {
    const from = first < 0 ? valueIndex(k, unit, row, column, tile) : first + k;
    const bits = from < 0 ? 0 : codes[from] >> above & mask ^ flip;
    const bit = places[k] * width, byte = start + (bit >> 3);
    const shift = bit & 7;
    bytes[byte] = bytes[byte] & ~(mask << shift) | bits << shift;
  }
}

// ---- fields ----

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

function unpackFields(
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

function packFields(
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
  if (!plan.length) {
    const { unit } = part.plan, areas = fieldAreas(tile, plan);
    const units = bandOf(part, matrix, unitsOf(part.plan, matrix, tile));
    const numbers = { field, areas, span: plan.span };
    return packAreas(bytes, units, unit, item, numbers);
  }
  makeRoom(item, plan);
  eachEntry(part, matrix, item, plan, tile, {
    visit(entry, index): void {
      entries[entry] = index < 0 ? NaN : field[index];
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
