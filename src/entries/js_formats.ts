/**
 * The formats for `./js`, in plain JS: those of `./formats` without the WebAssembly
 * that some of them have.
 *
 * @example
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
export * from "../formats/registry.ts";
export {
  type FormatExport,
  formats,
  type FormatTypes,
  type FormatTypesByName,
  type Registry,
  type TypesOf,
} from "../formats.ts";
export type * from "./types.ts";
