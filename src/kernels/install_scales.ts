/**
 * Gives searches for scales their WebAssembly kernel. Imported for this effect by
 * the entry points that hold every format; others search in plain JS, to the same bytes.
 *
 * @module
 */
import { useScaleKernels } from "./arena.ts";
import { KERNELS } from "./scale_module.ts";

useScaleKernels(KERNELS);
