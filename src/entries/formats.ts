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
import * as own from "../kernels/own_modules.ts";
import * as modules from "../kernels/modules.ts";

export * from "../formats/registry.ts";

// Each in place of the same without kernels, which the line above exports.

/** AutoAWQ's weights: zero points for every group of a column, eight outputs to a word. */
export const awq: Registry["awq"] = /* @__PURE__ */ modules.withKernels(
  plain.awq,
  [own.LINEAR],
);

/** compressed-tensors' `pack-quantized`: eight codes to a word, a scale for each group. */
export const compressed_tensors: Registry["compressed_tensors"] =
  /* @__PURE__ */ modules.withKernels(
    plain.compressed_tensors,
    [own.LINEAR],
  );

/** faiss' scalar quantizer of 4 bits: vectors by the range of each dimension, or of all. */
export const faiss_qt4: Registry["faiss_qt4"] = /* @__PURE__ */ modules
  .withKernels(
    plain.faiss_qt4,
    [own.LINEAR],
  );

/** GPTQ's weights: eight codes of a column to a word, zero points for every group. */
export const gptq: Registry["gptq"] = /* @__PURE__ */ modules.withKernels(
  plain.gptq,
  [own.LINEAR],
);

/** HQQ's weights: scales and zero points of every group, in float16 or float32. */
export const hqq: Registry["hqq"] = /* @__PURE__ */ modules.withKernels(
  plain.hqq,
  [own.LINEAR],
);

/** 4-bit integers with float32 scales, of the original module. */
export const int4: Registry["int4"] = /* @__PURE__ */ modules.withKernels(
  plain.int4,
  [own.INT4],
);

/** ggml's `IQ4_NL`: 32 values on a non-linear grid share a float16 scale. */
export const iq4_nl: Registry["iq4_nl"] = /* @__PURE__ */ modules.withKernels(
  plain.iq4_nl,
  [own.IQ4],
);

/** ggml's `IQ4_XS`: 256 values on a non-linear grid, a 6-bit scale for every 32, a float16 scale for all. */
export const iq4_xs: Registry["iq4_xs"] = /* @__PURE__ */ modules.withKernels(
  plain.iq4_xs,
  [own.IQ4],
);

/** Keras 3's int4 weights: a scale for each output, or group of inputs. */
export const keras: Registry["keras"] = /* @__PURE__ */ modules.withKernels(
  plain.keras,
  [own.LINEAR],
);

/** Lucene 9's scalar quantized vectors: one range, a correction for each vector. */
export const lucene99: Registry["lucene99"] = /* @__PURE__ */ modules
  .withKernels(
    plain.lucene99,
    [own.LINEAR],
  );

/** onnxruntime's MatMulNBits: blocks of a power of two, with or without zero points. */
export const matmul_nbits: Registry["matmul_nbits"] = /* @__PURE__ */ modules
  .withKernels(
    plain.matmul_nbits,
    [own.LINEAR],
  );

/** ggml's `MXFP4`: 32 E2M1 values share an E8M0 scale. */
export const mxfp4: Registry["mxfp4"] = /* @__PURE__ */ modules.withKernels(
  plain.mxfp4,
  [own.E2M1],
);

/** ggml's `NVFP4`: every 16 E2M1 values share a UE4M3 scale, four groups to a block. */
export const nvfp4: Registry["nvfp4"] = /* @__PURE__ */ modules.withKernels(
  plain.nvfp4,
  [own.E2M1],
);

/** ONNX's DequantizeLinear with INT4: blocks, an axis or the tensor. */
export const onnx_int4: Registry["onnx_int4"] = /* @__PURE__ */ modules
  .withKernels(
    plain.onnx_int4,
    [own.LINEAR],
  );

/** ONNX's DequantizeLinear with UINT4: blocks, an axis or the tensor. */
export const onnx_uint4: Registry["onnx_uint4"] = /* @__PURE__ */ modules
  .withKernels(
    plain.onnx_uint4,
    [own.LINEAR],
  );

/** ggml's `Q4_0`: 32 values share a float16 scale; the largest magnitude gets code 0. */
export const q4_0: Registry["q4_0"] = /* @__PURE__ */ modules.withKernels(
  plain.q4_0,
  [own.Q4_0],
);

/** ggml's `Q4_1`: 32 values share a float16 scale and a float16 minimum. */
export const q4_1: Registry["q4_1"] = /* @__PURE__ */ modules.withKernels(
  plain.q4_1,
  [own.Q4_1],
);

/** ggml's `Q4_K`: 256 values, a 6-bit scale and offset for every 32, two float16 scales for all. */
export const q4_k: Registry["q4_k"] = /* @__PURE__ */ modules.withKernels(
  plain.q4_k,
  [own.Q4_K],
);

/** Every format by its name. */
export const formats: typeof all = /* @__PURE__ */ modules.withKernels(
  all,
  own.FORMATS,
);

export type {
  FormatExport,
  FormatTypes,
  FormatTypesByName,
  Registry,
  TypesOf,
} from "../formats.ts";
export type * from "./types.ts";
