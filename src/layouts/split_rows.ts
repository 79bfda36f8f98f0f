/**
 * Codes of units of two rows that are no neighbours: the first half of the rows in one
 * half of every byte, the second half in the other. Tiles have all rows, so that their
 * codes lie in two runs.
 *
 * @module
 */
import { sharedInstance } from "../kernels/room.ts";
import type { CodesItem, CodesMover, PartBytes } from "../words/layout.ts";
import type { Tile } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import { isWholeUnit } from "./band.ts";
import { bandOf } from "./units.ts";

/** Rows of bytes of a tile. */
interface ByteRows {
  readonly bytes: Uint8Array;
  /** The first byte. */
  readonly at: number;
  /** How many rows, and how many bytes in each. */
  readonly rows: number;
  readonly columns: number;
  /** Bytes from a row to the next. */
  readonly stride: number;
  /** Whether the first half of the rows is in the high half of bytes. */
  readonly highFirst: boolean;
  readonly flip: number;
}

/** Where the bytes of a tile lie; undefined where units are others, or the tile lacks rows. */
function rowsOf(
  part: PartBytes,
  matrix: Matrix,
  item: CodesItem,
  { rows, column, columns }: Tile,
): ByteRows | undefined {
  const { unit, order } = part.plan, { rowStep, bytes } = unit;
  const isKnown = rowStep !== undefined && unit.rows === 2 &&
    unit.columns === 1 && bytes === 1 && order === "rows" &&
    isWholeUnit(unit, item) && rows === 2 * rowStep;
  if (!isKnown) return undefined;
  const units = { row: 0, rows: rowStep, column, columns };
  const { at, rowStride } = bandOf(part, matrix, units);
  return {
    bytes: part.bytes,
    at,
    rows: rowStep,
    columns,
    stride: rowStride,
    highFirst: item.nibbles[0] === 1,
    flip: item.flip ?? 0,
  };
}

/** Vectors of kernels for halves of bytes. */
const WHOLE = 8;

/** Runs a kernel over the bytes of all rows together, which `fill` puts there before and `take` takes afterwards; false where none reaches the tile. */
function together(
  name: "tile_unpack_halves" | "tile_pack_halves",
  { rows, columns, highFirst, flip }: ByteRows,
  { codes, memory }: Tile,
  copy: { fill?(all: Uint8Array): void; take?(all: Uint8Array): void },
): boolean {
  const half = rows * columns;
  if (half % WHOLE !== 0 || !sharedInstance(codes)) return false;
  const { buffer, byteOffset } = memory(half / 4);
  const all = new Uint8Array(buffer, byteOffset, half);
  const instance = sharedInstance(codes, all);
  if (!instance) return false;
  copy.fill?.(all);
  instance.kernels[name](
    1,
    byteOffset,
    half,
    codes.byteOffset,
    1,
    half,
    Number(highFirst),
    flip,
  );
  copy.take?.(all);
  return true;
}

function unpack(from: ByteRows, tile: Tile): void {
  const { bytes, at, rows, columns, stride, highFirst, flip } = from;
  const fill = (all: Uint8Array) => {
    for (let r = 0; r < rows; r++) {
      const first = at + r * stride;
      all.set(bytes.subarray(first, first + columns), r * columns);
    }
  };
  if (together("tile_unpack_halves", from, tile, { fill })) return;
  const { codes } = tile, half = rows * columns, first = highFirst ? 4 : 0;
  for (let r = 0, i = 0; r < rows; r++) {
    for (let c = at + r * stride, end = c + columns; c < end; c++, i++) {
      codes[i] = bytes[c] >> first & 15 ^ flip;
      codes[i + half] = bytes[c] >> 4 - first & 15 ^ flip;
    }
  }
}

function pack(to: ByteRows, tile: Tile): void {
  const { bytes, at, rows, columns, stride, highFirst, flip } = to;
  const take = (all: Uint8Array) => {
    for (let r = 0; r < rows; r++) {
      const line = all.subarray(r * columns, (r + 1) * columns);
      bytes.set(line, at + r * stride);
    }
  };
  if (together("tile_pack_halves", to, tile, { take })) return;
  const { codes } = tile, half = rows * columns, first = highFirst ? 4 : 0;
  for (let r = 0, i = 0; r < rows; r++) {
    for (let c = at + r * stride, end = c + columns; c < end; c++, i++) {
      bytes[c] = (codes[i] << first | codes[i + half] << 4 - first) ^
        flip * 17;
    }
  }
}

/** For the `mover` of a part plan with such units. */
export const splitRows: CodesMover = {
  unpack(part, matrix, item, tile): boolean {
    const rows = rowsOf(part, matrix, item, tile);
    if (rows) unpack(rows, tile);
    return rows !== undefined;
  },
  pack(part, matrix, item, tile): boolean {
    const rows = rowsOf(part, matrix, item, tile);
    if (rows) pack(rows, tile);
    return rows !== undefined;
  },
};
