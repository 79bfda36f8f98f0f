/**
 * Gives tiles all of their kernels. Imported for this effect by the entry points that
 * hold every format, and with the searches, which work on tiles whatever the format.
 *
 * @module
 */
import { RANKS, STEPS, TILES, TURNED } from "../kernels/own_modules.ts";
import { withTileKernels } from "./tile_kernels.ts";

withTileKernels(undefined, [TILES, TURNED, RANKS, STEPS]);
