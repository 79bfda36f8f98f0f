/**
 * Packing and unpacking by a layout's description. Codes of units that a tile has
 * whole are moved in bands (bands.ts); those of units at its edges one by one.
 *
 * @module
 */
import type { ConstantItem } from "../words/layout.ts";
import type { FieldPlans, Tile } from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import { packBand, unpackBand } from "./bands.ts";
import { packFields, unpackFields } from "./pack_fields.ts";
import { packBits, packCodes, unpackBits, unpackCodes } from "./pack_units.ts";
import { atEdges, type PartBytes, wholeUnits } from "./units.ts";

const decoder = /* @__PURE__ */ new TextDecoder();

/** Takes codes and fields of a tile out of a part. */
export function unpackPart(
  part: PartBytes,
  matrix: Matrix,
  plans: FieldPlans,
  tile: Tile,
): void {
  const { unit, holds, mover } = part.plan;
  for (const item of holds) {
    if (item.kind === "text") {
      item.read(decoder.decode(part.bytes), tile.fields);
    } else if (item.kind === "constant") {
      checkConstant(part.bytes, item);
    } else if (item.kind === "field") {
      const plan = plans[item.role];
      if (!item.mover?.unpack(part, matrix, item, plan, tile)) {
        unpackFields(part, matrix, item, plan, tile);
      }
    } else if (item.kind === "bits") {
      atEdges(
        part,
        matrix,
        tile,
        undefined,
        (at, row, column) => unpackBits(part, item, at, row, column, tile),
      );
    } else if (!mover?.unpack(part, matrix, item, tile)) {
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
  const { unit, holds, mover } = part.plan;
  for (const item of holds) {
    if (item.kind === "text") {
      part.bytes.set(new TextEncoder().encode(item.write(tile.fields)));
    } else if (item.kind === "constant") {
      part.bytes.set(item.bytes, item.at);
    } else if (item.kind === "field") {
      const plan = plans[item.role];
      if (!item.mover?.pack(part, matrix, item, plan, tile)) {
        packFields(part, matrix, item, plan, tile);
      }
    } else if (item.kind === "bits") {
      atEdges(
        part,
        matrix,
        tile,
        undefined,
        (at, row, column) => packBits(part, item, at, row, column, tile),
      );
    } else if (!mover?.pack(part, matrix, item, tile)) {
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
