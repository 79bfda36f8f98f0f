/**
 * The library without its registry: a bundle keeps the formats that are imported,
 * with their WebAssembly kernels.
 *
 * @example One format
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise/core";
 * import { q4_0 } from "@nibblewise/nibblewise/formats";
 *
 * const q = quantize(new Float32Array(64).fill(1), { format: q4_0 });
 * console.log(dequantize(q, { format: q4_0 })[0]); // 1
 * ```
 *
 * @module
 */
import "../kernels/install_core.ts";

export * from "./js.ts";
