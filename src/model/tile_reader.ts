/**
 * Reads the tiles of a window one after another. Numbers that they have in common,
 * those of groups many rows high and of columns, are read once, and so are constants.
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

/** The role of a part that is nothing but the numbers of groups that are several rows high. */
function commonRole(
  { holds: [item, ...others] }: PartPlan,
  plans: FieldPlans,
): string | undefined {
  const isField = item.kind === "field" && others.length === 0;
  return isField && plans[item.role].span.rows > 1 ? item.role : undefined;
}

/** Whether a part is nothing but bytes that follow from shape and options. */
function isConstant({ holds }: PartPlan): boolean {
  return holds.every(({ kind }) => kind === "constant");
}

/** Whether a value can be a NaN by these numbers: see {@linkcode SURELY_FINITE}. */
function mayBeNaN(numbers: Float32Array): boolean {
  return !areWithin(numbers, -SURELY_FINITE, SURELY_FINITE);
}

/** Reads tiles into a room, each in place of the one before. */
export class TileReader {
  readonly #tensor: Tensor;
  readonly #bytes: TensorBytes;
  readonly #room: Room;
  /** The parts that tiles can have in common, and the others. */
  readonly #common: string[] = [];
  readonly #own: string[] = [];
  /** The fields of both. */
  readonly #commonPlans: FieldPlans;
  readonly #ownPlans: FieldPlans;
  /** Which areas tiles have in common at the moment, and their numbers; undefined before the first tile. */
  #areas?: string;
  #fields: Fields = {};
  #mayMakeNaNs = false;

  constructor(tensor: Tensor, bytes: TensorBytes, room: Room) {
    [this.#tensor, this.#bytes, this.#room] = [tensor, bytes, room];
    const { scheme: { fields }, layout: { parts } } = tensor;
    const common: Record<string, FieldPlans[string]> = {}, own = { ...fields };
    for (const [name, plan] of Object.entries(parts)) {
      const role = commonRole(plan, fields);
      const isCommon = role !== undefined || isConstant(plan);
      (isCommon ? this.#common : this.#own).push(name);
      if (role === undefined) continue;
      common[role] = fields[role];
      delete own[role];
    }
    [this.#commonPlans, this.#ownPlans] = [common, own];
  }

  /** Reads the tile of a window. */
  read(window: Window): Tile {
    const { matrix } = this.#tensor.layout, room = this.#room;
    const areas = Object.values(this.#commonPlans).map((plan) => {
      const { row, rows, column, columns } = fieldAreas(window, plan);
      return [row, rows, column, columns].join();
    }).join(";");
    if (areas !== this.#areas) this.#readCommon(window);
    this.#areas = areas;
    room.clear();
    const codes = room.bytes(areaOf(window));
    const own = tileOf(matrix, window, this.#ownPlans, codes, room.floats);
    const tile = { ...own, fields: { ...own.fields, ...this.#fields } };
    unpackParts(this.#tensor, this.#own, tile, this.#bytes);
    return tile;
  }

  /** Whether a value of a tile can be a NaN. */
  mayMakeNaNs({ fields }: Tile): boolean {
    return this.#mayMakeNaNs ||
      Object.keys(this.#ownPlans).some((role) => mayBeNaN(fields[role]));
  }

  #readCommon(window: Window): void {
    const { matrix } = this.#tensor.layout, room = this.#room;
    room.clear(true);
    const none = new Uint8Array(0);
    const tile = tileOf(matrix, window, this.#commonPlans, none, room.floats);
    unpackParts(this.#tensor, this.#common, tile, this.#bytes);
    this.#fields = tile.fields;
    this.#mayMakeNaNs = Object.values(tile.fields).some(mayBeNaN);
    room.keep();
  }
}
