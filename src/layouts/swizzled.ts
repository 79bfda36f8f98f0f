/**
 * Scales in the order in which NVIDIA's tensor cores take them: tiles of 128 rows and
 * 4 groups, row of tiles after row of tiles, and in a tile
 *
 * ```text
 * number (row, group) at (row mod 32) · 16 + ⌊row / 32⌋ · 4 + group
 * ```
 *
 * Tiles are whole: beyond the end of the tensor lie zeros.
 *
 * Source: cuBLAS, "1D block scaling factors layout"; torchao 0.18.0, `to_blocked`.
 *
 * @module
 */
import { rowLength } from "../numeric/shape.ts";
import type { Dtype } from "../words/dtypes.ts";
import type { Codec, PartPlan } from "../words/layout.ts";
import { fieldPart } from "./parts.ts";

const ROWS = 128, GROUPS = 4;
/** How many rows of a tile lie beside each other. */
const BESIDE = 4;
/** Rows and columns of a tile as it lies. */
const DOWN = ROWS / BESIDE, ACROSS = GROUPS * BESIDE;

/** Where the numbers of a tile lie, row by row. */
const PLACES = /* @__PURE__ */ Array.from(
  { length: ROWS * GROUPS },
  (_, k) => {
    const row = Math.floor(k / GROUPS);
    return row % DOWN * ACROSS + Math.floor(row / DOWN) * GROUPS + k % GROUPS;
  },
);

/** The numbers of a tile, each by a codec of one number. */
function tile(codec: Codec): Codec {
  const entry = new Float32Array(1);
  return {
    bytes: PLACES.length * codec.bytes,
    areas: { rows: ROWS, columns: GROUPS },
    numbers: codec.numbers,
    places: PLACES,
    beyond: 0,
    load(bytes, at, to): void {
      PLACES.forEach((place, k) => {
        codec.load(bytes, at + place * codec.bytes, entry);
        to[k] = entry[0];
      });
    },
    store(from, bytes, at): void {
      PLACES.forEach((place, k) => {
        entry[0] = from[k];
        codec.store(entry, bytes, at + place * codec.bytes);
      });
    },
  };
}

/**
 * The dimensions of scales in this order.
 *
 * @param shape That of the tensor.
 * @param group Values that share a scale.
 * @throws {RangeError} If several matrices share a tile, which no library writes.
 */
export function swizzledShape(
  shape: readonly number[],
  group: number,
): number[] {
  const rows = shape.at(-2) ?? 1, columns = rowLength(shape);
  if (shape.length > 2 && rows % ROWS !== 0) {
    throw new RangeError(
      `Cannot lay out shape [${shape}] with swizzled scales: its matrices have ${rows} rows, they must be a multiple of ${ROWS}`,
    );
  }
  return [
    ...shape.slice(0, -2),
    Math.ceil(rows / ROWS) * DOWN,
    Math.ceil(columns / (group * GROUPS)) * ACROSS,
  ];
}

/** A part with a scale for each group, in this order. */
export function swizzledPart(
  role: string,
  group: number,
  dtype: Dtype,
  shape: readonly number[],
  codec: Codec,
): PartPlan {
  const span = { rows: 1, columns: group };
  return fieldPart(role, span, dtype, swizzledShape(shape, group), tile(codec));
}
