/**
 * Codes of bands: a kernel moves them where neighbours share a byte; plain JS
 * moves every order.
 *
 * @module
 */
import type { CodesItem, Unit } from "../words/layout.ts";
import type { Tile } from "../words/tile.ts";
import type { Band } from "./band.ts";
import { packByKernel, unpackByKernel } from "./band_kernels.ts";
import { packPlain, unpackPlain } from "./band_plain.ts";

/** Takes the codes of a band out of a part. */
export function unpackBand(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): void {
  if (unpackByKernel(bytes, band, unit, item, tile)) return;
  unpackPlain(bytes, band, unit, item, tile);
}

/** Puts the codes of a band into a part. */
export function packBand(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): void {
  if (packByKernel(bytes, band, unit, item, tile)) return;
  packPlain(bytes, band, unit, item, tile);
}
