/**
 * Codes of values that are rounded to a type of 16 bits first, in one go.
 *
 * @module
 */
import { ROUNDING_KERNELS } from "../kernels/modules.ts";
import { LARGEST_F16 } from "../numeric/f16.ts";
import type { ComputeDtype } from "../words/scheme.ts";
import type { Span, Tile } from "../words/tile.ts";
import { type Rounding, ROUNDINGS } from "./tile_codes.ts";
import { areWithin, COMPUTE_DTYPES, doneBy } from "./tiles.ts";

/**
 * Rounds values to a type, and to codes in one go by a kernel; false where there is none.
 * Steps are rounded to that type, too, or not at all. Ends are those of the groups,
 * rounded to the type.
 */
export function encodeInType(
  values: Float32Array,
  tile: Tile,
  span: Span,
  scales: Float32Array,
  offsets: Float32Array,
  rounding: Rounding,
  dtype: ComputeDtype,
  roundsSteps: boolean,
  ends: readonly Float32Array[],
): boolean {
  const most = dtype === "F16" ? LARGEST_F16 : Infinity;
  if (!ends.every((numbers) => areWithin(numbers, -most, most))) return false;
  const way = ROUNDINGS.indexOf(rounding), type = COMPUTE_DTYPES.indexOf(dtype);
  const arrays = [values, tile.codes, scales, offsets];
  const numbers = [way, type, Number(roundsSteps)];
  const name = "tile_encode_rounded";
  return doneBy(ROUNDING_KERNELS, name, tile, span, arrays, numbers);
}
