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
import "./src/kernels/install.ts";

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
export type {
  AnyQuantized,
  CommonOptions,
  DequantizeOptions,
} from "./src/core.ts";
export { compare, type Comparison } from "./src/compare.ts";
export { formats, type FormatTypes } from "./src/formats/registry.ts";
export {
  allocate,
  type Backend,
  backend,
  useBackend,
} from "./src/kernels/engine.ts";
export type { Int4Options, Int4Parts } from "./src/formats/int4.ts";
export type {
  GptqOptions,
  GptqParts,
  ResolvedGptqOptions,
} from "./src/formats/gptq.ts";
export type {
  MatMulNBitsOptions,
  MatMulNBitsParts,
  ResolvedMatMulNBitsOptions,
} from "./src/formats/matmul_nbits.ts";
export type {
  MlxMode,
  MlxOptions,
  MlxParts,
  ResolvedMlxOptions,
} from "./src/formats/mlx.ts";
export type {
  Nvfp4ModeloptOptions,
  Nvfp4ModeloptParts,
  ResolvedNvfp4ModeloptOptions,
} from "./src/formats/nvfp4_modelopt.ts";
export type {
  BlockOptions,
  BlockParts,
  ResolvedBlockOptions,
  UnweightedBlockOptions,
} from "./src/model/block_format.ts";
export type {
  BitsandbytesOptions,
  BitsandbytesParts,
  PackedDtype,
  ResolvedBitsandbytesOptions,
} from "./src/model/bitsandbytes.ts";
export type { ComputeDtype } from "./src/words/scheme.ts";
export type { GroupSize, ScaleMethod } from "./src/kernels/grouped.ts";
export type { Float16Values, FloatValues } from "./src/numeric/floats.ts";
export type { Dtype, DtypeArrays } from "./src/words/dtypes.ts";
export type {
  Coder,
  Convention,
  Format,
  Part,
  Parts,
  QuantizedTensor,
} from "./src/words/format.ts";
