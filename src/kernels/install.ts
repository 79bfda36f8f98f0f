/**
 * Gives the engine its WebAssembly kernels. Imported for this effect by the entry
 * points that have them.
 *
 * @module
 */
import { useKernels } from "./arena.ts";
import { KERNELS } from "./module.ts";

useKernels(KERNELS);
