/**
 * 4-bit quantization for JavaScript: every 4-bit number format that people use,
 * bit-exact with its reference, in one module without dependencies.
 *
 * @example Weights to 4 bits and back
 * ```ts
 * import { compare, dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i * i));
 * const q = quantize(weights, { format: "int4", groupSize: 32 });
 * const { sqnr } = compare(weights, dequantize(q));
 * console.log(`${q.parts.codes.data.length} bytes of codes, ${sqnr.toFixed(1)} dB`);
 * ```
 *
 * @module
 */
import "./src/model/install.ts";
import "./src/model/install_searches.ts";

export {
  dequantizeFromInt4,
  type Int4Quantization,
  packInt4ToInt8,
  quantizeToInt4,
  unpackInt8ToInt4,
} from "./src/basic.ts";
export {
  dequantize,
  type FormatName,
  type FormatOptions,
  type FormatParts,
  quantize,
  type Quantized,
  type QuantizeOptions,
  repack,
} from "./src/quantize.ts";
export { compare } from "./src/compare.ts";
export {
  type FormatExport,
  formats,
  type FormatTypes,
  type FormatTypesByName,
  type Registry,
  type TypesOf,
} from "./src/formats.ts";
export * from "./src/formats/registry.ts";
export {
  allocate,
  type Backend,
  backend,
  useBackend,
} from "./src/kernels/engine.ts";
export type * from "./src/entries/types.ts";
