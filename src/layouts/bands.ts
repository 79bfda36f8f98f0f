/**
 * Codes of bands: a kernel moves them where neighbours share a byte, if an entry point
 * brought along what runs kernels; plain JS moves every order.
 *
 * @module
 */
import type { CodesItem, Unit } from "../words/layout.ts";
import type { Tile } from "../words/tile.ts";
import type { Band } from "./band.ts";
import { packPlain, unpackPlain } from "./band_plain.ts";

/** Moves the codes of a band between a part and a tile; false where it does not. */
type MoveBand = (
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
) => boolean;

/** What moves bands by kernels. */
export interface BandKernels {
  /** From a part to a tile. */
  readonly unpack: MoveBand;
  /** From a tile to a part. */
  readonly pack: MoveBand;
}

let kernels: BandKernels | undefined;

/** Says what moves bands by kernels. Entry points do that have it. */
export function useBandKernels(moving: BandKernels): void {
  kernels = moving;
}

/** Takes the codes of a band out of a part. */
export function unpackBand(
  bytes: Uint8Array,
  band: Band,
  unit: Unit,
  item: CodesItem,
  tile: Tile,
): void {
  if (kernels?.unpack(bytes, band, unit, item, tile)) return;
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
  if (kernels?.pack(bytes, band, unit, item, tile)) return;
  packPlain(bytes, band, unit, item, tile);
}
