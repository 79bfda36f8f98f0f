/**
 * Copies of some rows of a part whose units of a column lie together: tiles are a few
 * rows high and would touch a few bytes of every column, each in another page of
 * memory. Here the bytes of a tile lie together.
 *
 * @module
 */
import {
  type NearBytes,
  type PartBytes,
  type PlacedBytes,
  unitsOf,
} from "../words/layout.ts";
import type { Matrix, Window } from "../words/window.ts";
import { copyPieces } from "./copy_pieces.ts";
import { bandOf } from "./units.ts";

/** Bytes of a column that are copied at a time: a few lines of a cache. */
const RUN_BYTES = 256;

/** Values whose codes are copied at a time at most: they have to stay in a cache. */
const MOST_VALUES = 2 ** 21;

/** Between the bytes of tiles, so that they do not all lie in the same place of a cache. */
const GAP_BYTES = 64;

/** Room for copies that is not in use. */
let spare = /* @__PURE__ */ new Uint8Array(0);

/** Rows that are copied. */
interface Rows {
  /** The first. */
  readonly row: number;
  readonly rows: number;
  /** How many of them belong to one tile, then to the next. */
  readonly tall: number;
  /** From the bytes of a tile to those of the next. */
  readonly stride: number;
}

class NearRows implements NearBytes {
  readonly #part: PartBytes;
  readonly #matrix: Matrix;
  readonly #window: Window;
  /** How many rows are copied at a time. */
  readonly #rows: number;
  #copied?: Rows;
  /** How many of them were written. */
  #written = 0;
  #room = new Uint8Array(0);

  constructor(part: PartBytes, matrix: Matrix, window: Window) {
    [this.#part, this.#matrix, this.#window] = [part, matrix, window];
    const { rows, bytes } = part.plan.unit;
    const most = Math.floor(MOST_VALUES / window.columns / rows);
    this.#rows = Math.min(RUN_BYTES / bytes, most) * rows;
  }

  reading(tile: Window): PlacedBytes {
    if (!this.#has(tile) && this.#open(tile)) this.#copy(this.#rows, false);
    return this.#bytesOf(tile);
  }

  writing(tile: Window): PlacedBytes {
    if (!this.#has(tile)) {
      this.#putBack();
      this.#open(tile);
    }
    if (this.#copied) this.#written = tile.row + tile.rows - this.#copied.row;
    return this.#bytesOf(tile);
  }

  close(): void {
    this.#putBack();
    if (this.#room.length > spare.length) spare = this.#room;
    this.#room = new Uint8Array(0);
  }

  #putBack(): void {
    if (this.#copied && this.#written > 0) this.#copy(this.#written, true);
    this.#copied = undefined;
    this.#written = 0;
  }

  #has(tile: Window): boolean {
    if (!this.#copied) return false;
    const { row, rows, tall } = this.#copied, from = tile.row - row;
    return from >= 0 && from < rows && from % tall === 0 &&
      tile.rows === Math.min(tall, rows - from);
  }

  /** Makes room for the rows from a tile on; false where it has as many itself. */
  #open({ row, rows: tall }: Window): boolean {
    this.#copied = undefined;
    const left = this.#window.row + this.#window.rows - row;
    const rows = Math.min(Math.floor(this.#rows / tall) * tall, left);
    if (rows <= tall) return false;
    const { plan: { unit } } = this.#part;
    const units = unitsOf(this.#part.plan, this.#matrix, this.#window);
    const bytes = tall / unit.rows * unit.bytes * units.columns;
    const stride = Math.ceil(bytes / 4) * 4 + GAP_BYTES;
    this.#makeRoom(Math.ceil(rows / tall) * stride);
    this.#copied = { row, rows, tall, stride };
    return true;
  }

  #makeRoom(bytes: number): void {
    if (this.#room.length >= bytes) return;
    if (spare.length < bytes) this.#room = new Uint8Array(bytes);
    else [this.#room, spare] = [spare, this.#room];
  }

  /** The bytes for a tile: copies of its rows, or the part. */
  #bytesOf({ row, rows }: Window): PlacedBytes {
    if (!this.#copied) return this.#part;
    const { row: first, tall, stride } = this.#copied;
    const start = (row - first) / tall * stride;
    return {
      bytes: this.#room.subarray(start, start + stride),
      area: { ...this.#window, row, rows },
    };
  }

  /** Copies the first rows, from the part or back. */
  #copy(most: number, back: boolean): void {
    const { row, rows, tall, stride: apart } = this.#copied!;
    const { plan, bytes } = this.#part, { unit } = plan;
    const area = { ...this.#window, row, rows: Math.min(rows, most) };
    const units = unitsOf(plan, this.#matrix, area);
    const { at, stride } = bandOf(this.#part, this.#matrix, units);
    const places = {
      at,
      stride,
      count: units.columns,
      length: units.rows * unit.bytes,
      piece: tall / unit.rows * unit.bytes,
      apart,
    };
    copyPieces(bytes, this.#room, places, back);
  }
}

/** For the `near` of a part plan whose units lie in columns and are nothing but codes. */
export function nearRows(
  part: PartBytes,
  matrix: Matrix,
  window: Window,
): NearBytes {
  return new NearRows(part, matrix, window);
}
