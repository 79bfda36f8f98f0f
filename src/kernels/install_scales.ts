/**
 * Gives searches for scales their WebAssembly kernels. Imported for this effect by
 * the entry points that have searches; others search in plain JS, to the same bytes.
 *
 * @module
 */
import { bring, SCALES_KERNELS } from "./modules.ts";
import { KERNELS } from "./scale_module.ts";

bring(SCALES_KERNELS, KERNELS);
