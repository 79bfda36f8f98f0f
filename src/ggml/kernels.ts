/**
 * The kernels of ggml's types beside four bits: a WebAssembly module of their own.
 *
 * @module
 */

import type { Kernel } from "../kernels/engine.ts";
import type { KernelModule } from "../kernels/modules.ts";
import { KERNELS } from "./module.ts";

const GGML: KernelModule = { hex: KERNELS };

/** A kernel of this module, by what it exports it as; without WebAssembly the reference does the work. */
export function ggmlKernel(name: string): Kernel {
  return { name, module: GGML };
}
