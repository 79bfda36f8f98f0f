/**
 * Gives the engine all of its WebAssembly kernels. Imported for this effect by the
 * entry points that hold every format.
 *
 * @module
 */
import "../kernels/install_core.ts";
import "../kernels/install_scales.ts";
import "../layouts/install_tiles.ts";
import { bring } from "../kernels/modules.ts";
import { BASIC, COMPARE, FORMATS, REPACK } from "../kernels/own_modules.ts";
import { useBlockKernels } from "./block_format.ts";
import { BLOCK_KERNELS } from "./block_kernels.ts";

for (const [module, hex] of [BASIC, COMPARE, REPACK, ...FORMATS]) {
  bring(module, hex);
}
useBlockKernels(BLOCK_KERNELS);
