/**
 * Codes of bands by kernels: of units whose neighbours in a row share a byte, are
 * alone in one or lie in halves of runs of bytes, or that are eight or two rows of a
 * column. Kernels work on a part where it lies, if that is beside the tile in
 * WebAssembly memory, and otherwise on a copy.
 *
 * @module
 */
import type { Instance } from "../kernels/arena.ts";
import { isBeside, sharedInstance } from "../kernels/room.ts";
import type { CodesItem, Unit } from "../words/layout.ts";
import type { Tile } from "../words/tile.ts";
import { type Band, firstCode, isWholeUnit } from "./band.ts";
import { copyPieces } from "./copy_pieces.ts";
import { halvesOf, runOf } from "./halves.ts";

/** Rows of units in WebAssembly memory, those of a row without gaps. */
interface Lines {
  /** Address of the first unit. */
  readonly at: number;
  /** Bytes from a row to the next. */
  readonly stride: number;
}

/** Takes the codes of a band out of a part; false where no kernel does. */
export function unpackByKernel(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): boolean {
  const place = placeOf(bytes, band, unit, item, tile);
  if (!place) return false;
  const lines = inPlace(bytes, band, unit, place) ??
    gather(bytes, band, unit, place);
  if (lines) eachLine(lines, band, unit, tile, place.moves.unpack);
  return lines !== undefined;
}

/** Puts the codes of a band into a part; false where no kernel does. */
export function packByKernel(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): boolean {
  const place = placeOf(bytes, band, unit, item, tile);
  if (!place) return false;
  const target = inPlace(bytes, band, unit, place);
  const lines = target ?? linesOf(place.packed, band, unit);
  // What else is in units stays as it is.
  const isAll = isWholeUnit(unit, item);
  if (!target && !isAll && !gather(bytes, band, unit, place)) return false;
  eachLine(lines, band, unit, tile, place.moves.pack);
  return target !== undefined || scatter(bytes, band, unit, place);
}

/** Moves `n` codes between units at an address and a tile's codes at another. */
type Move = (n: number, at: number, codes: number) => void;

/** The kernels for an order of codes. */
interface Moves {
  readonly unpack: Move;
  readonly pack: Move;
}

/** Where kernels work on a band, and which. */
interface Place {
  readonly instance: Instance;
  readonly moves: Moves;
  /** Room for its units beside the tile, row by row. */
  readonly packed: Uint8Array;
  /** As much room for them column by column, where they lie so in the part. */
  readonly turned?: Uint8Array;
  /** Whether the part is beside the tile. */
  readonly isBeside: boolean;
}

function placeOf(
  bytes: Uint8Array,
  { rows, count, rowStride, stride }: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): Place | undefined {
  const own = sharedInstance(tile.codes);
  if (!own) return undefined;
  const length = rows * count * unit.bytes;
  const inColumns = stride !== unit.bytes && rowStride === unit.bytes &&
    canTurn(unit, own.kernels);
  const room = tile.memory(Math.ceil(length / 4) * (inColumns ? 2 : 1));
  const instance = sharedInstance(tile.codes, room);
  const moves = instance && movesOf(instance, unit, item);
  const { buffer, byteOffset, byteLength } = room;
  return moves && {
    instance,
    moves,
    packed: new Uint8Array(buffer, byteOffset, length),
    turned: inColumns
      ? new Uint8Array(buffer, byteOffset + byteLength / 2, length)
      : undefined,
    isBeside: isBeside(bytes, instance),
  };
}

/** The kernels for the codes of a unit; undefined where there are none. */
function movesOf(
  { kernels }: Instance,
  unit: Unit,
  item: CodesItem,
): Moves | undefined {
  const { nibbles, spare, at: start, flip = 0 } = item, { bytes } = unit;
  if (spare) {
    return bytes !== 1 ? undefined : {
      unpack: (n, at, codes) => void kernels.tile_singles(n, at, codes, flip),
      pack: (n, at, codes) => void kernels.tile_singles(n, codes, at, flip),
    };
  }
  const halves = halvesOf(nibbles), { low, high } = halves;
  const isWhole = isWholeUnit(unit, item);
  if (unit.rows > 1) {
    const order = orderOfRows(low, high);
    const isKnown = isWhole && (bytes === 1 || bytes === 4) &&
      kernels.tile_pack_columns;
    return !isKnown ? undefined : {
      unpack: (n, at, codes) =>
        void kernels.tile_unpack_columns(n, at, codes, bytes, order, flip),
      pack: (n, at, codes) =>
        void kernels.tile_pack_columns(n, at, codes, bytes, order, flip),
    };
  }
  const run = runOf(halves), order = Number(low[0] > 0);
  if (run === 1 && isWhole) {
    return {
      unpack: (n, at, codes) =>
        void kernels.tile_unpack(n, at, codes, order, flip),
      pack: (n, at, codes) => void kernels.tile_pack(n, codes, at, order, flip),
    };
  }
  if (run === 0 || run % 8 !== 0 || !kernels.tile_pack_halves) {
    return undefined;
  }
  const ofUnit = [nibbles.length / (2 * run), run, order, flip];
  return {
    unpack: (n, at, codes) =>
      void kernels.tile_unpack_halves(
        n / (2 * run),
        at + start,
        bytes,
        codes,
        ...ofUnit,
      ),
    pack: (n, at, codes) =>
      void kernels.tile_pack_halves(
        n / (2 * run),
        at + start,
        bytes,
        codes,
        ...ofUnit,
      ),
  };
}

