/**
 * The WebAssembly modules that kernels are compiled to (build.ts), each of which
 * an entry point may bring along or leave out: one for what all share, one for the
 * kernels of each format that has its own, or of two alike.
 *
 * @module
 */

/** A module of kernels. */
export interface KernelModule {
  /** The WebAssembly in hexadecimal; absent where no entry point brought it along. */
  readonly hex?: string;
}

/** What all formats share: measures, codes, tiles. */
export const CORE_KERNELS: KernelModule = {};

/** Searches for scales. */
export const SCALES_KERNELS: KernelModule = {};

/** The kernels of `int4`. */
export const INT4_KERNELS: KernelModule = {};

/** The kernels of `q4_0`. */
export const Q4_0_KERNELS: KernelModule = {};

/** The kernels of `q4_1`. */
export const Q4_1_KERNELS: KernelModule = {};

/** The kernels of `q4_k`. */
export const Q4_K_KERNELS: KernelModule = {};

/** The kernels of `iq4_nl` and `iq4_xs`. */
export const IQ4_KERNELS: KernelModule = {};

/** The kernels of `mxfp4` and `nvfp4`. */
export const E2M1_KERNELS: KernelModule = {};

/** Brings the WebAssembly of a module along. */
export function bring(module: KernelModule, hex: string): void {
  (module as { hex?: string }).hex = hex;
}
