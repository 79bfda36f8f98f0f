/**
 * Gives the engine the kernels that all formats share. Imported for this effect by
 * the entry point whose formats bring along their own.
 *
 * @module
 */
import { KERNELS } from "./module.ts";
import { bring, CORE_KERNELS } from "./modules.ts";

bring(CORE_KERNELS, KERNELS);