/** The rows of a column's codes, as a word of four bits each. */
function orderOfRows(low: Uint16Array, high: Uint16Array): number {
  let order = 0;
  low.forEach((row, b) => order |= row << 8 * b | high[b] << 8 * b + 4);
  return order;
}

/** Calls a kernel for the units of every row, or at once for all that lie together here and there. */
function eachLine(
  { at, stride }: Lines,
  band: Band,
  unit: Unit,
  tile: Tile,
  move: Move,
): void {
  const { rows, count } = band, n = count * unit.columns;
  const together = unit.rows === 1 && stride === count * unit.bytes &&
    n === tile.columns;
  const times = together ? 1 : rows;
  for (let r = 0; r < times; r++) {
    const codes = tile.codes.byteOffset + firstCode(band, unit, tile, r);
    move(together ? rows * n : n, at + r * stride, codes);
  }
}

// ---- units where kernels find them ----

/** The rows of units in the part itself, where kernels reach them and they have no gaps. */
function inPlace(
  { byteOffset }: Uint8Array,
  { at, rowStride, stride }: Band,
  unit: Unit,
  { isBeside }: Place,
): Lines | undefined {
  return isBeside && stride === unit.bytes
    ? { at: byteOffset + at, stride: rowStride }
    : undefined;
}

function linesOf(packed: Uint8Array, { count }: Band, unit: Unit): Lines {
  return { at: packed.byteOffset, stride: count * unit.bytes };
}

/** Copies the units of a band to `packed`; undefined where they are neither together in rows nor in columns. */
function gather(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  { isBeside, instance: { kernels }, packed, turned }: Place,
): Lines | undefined {
  const { rows, count, at, stride } = band;
  const lines = linesOf(packed, band, unit);
  if (stride === unit.bytes) {
    eachRow(band, unit, (part, line, n) => {
      packed.set(bytes.subarray(part, part + n), line);
    });
  } else if (turned) {
    const length = rows * unit.bytes;
    const places = { at, stride, count, length, piece: length, apart: 0 };
    if (!isBeside) copyPieces(bytes, turned, places, false);
    const [from, step] = isBeside
      ? [bytes.byteOffset + at, stride]
      : [turned.byteOffset, length];
    kernels[turnOf(unit)](count, rows, from, step, lines.at, lines.stride);
  } else return undefined;
  return lines;
}

/** Copies them from there; false where they are neither. */
function scatter(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  { isBeside, instance: { kernels }, packed, turned }: Place,
): boolean {
  const { rows, count, at, stride } = band;
  const lines = linesOf(packed, band, unit);
  if (stride === unit.bytes) {
    eachRow(band, unit, (part, line, n) => {
      bytes.set(packed.subarray(line, line + n), part);
    });
  } else if (turned) {
    const length = rows * unit.bytes;
    const [to, step] = isBeside
      ? [bytes.byteOffset + at, stride]
      : [turned.byteOffset, length];
    kernels[turnOf(unit)](rows, count, lines.at, lines.stride, to, step);
    const places = { at, stride, count, length, piece: length, apart: 0 };
    if (!isBeside) copyPieces(bytes, turned, places, true);
  } else return false;
  return true;
}

function canTurn(
  { bytes }: Unit,
  { tile_turn_bytes: kernel }: Instance["kernels"],
): boolean {
  return kernel !== undefined && (bytes === 1 || bytes === 4);
}

function turnOf({ bytes }: Unit): string {
  return bytes === 1 ? "tile_turn_bytes" : "tile_turn_words";
}

/** Calls `copy` with where the units of a row start in the part and among the lines, and how many bytes they are; once where all lie together. */
function eachRow(
  { rows, count, at, rowStride }: Band,
  unit: Unit,
  copy: (part: number, line: number, n: number) => void,
): void {
  const n = count * unit.bytes;
  if (rowStride === n) return copy(at, 0, rows * n);
  for (let r = 0; r < rows; r++) copy(at + r * rowStride, r * n, n);
}
