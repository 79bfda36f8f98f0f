/**
 * The WebAssembly of formats and operations that have kernels of their own, each
 * beside the module that it is brought along for.
 *
 * @module
 */
import { KERNELS as BASIC_HEX } from "./basic_module.ts";
import { KERNELS as COLUMN_GROUPS_HEX } from "./column_groups_module.ts";
import { KERNELS as TURNED_HEX } from "./turned_module.ts";
import { KERNELS as COMPARE_HEX } from "./compare_module.ts";
import { KERNELS as E2M1_HEX } from "./e2m1_module.ts";
import { KERNELS as E2M1_TILES_HEX } from "./e2m1_tiles_module.ts";
import { KERNELS as INT4_HEX } from "./int4_module.ts";
import { KERNELS as IQ4_HEX } from "./iq4_module.ts";
import { KERNELS as TILES_HEX } from "./module.ts";
import {
  BASIC_KERNELS,
  type Brought,
  COLUMN_GROUPS_KERNELS,
  COMPARE_KERNELS,
  E2M1_KERNELS,
  E2M1_TILES_KERNELS,
  INT4_KERNELS,
  IQ4_KERNELS,
  Q4_0_KERNELS,
  Q4_1_KERNELS,
  Q4_K_KERNELS,
  RANK_KERNELS,
  REPACK_KERNELS,
  ROUNDED_KERNELS,
  ROUNDING_KERNELS,
  STEP_KERNELS,
  TILE_KERNELS,
  TURNED_KERNELS,
  VECTOR_KERNELS,
} from "./modules.ts";
import { KERNELS as Q4_0_HEX } from "./q4_0_module.ts";
import { KERNELS as Q4_1_HEX } from "./q4_1_module.ts";
import { KERNELS as Q4_K_HEX } from "./q4_k_module.ts";
import { KERNELS as RANKS_HEX } from "./ranks_module.ts";
import { KERNELS as REPACK_HEX } from "./repack_module.ts";
import { KERNELS as ROUNDED_HEX } from "./rounded_module.ts";
import { KERNELS as ROUNDING_HEX } from "./rounding_module.ts";
import { KERNELS as STEPS_HEX } from "./steps_module.ts";
import { KERNELS as VECTORS_HEX } from "./vectors_module.ts";

/** Of the four basic operations. */
export const BASIC: Brought = [BASIC_KERNELS, BASIC_HEX];
/** Of comparisons. */
export const COMPARE: Brought = [COMPARE_KERNELS, COMPARE_HEX];
/** Of repacking. */
export const REPACK: Brought = [REPACK_KERNELS, REPACK_HEX];
/** Of groups in columns. */
export const COLUMN_GROUPS: Brought = [
  COLUMN_GROUPS_KERNELS,
  COLUMN_GROUPS_HEX,
];
/** Of `mxfp4` and `nvfp4`. */
export const E2M1: Brought = [E2M1_KERNELS, E2M1_HEX];
/** Of `int4`. */
export const INT4: Brought = [INT4_KERNELS, INT4_HEX];
/** Of `iq4_nl` and `iq4_xs`. */
export const IQ4: Brought = [IQ4_KERNELS, IQ4_HEX];
/** Of codes of values in types of 16 bits. */
export const ROUNDING: Brought = [ROUNDING_KERNELS, ROUNDING_HEX];
/** Of values in types of 16 bits. */
export const ROUNDED: Brought = [ROUNDED_KERNELS, ROUNDED_HEX];
/** Of `faiss_qt4` and `lucene99`. */
export const VECTORS: Brought = [VECTOR_KERNELS, VECTORS_HEX];
/** Of `q4_0`. */
export const Q4_0: Brought = [Q4_0_KERNELS, Q4_0_HEX];
/** Of `q4_1`. */
export const Q4_1: Brought = [Q4_1_KERNELS, Q4_1_HEX];
/** Of `q4_k`. */
export const Q4_K: Brought = [Q4_K_KERNELS, Q4_K_HEX];
/** Of formats of E2M1 values beside ggml's. */
export const E2M1_TILES: Brought = [E2M1_TILES_KERNELS, E2M1_TILES_HEX];

/** Of all formats of the generic way. */
export const TILES: Brought = [TILE_KERNELS, TILES_HEX];
/** Of those whose codes lie in columns, or in halves of runs of bytes. */
export const TURNED: Brought = [TURNED_KERNELS, TURNED_HEX];
/** Of those with codes by thresholds. */
export const RANKS: Brought = [RANK_KERNELS, RANKS_HEX];
/** Of those with codes on an even grid. */
export const STEPS: Brought = [STEP_KERNELS, STEPS_HEX];

/** Of all formats. */
export const FORMATS: readonly Brought[] = [
  TILES,
  TURNED,
  RANKS,
  STEPS,
  COLUMN_GROUPS,
  E2M1,
  INT4,
  IQ4,
  ROUNDED,
  ROUNDING,
  VECTORS,
  Q4_0,
  Q4_1,
  Q4_K,
  E2M1_TILES,
];
