/**
 * Gives the engine WebAssembly, and the kernels that all formats share. Imported for
 * this effect by the entry point whose formats bring along their own.
 *
 * @module
 */
import {
  allocateInArena,
  callKernel,
  instanceOf,
  roomInstance,
  tileInstance,
} from "./arena.ts";
import { useWasm } from "./engine.ts";
import { KERNELS } from "./measures_module.ts";
import { bring, CORE_KERNELS } from "./modules.ts";
import { placeInLine, runWasm } from "./wasm_run.ts";

bring(CORE_KERNELS, KERNELS);
useWasm({
  start: () => tileInstance(0),
  run: runWasm,
  placeInLine,
  allocate: allocateInArena,
  instanceOf,
  roomInstance,
  call: callKernel,
});
