/**
 * Gives searches for scales their WebAssembly kernels. Imported for this effect by
 * the entry points that have searches; others search in plain JS, to the same bytes.
 *
 * @module
 */
import { bring, SCALES_KERNELS } from "./modules.ts";
import { COLUMNS, E2M1_TILES, RANKS, STEPS, TILES } from "./own_modules.ts";
import { KERNELS } from "./scale_module.ts";

bring(SCALES_KERNELS, KERNELS);
// Searches work on tiles, those of formats with ways of their own, too.
for (const [module, hex] of [TILES, COLUMNS, RANKS, STEPS, E2M1_TILES]) {
  bring(module, hex);
}
