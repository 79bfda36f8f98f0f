/**
 * The WebAssembly modules that kernels are compiled to (build.ts), each of which
 * an entry point may bring along or leave out: one for what all formats share, one
 * for the kernels of each format that has its own, or of two alike, others for
 * other operations.
 *
 * @module
 */

/** A module of kernels. */
export interface KernelModule {
  /** The WebAssembly in hexadecimal; absent where no entry point brought it along. */
  readonly hex?: string;
}

/** What all formats share: measures and tiles. */
export const CORE_KERNELS: KernelModule = {};

/** The four basic operations. */
export const BASIC_KERNELS: KernelModule = {};

/** Comparisons. */
export const COMPARE_KERNELS: KernelModule = {};

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

/** The kernels of formats of E2M1 values beside ggml's. */
export const E2M1_TILES_KERNELS: KernelModule = {};

/** The kernels of `mxfp4` and `nvfp4`. */
export const E2M1_KERNELS: KernelModule = {};

/** Brings the WebAssembly of a module along. */
export function bring(module: KernelModule, hex: string): void {
  (module as { hex?: string }).hex = hex;
}

/** A module, and its WebAssembly in hexadecimal. */
export type Brought = readonly [module: KernelModule, hex: string];

/** What it is given, once modules have their WebAssembly: a bundle that drops the one drops the other. */
export function withKernels<T>(value: T, brought: readonly Brought[]): T {
  for (const [module, hex] of brought) bring(module, hex);
  return value;
}
