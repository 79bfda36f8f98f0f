/**
 * Brings along kernels of tiles, with what moves codes between tiles and parts by them.
 *
 * @module
 */
import { type Brought, withKernels } from "../kernels/modules.ts";
import { packByKernel, unpackByKernel } from "./band_kernels.ts";
import { type BandKernels, useBandKernels } from "./bands.ts";

/** What moves bands by kernels. */
const BAND_KERNELS: BandKernels = {
  unpack: unpackByKernel,
  pack: packByKernel,
};

/** What it is given, once tiles have kernels and modules their WebAssembly. */
export function withTileKernels<T>(value: T, brought: readonly Brought[]): T {
  useBandKernels(BAND_KERNELS);
  return withKernels(value, brought);
}
