/**
 * Reads the tiles of a window one after another. Numbers that they have in common,
 * those of groups many rows high and of columns, are read once, and so are constants;
 * those of groups in rows that lie column by column are read for many tiles at a time.
 *
 * @module
 */
import type { Room } from "../kernels/room.ts";
import { unpackPart } from "../layouts/pack.ts";
import { SURELY_FINITE } from "../numeric/nan.ts";
import { areWithin } from "../schemes/tiles.ts";
import type { PartPlan } from "../words/layout.ts";
import {
  fieldAreas,
  fieldLength,
  type FieldPlans,
  type Fields,
  type Tile,
  tileOf,
} from "../words/tile.ts";
import { areaOf, type Window } from "../words/window.ts";
import type { TensorBytes } from "./pack_tile.ts";
import type { Tensor } from "./stages.ts";

/** Takes the parts of some names out of all and into a tile. */
export function unpackParts(
  { scheme, layout: { matrix, parts } }: Tensor,
  names: Iterable<string>,
  tile: Tile,
  { bytes, area, near }: TensorBytes,
): void {
  for (const name of names) {
    const part = near?.[name]?.reading(tile) ?? { bytes: bytes[name], area };
    const plan = parts[name];
    unpackPart({ plan, ...part }, matrix, scheme.fields, tile);
  }
}

/** Numbers of a field that are read ahead at most: a room has few beside a tile. */
const MOST_AHEAD = 4096;

/** Whether a part is nothing but bytes that follow from shape and options. */
function isConstant({ holds }: PartPlan): boolean {
  return holds.every(({ kind }) => kind === "constant");
}

/** Whether a value can be a NaN by these numbers: see {@linkcode SURELY_FINITE}. */
function mayBeNaN(numbers: Float32Array): boolean {
  return !areWithin(numbers, -SURELY_FINITE, SURELY_FINITE);
}

/** Parts, and the fields that they hold. */
class Share {
  readonly names: string[] = [];
  readonly plans: Record<string, FieldPlans[string]> = {};
}

/** Reads tiles into a room, each in place of the one before. */
export class TileReader {
  readonly #tensor: Tensor;
  readonly #bytes: TensorBytes;
  readonly #window: Window;
  readonly #room: Room;
  /** What tiles can have in common, what is read ahead, and what is a tile's own. */
  readonly #common = new Share();
  readonly #ahead = new Share();
  readonly #own = new Share();
  /** Which areas tiles share at the moment, and the numbers that they have in common; undefined before the first tile. */
  #areas?: string;
  #fields: Fields = {};
  /** How many rows there is memory for to read ahead, and that memory. */
  #rows = 0;
  #memory: Fields = {};
  /** What was read ahead. */
  #read?: Tile;
  #mayMakeNaNs = { common: false, ahead: false };

