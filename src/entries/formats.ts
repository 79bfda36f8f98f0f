/**
 * The formats themselves, for `./core`, which knows none by name. Those that have
 * WebAssembly kernels of their own bring them along; all work without, see
 * `./js/formats`.
 *
 * @example
 * ```ts
 * import { q4_0 } from "@nibblewise/nibblewise/formats";
 *
 * console.log(q4_0.bitsPerValue); // 4.5
 * ```
 *
 * @module
 */
import { formats as all, type Registry } from "../formats.ts";
import * as plain from "../formats/registry.ts";
import { KERNELS as E2M1_HEX } from "../kernels/e2m1_module.ts";
import { KERNELS as INT4_HEX } from "../kernels/int4_module.ts";
import { KERNELS as IQ4_HEX } from "../kernels/iq4_module.ts";
import * as modules from "../kernels/modules.ts";
import { KERNELS as Q4_0_HEX } from "../kernels/q4_0_module.ts";
import { KERNELS as Q4_1_HEX } from "../kernels/q4_1_module.ts";
import { KERNELS as Q4_K_HEX } from "../kernels/q4_k_module.ts";

/** Kernels, and where they are looked for. */
type Brought = readonly [module: modules.KernelModule, hex: string];

/** What it is given, once kernels are where it looks for them: a bundle that drops the one drops the other. */
function withKernels<T>(value: T, ...brought: readonly Brought[]): T {
  for (const [module, hex] of brought) modules.bring(module, hex);
  return value;
}

export * from "../formats/registry.ts";

// Each in place of the same without kernels, which the line above exports.

/** 4-bit integers with float32 scales, of the original module. */
export const int4: Registry["int4"] = /* @__PURE__ */ withKernels(
  plain.int4,
  [modules.INT4_KERNELS, INT4_HEX],
);

/** ggml's `IQ4_NL`: 32 values on a non-linear grid share a float16 scale. */
export const iq4_nl: Registry["iq4_nl"] = /* @__PURE__ */ withKernels(
  plain.iq4_nl,
  [modules.IQ4_KERNELS, IQ4_HEX],
);

/** ggml's `IQ4_XS`: 256 values on a non-linear grid, a 6-bit scale for every 32, a float16 scale for all. */
export const iq4_xs: Registry["iq4_xs"] = /* @__PURE__ */ withKernels(
  plain.iq4_xs,
  [modules.IQ4_KERNELS, IQ4_HEX],
);

/** ggml's `MXFP4`: 32 E2M1 values share an E8M0 scale. */
export const mxfp4: Registry["mxfp4"] = /* @__PURE__ */ withKernels(
  plain.mxfp4,
  [modules.E2M1_KERNELS, E2M1_HEX],
);

/** ggml's `NVFP4`: every 16 E2M1 values share a UE4M3 scale, four groups to a block. */
export const nvfp4: Registry["nvfp4"] = /* @__PURE__ */ withKernels(
  plain.nvfp4,
  [modules.E2M1_KERNELS, E2M1_HEX],
);

/** ggml's `Q4_0`: 32 values share a float16 scale; the largest magnitude gets code 0. */
export const q4_0: Registry["q4_0"] = /* @__PURE__ */ withKernels(
  plain.q4_0,
  [modules.Q4_0_KERNELS, Q4_0_HEX],
);

/** ggml's `Q4_1`: 32 values share a float16 scale and a float16 minimum. */
export const q4_1: Registry["q4_1"] = /* @__PURE__ */ withKernels(
  plain.q4_1,
  [modules.Q4_1_KERNELS, Q4_1_HEX],
);

/** ggml's `Q4_K`: 256 values, a 6-bit scale and offset for every 32, two float16 scales for all. */
export const q4_k: Registry["q4_k"] = /* @__PURE__ */ withKernels(
  plain.q4_k,
  [modules.Q4_K_KERNELS, Q4_K_HEX],
);

/** Every format by its name. */
export const formats: typeof all = /* @__PURE__ */ withKernels(
  all,
  [modules.E2M1_KERNELS, E2M1_HEX],
  [modules.INT4_KERNELS, INT4_HEX],
  [modules.IQ4_KERNELS, IQ4_HEX],
  [modules.Q4_0_KERNELS, Q4_0_HEX],
  [modules.Q4_1_KERNELS, Q4_1_HEX],
  [modules.Q4_K_KERNELS, Q4_K_HEX],
);

export type {
  FormatExport,
  FormatTypes,
  FormatTypesByName,
  Registry,
  TypesOf,
} from "../formats.ts";
export type * from "./types.ts";
