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

/** What all formats share: measures. */
export const CORE_KERNELS: KernelModule = {};

/** What all formats of the generic way share: tiles. */
export const TILE_KERNELS: KernelModule = {};

/** Codes of tiles that lie in columns, or in halves of runs of bytes. */
export const TURNED_KERNELS: KernelModule = {};

/** Codes of tiles by thresholds. */
export const RANK_KERNELS: KernelModule = {};

/** Codes of tiles on an even grid. */
export const STEP_KERNELS: KernelModule = {};

/** Modules that work on tiles side by side: an instance of the core has the kernels of those that were brought along. */
const OF_TILES: readonly KernelModule[] = [
  TILE_KERNELS,
  TURNED_KERNELS,
  RANK_KERNELS,
  STEP_KERNELS,
];

/** Those of them that were brought along so far. */
export const BROUGHT_FOR_TILES: KernelModule[] = [];

/** The four basic operations. */
export const BASIC_KERNELS: KernelModule = {};

/** Comparisons. */
export const COMPARE_KERNELS: KernelModule = {};

/** Repacking. */
export const REPACK_KERNELS: KernelModule = {};

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

/** Values of tiles in types of 16 bits. */
export const ROUNDED_KERNELS: KernelModule = {};

/** Codes of tiles of values in types of 16 bits. */
export const ROUNDING_KERNELS: KernelModule = {};

/** The kernels of `faiss_qt4` and `lucene99`: vectors. */
export const VECTOR_KERNELS: KernelModule = {};

/** Groups in columns. */
export const COLUMN_GROUPS_KERNELS: KernelModule = {};

/** Brings the WebAssembly of a module along. */
export function bring(module: KernelModule, hex: string): void {
  if (OF_TILES.includes(module) && module.hex === undefined) {
    BROUGHT_FOR_TILES.push(module);
  }
  (module as { hex?: string }).hex = hex;
}

/** A module, and its WebAssembly in hexadecimal. */
export type Brought = readonly [module: KernelModule, hex: string];

/** What it is given, once modules have their WebAssembly: a bundle that drops the one drops the other. */
export function withKernels<T>(value: T, brought: readonly Brought[]): T {
  for (const [module, hex] of brought) bring(module, hex);
  return value;
}