  /**
   * @param tensor The tensor.
   * @param bytes Its parts, or what the window needs of them.
   * @param window What is read, tile by tile.
   * @param room Where tiles go.
   */
  constructor(tensor: Tensor, bytes: TensorBytes, window: Window, room: Room) {
    [this.#tensor, this.#bytes] = [tensor, bytes];
    [this.#window, this.#room] = [window, room];
    const { scheme: { fields }, layout: { parts } } = tensor;
    Object.assign(this.#own.plans, fields);
    for (const [name, plan] of Object.entries(parts)) {
      const [role, share] = this.#sharing(plan);
      share.names.push(name);
      if (role === undefined) continue;
      share.plans[role] = fields[role];
      delete this.#own.plans[role];
    }
  }

  /** The role of a part that is nothing but numbers of groups, and who reads it: tiles have them in common where groups are several rows high, and they are read ahead where they lie column by column. */
  #sharing(plan: PartPlan): [role: string | undefined, share: Share] {
    const { order, holds: [item, ...others] } = plan;
    if (isConstant(plan)) return [undefined, this.#common];
    if (item.kind !== "field" || others.length > 0) {
      return [undefined, this.#own];
    }
    const { role } = item, { rows } = this.#own.plans[role].span;
    if (rows > 1) return [role, this.#common];
    return order === "columns" ? [role, this.#ahead] : [undefined, this.#own];
  }

  /** Reads the tile of a window. */
  read(window: Window): Tile {
    const { matrix } = this.#tensor.layout, room = this.#room;
    const areas = this.#areasOf(window);
    if (areas !== this.#areas || window.rows > this.#rows) this.#open(window);
    this.#areas = areas;
    const ahead = this.#fieldsAhead(window);
    room.clear();
    const codes = room.bytes(areaOf(window));
    const own = tileOf(matrix, window, this.#own.plans, codes, room.floats);
    const fields = { ...own.fields, ...this.#fields, ...ahead };
    const tile = { ...own, fields };
    unpackParts(this.#tensor, this.#own.names, tile, this.#bytes);
    return tile;
  }

  /** Whether a value of a tile can be a NaN. */
  mayMakeNaNs({ fields }: Tile): boolean {
    const { common, ahead } = this.#mayMakeNaNs;
    return common || ahead ||
      Object.keys(this.#own.plans).some((role) => mayBeNaN(fields[role]));
  }

  /** Which areas a tile has in common with others, or has above and below it. */
  #areasOf(window: Window): string {
    const common = Object.values(this.#common.plans).map((plan) => {
      const { row, rows, column, columns } = fieldAreas(window, plan);
      return [row, rows, column, columns].join();
    });
    const { column, columns } = window;
    return [...common, column, columns].join(";");
  }

  /** Reads what tiles have in common, and takes memory for what is read ahead. */
  #open(window: Window): void {
    const { matrix } = this.#tensor.layout, room = this.#room;
    room.clear(true);
    const none = new Uint8Array(0), { names, plans } = this.#common;
    const tile = tileOf(matrix, window, plans, none, room.floats);
    unpackParts(this.#tensor, names, tile, this.#bytes);
    this.#fields = tile.fields;
    this.#mayMakeNaNs.common = Object.values(tile.fields).some(mayBeNaN);
    this.#rows = this.#rowsAhead(window);
    this.#read = undefined;
    const area = { ...window, rows: this.#rows };
    this.#memory =
      tileOf(matrix, area, this.#ahead.plans, none, room.floats).fields;
    room.keep();
  }

  // ---- numbers of rows ----

  /** How many rows' numbers are read at a time: those of whole tiles. */
  #rowsAhead(window: Window): number {
    const perRow = Object.values(this.#ahead.plans).map((plan) =>
      fieldLength({ ...window, rows: 1 }, plan)
    );
    const most = MOST_AHEAD / Math.max(1, ...perRow);
    const tiles = window.columns === this.#window.columns
      ? Math.floor(most / window.rows)
      : 1;
    return Math.max(1, tiles) * window.rows;
  }

  /** The numbers of a tile among those that were read ahead. */
  #fieldsAhead(window: Window): Fields {
    const { row, rows } = window;
    const isRead = this.#read !== undefined && row >= this.#read.row &&
      row + rows <= this.#read.row + this.#read.rows;
    const read = isRead ? this.#read! : this.#readAhead(window);
    const fields: Record<string, Float32Array> = {};
    for (const [role, plan] of Object.entries(this.#ahead.plans)) {
      const first = fieldLength({ ...window, rows: row - read.row }, plan);
      fields[role] = read.fields[role].subarray(
        first,
        first + fieldLength(window, plan),
      );
    }
    return fields;
  }

  #readAhead(window: Window): Tile {
    const { matrix } = this.#tensor.layout, { names, plans } = this.#ahead;
    const left = this.#window.row + this.#window.rows - window.row;
    const area = { ...window, rows: Math.min(this.#rows, left) };
    const arrays = Object.values(this.#memory);
    let next = 0;
    const memory = (length: number) => arrays[next++].subarray(0, length);
    const tile = tileOf(matrix, area, plans, new Uint8Array(0), memory);
    unpackParts(this.#tensor, names, tile, this.#bytes);
    this.#mayMakeNaNs.ahead = Object.values(tile.fields).some(mayBeNaN);
    return this.#read = tile;
  }
}
