/**
 * The library without WebAssembly and without a registry: a bundle keeps the
 * operations and the formats that are imported, in plain JS.
 *
 * @example One format
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise/js";
 * import { q4_0 } from "@nibblewise/nibblewise/js/formats";
 *
 * const q = quantize(new Float32Array(64).fill(1), { format: q4_0 });
 * console.log(dequantize(q, { format: q4_0 })[0]); // 1
 * ```
 *
 * @module
 */
export {
  dequantizeFromInt4,
  type Int4Quantization,
  packInt4ToInt8,
  quantizeToInt4,
  unpackInt8ToInt4,
} from "../basic.ts";
export { compare } from "../compare.ts";
export { dequantize, quantize, repack } from "../by_format.ts";
export {
  allocate,
  type Backend,
  backend,
  useBackend,
} from "../kernels/engine.ts";
export type * from "./types.ts";
