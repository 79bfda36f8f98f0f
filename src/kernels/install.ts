/**
 * Gives the engine all of its WebAssembly kernels. Imported for this effect by the
 * entry points that hold every format.
 *
 * @module
 */
import "./install_core.ts";
import "./install_scales.ts";
import { bring } from "./modules.ts";
import { BASIC, COMPARE, FORMATS, REPACK } from "./own_modules.ts";

for (const [module, hex] of [BASIC, COMPARE, REPACK, ...FORMATS]) {
  bring(module, hex);
}
