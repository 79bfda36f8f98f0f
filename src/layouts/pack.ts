/**
 * Packing and unpacking by a layout's description: written to be read. Layouts
 * that are used a lot have faster ways beside it, judged against this one.
 *
 * @module
 */
import {
  type BitsItem,
  type Codec,
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

/** Bytes of one part, and the window that they were taken for. */
export interface PartBytes {
  /** The plan of the part in the whole tensor. */
  readonly plan: PartPlan;
  /** Its bytes: units of the window, in the part's order, without gaps. */
  readonly bytes: Uint8Array;
  /** What the bytes were taken for: the whole matrix, or a window of it. */
  readonly area: Window;
}

/** A unit of a part that a tile touches. */
interface UnitPlace {
  /** Offset of its bytes. */
  readonly at: number;
  /** Its first row in the matrix. */
  readonly row: number;
  /** Its first column in the matrix. */
  readonly column: number;
}

/** The units that a window of a part touches. */
function* places(
  { plan, area }: PartBytes,
  matrix: Matrix,
  window: Window,
): Generator<UnitPlace, void> {
  const have = unitsOf(plan, matrix, area);
  const want = unitsOf(plan, matrix, window);
  const { unit } = plan;
  for (let r = want.row; r < want.row + want.rows; r++) {
    for (let c = want.column; c < want.column + want.columns; c++) {
      const row = r - have.row, column = c - have.column;
      const index = plan.order === "rows"
        ? row * have.columns + column
        : column * have.rows + row;
      yield {
        at: index * unit.bytes,
        row: r * (unit.rowStep === undefined ? unit.rows : 1),
        column: c * unit.columns,
      };
    }
  }
}

/** Takes codes and fields of a tile out of a part. */
export function unpackPart(
  part: PartBytes,
  matrix: Matrix,
  plans: FieldPlans,
  tile: Tile,
): void {
  for (const item of part.plan.holds) {
    if (item.kind === "text") {
      item.read(new TextDecoder().decode(part.bytes), tile.fields);
      continue;
    }
    if (item.kind === "constant") {
      checkConstant(part, item);
      continue;
    }
    for (const place of places(part, matrix, tile)) {
      if (item.kind === "codes") unpackCodes(part, item, place, tile);
      else if (item.kind === "bits") unpackBits(part, item, place, tile);
      else unpackField(part, item, place, plans[item.role], tile);
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
  for (const item of part.plan.holds) {
    if (item.kind === "text") {
      part.bytes.set(new TextEncoder().encode(item.write(tile.fields)));
      continue;
    }
    if (item.kind === "constant") {
      part.bytes.set(item.bytes);
      continue;
    }
    for (const place of places(part, matrix, tile)) {
      if (item.kind === "codes") packCodes(part, item, place, tile);
      else if (item.kind === "bits") packBits(part, item, place, tile);
      else packField(part, item, place, plans[item.role], tile);
    }
  }
}

/** Throws a RangeError where bytes that have to be the same are not. */
function checkConstant(
  { bytes }: PartBytes,
  { bytes: expected, checked }: ConstantItem,
): void {
  if (!checked) return;
  const bad = expected.findIndex((byte, i) => bytes[i] !== byte);
  if (bad < 0) return;
  throw new RangeError(
    `Cannot use part "${checked}": its byte ${bad} is ${
      bytes[bad]
    }, by shape and options it must be ${expected[bad]}`,
  );
}

/** Index in the tile of value `k` of a unit, or −1 where the tile does not have it. */
function valueIndex(
  k: number,
  { columns, rowStep = 1 }: Unit,
  place: UnitPlace,
  tile: Tile,
): number {
  const row = place.row + Math.floor(k / columns) * rowStep - tile.row;
  const column = place.column + k % columns - tile.column;
  const inside = row >= 0 && row < tile.rows && column >= 0 &&
    column < tile.columns;
  return inside ? row * tile.columns + column : -1;
}

function unpackCodes(
  { bytes, plan: { unit } }: PartBytes,
  { at, nibbles, flip = 0 }: CodesItem,
  place: UnitPlace,
  tile: Tile,
): void {
  nibbles.forEach((nibble, k) => {
    const to = valueIndex(k, unit, place, tile);
    if (to < 0) return;
    const byte = bytes[place.at + at + (nibble >> 1)];
    tile.codes[to] = (byte >> 4 * (nibble & 1) & 15) ^ flip;
  });
}

function packCodes(
  { bytes, plan: { unit } }: PartBytes,
  item: CodesItem,
  place: UnitPlace,
  tile: Tile,
): void {
  const { at, nibbles, flip = 0, spare = [] } = item;
  nibbles.forEach((nibble, k) => {
    const from = valueIndex(k, unit, place, tile);
    const code = from < 0
      ? paddingAt(k, item, unit, place, tile)
      : tile.codes[from] ^ flip;
    const byte = place.at + at + (nibble >> 1), shift = 4 * (nibble & 1);
    bytes[byte] = bytes[byte] & ~(15 << shift) | code << shift;
  });
  for (const nibble of spare) {
    bytes[place.at + at + (nibble >> 1)] &= nibble & 1 ? 15 : 240;
  }
}

/** What is stored where the tile has no value: see {@linkcode CodesItem.padding} and {@linkcode CodesItem.stale}. */
function paddingAt(
  k: number,
  { padding = 0, stale, flip = 0 }: CodesItem,
  unit: { columns: number },
  place: UnitPlace,
  tile: Tile,
): number {
  const { columns } = tile.matrix, column = place.column + k % unit.columns;
  const last = columns - 1;
  if (stale === undefined || column !== columns || columns % 2 === 0) {
    return padding;
  }
  if (last % stale === 0) return 0;
  const row = place.row + Math.floor(k / unit.columns) - tile.row;
  return tile.codes[row * tile.columns + last - 1 - tile.column] ^ flip;
}

function unpackBits(
  { bytes, plan: { unit } }: PartBytes,
  { at, width, places, above, flip = 0 }: BitsItem,
  place: UnitPlace,
  tile: Tile,
): void {
  const mask = (1 << width) - 1, below = (1 << above) - 1;
  for (let k = 0; k < places.length; k++) {
    const to = valueIndex(k, unit, place, tile);
    if (to < 0) continue;
    const bit = places[k] * width;
    const bits = bytes[place.at + at + (bit >> 3)] >> (bit & 7) & mask;
    tile.codes[to] = tile.codes[to] & below | (bits ^ flip) << above;
  }
}

function packBits(
  { bytes, plan: { unit } }: PartBytes,
  { at, width, places, above, flip = 0 }: BitsItem,
  place: UnitPlace,
  tile: Tile,
): void {
  const mask = (1 << width) - 1;
  for (let k = 0; k < places.length; k++) {
    const from = valueIndex(k, unit, place, tile);
    const bits = from < 0 ? 0 : tile.codes[from] >> above & mask ^ flip;
    const bit = places[k] * width, byte = place.at + at + (bit >> 3);
    const shift = bit & 7;
    bytes[byte] = bytes[byte] & ~(mask << shift) | bits << shift;
  }
}

let memory = new Float32Array(256);

/** Room for the numbers of a codec; used again and again. */
function entriesOf({ areas, length = 1 }: Codec): Float32Array {
  const count = areas.rows * areas.columns * length;
  if (memory.length < count) memory = new Float32Array(count);
  return memory;
}

/** Index in the tile's field of entry `k` of a codec, or −1 where the tile does not have it. */
function fieldIndex(
  k: number,
  { codec }: FieldItem,
  place: UnitPlace,
  plan: FieldPlan,
  tile: Tile,
): number {
  const { span } = plan, areas = fieldAreas(tile, plan);
  const row = Math.floor(place.row / span.rows) +
    Math.floor(k / codec.areas.columns) - areas.row;
  const column = Math.floor(place.column / span.columns) +
    k % codec.areas.columns - areas.column;
  const inside = row >= 0 && row < areas.rows && column >= 0 &&
    column < areas.columns;
  return inside ? row * areas.columns + column : -1;
}

function unpackField(
  { bytes }: PartBytes,
  item: FieldItem,
  place: UnitPlace,
  plan: FieldPlan,
  tile: Tile,
): void {
  const { role, at, codec } = item, length = plan.length ?? 1;
  const entries = entriesOf(codec);
  codec.load(bytes, place.at + at, entries);
  for (let k = 0; k < codec.areas.rows * codec.areas.columns; k++) {
    const to = fieldIndex(k, item, place, plan, tile) * length;
    if (to < 0) continue;
    tile.fields[role].set(
      entries.subarray(k * length, (k + 1) * length),
      to,
    );
  }
}

function packField(
  { bytes }: PartBytes,
  item: FieldItem,
  place: UnitPlace,
  plan: FieldPlan,
  tile: Tile,
): void {
  const { role, at, codec } = item, length = plan.length ?? 1;
  const entries = entriesOf(codec);
  for (let k = 0; k < codec.areas.rows * codec.areas.columns; k++) {
    const from = fieldIndex(k, item, place, plan, tile) * length;
    for (let i = 0; i < length; i++) {
      entries[k * length + i] = from < 0 ? NaN : tile.fields[role][from + i];
    }
  }
  codec.store(entries, bytes, place.at + at);
}
