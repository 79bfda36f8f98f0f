/**
 * Gives the engine all of its WebAssembly kernels. Imported for this effect by the
 * entry points that hold every format.
 *
 * @module
 */
import "./install_core.ts";
import "./install_scales.ts";
import { KERNELS as E2M1_HEX } from "./e2m1_module.ts";
import { KERNELS as INT4_HEX } from "./int4_module.ts";
import { KERNELS as IQ4_HEX } from "./iq4_module.ts";
import {
  bring,
  E2M1_KERNELS,
  INT4_KERNELS,
  IQ4_KERNELS,
  Q4_0_KERNELS,
  Q4_1_KERNELS,
  Q4_K_KERNELS,
} from "./modules.ts";
import { KERNELS as Q4_0_HEX } from "./q4_0_module.ts";
import { KERNELS as Q4_1_HEX } from "./q4_1_module.ts";
import { KERNELS as Q4_K_HEX } from "./q4_k_module.ts";

bring(E2M1_KERNELS, E2M1_HEX);
bring(INT4_KERNELS, INT4_HEX);
bring(IQ4_KERNELS, IQ4_HEX);
bring(Q4_0_KERNELS, Q4_0_HEX);
bring(Q4_1_KERNELS, Q4_1_HEX);
bring(Q4_K_KERNELS, Q4_K_HEX);
