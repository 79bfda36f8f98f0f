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
import { withKernels } from "../kernels/modules.ts";
import { withTileKernels } from "../layouts/tile_kernels.ts";
import { withBlockKernels } from "../model/block_kernels.ts";

export * from "../formats/registry.ts";

// Each in place of the same without kernels, which the line above exports.

/** AutoAWQ's weights: zero points for every group of a column, eight outputs to a word. */
export const awq: Registry["awq"] = /* @__PURE__ */ withTileKernels(
  plain.awq,
  [own.TILES, own.TURNED, own.STEPS],
);

/** compressed-tensors' `pack-quantized`: eight codes to a word, a scale for each group. */
export const compressed_tensors: Registry["compressed_tensors"] =
  /* @__PURE__ */ withTileKernels(
    plain.compressed_tensors,
    [own.TILES, own.STEPS],
  );

/** faiss' scalar quantizer of 4 bits: vectors by the range of each dimension, or of all. */
export const faiss_qt4: Registry["faiss_qt4"] = /* @__PURE__ */ withTileKernels(
  plain.faiss_qt4,
  [own.TILES],
);

/** bitsandbytes' `fp4`: blocks that share their largest magnitude, values of a float of 4 bits. */
export const fp4: Registry["fp4"] = /* @__PURE__ */ withTileKernels(
  plain.fp4,
  [own.TILES, own.RANKS],
);

/** onnxruntime's `GatherBlockQuantized`: embeddings in blocks, each with a scale and a zero point. */
export const gather_blocks: Registry["gather_blocks"] =
  /* @__PURE__ */ withTileKernels(
    plain.gather_blocks,
    [own.TILES, own.STEPS],
  );

/** GPTQ's weights: eight codes of a column to a word, zero points for every group. */
export const gptq: Registry["gptq"] = /* @__PURE__ */ withTileKernels(
  plain.gptq,
  [own.TILES, own.STEPS],
);

/** HQQ's weights: scales and zero points of every group, in float16 or float32. */
export const hqq: Registry["hqq"] = /* @__PURE__ */ withTileKernels(
  plain.hqq,
  [own.TILES, own.TURNED, own.STEPS],
);

/** 4-bit integers with float32 scales, of the original module. */
export const int4: Registry["int4"] = /* @__PURE__ */ withKernels(
  plain.int4,
  [own.INT4],
);

/** ModelOpt's INT4 weights: two outputs to a byte, a scale for each group. */
export const int4_modelopt: Registry["int4_modelopt"] =
  /* @__PURE__ */ withTileKernels(
    plain.int4_modelopt,
    [own.TILES, own.TURNED, own.STEPS],
  );

/** ggml's `IQ4_NL`: 32 values on a non-linear grid share a float16 scale. */
export const iq4_nl: Registry["iq4_nl"] = /* @__PURE__ */ withBlockKernels(
  plain.iq4_nl,
  [own.IQ4],
);

/** ggml's `IQ4_XS`: 256 values on a non-linear grid, a 6-bit scale for every 32, a float16 scale for all. */
export const iq4_xs: Registry["iq4_xs"] = /* @__PURE__ */ withBlockKernels(
  plain.iq4_xs,
  [own.IQ4],
);

/** Keras 3's int4 weights: a scale for each output, or group of inputs. */
export const keras: Registry["keras"] = /* @__PURE__ */ withTileKernels(
  plain.keras,
  [own.TILES, own.TURNED, own.STEPS],
);

/** Lucene 9's scalar quantized vectors: one range, a correction for each vector. */
export const lucene99: Registry["lucene99"] = /* @__PURE__ */ withTileKernels(
  plain.lucene99,
  [own.TILES, own.TURNED],
);

/** onnxruntime's `MatMulBnb4`: blocks of NF4 or FP4. */
export const matmul_bnb4: Registry["matmul_bnb4"] =
  /* @__PURE__ */ withTileKernels(
    plain.matmul_bnb4,
    [own.TILES, own.RANKS],
  );

/** onnxruntime's MatMulNBits: blocks of a power of two, with or without zero points. */
export const matmul_nbits: Registry["matmul_nbits"] =
  /* @__PURE__ */ withTileKernels(
    plain.matmul_nbits,
    [own.TILES, own.STEPS],
  );

/** Integers and floats of 4 bits as ml_dtypes has them, without scales. */
export const ml_dtypes: Registry["ml_dtypes"] = /* @__PURE__ */ withTileKernels(
  plain.ml_dtypes,
  [own.TILES, own.E2M1_TILES],
);

/** Apple MLX's quantized weights: scales and biases, or E2M1 values. */
export const mlx: Registry["mlx"] = /* @__PURE__ */ withTileKernels(
  plain.mlx,
  [own.TILES, own.STEPS, own.E2M1_TILES],
);

/** ggml's `MXFP4`: 32 E2M1 values share an E8M0 scale. */
export const mxfp4: Registry["mxfp4"] = /* @__PURE__ */ withBlockKernels(
  plain.mxfp4,
  [own.E2M1],
);

/** compressed-tensors' MXFP4: 32 E2M1 values share an E8M0 scale. */
export const mxfp4_ct: Registry["mxfp4_ct"] = /* @__PURE__ */ withTileKernels(
  plain.mxfp4_ct,
  [own.TILES, own.E2M1_TILES],
);

/** gpt-oss's MXFP4: 32 E2M1 values share an E8M0 scale. */
export const mxfp4_hf: Registry["mxfp4_hf"] = /* @__PURE__ */ withTileKernels(
  plain.mxfp4_hf,
  [own.TILES, own.E2M1_TILES],
);

/** ModelOpt's MXFP4: 32 E2M1 values share an E8M0 scale. */
export const mxfp4_modelopt: Registry["mxfp4_modelopt"] =
  /* @__PURE__ */ withTileKernels(
    plain.mxfp4_modelopt,
    [own.TILES, own.E2M1_TILES],
  );

/** torchao's MXFP4: 32 E2M1 values share an E8M0 scale. */
export const mxfp4_torchao: Registry["mxfp4_torchao"] =
  /* @__PURE__ */ withTileKernels(
    plain.mxfp4_torchao,
    [own.TILES, own.E2M1_TILES],
  );

/** bitsandbytes' `nf4`: blocks that share their largest magnitude, values as normal numbers lie. */
export const nf4: Registry["nf4"] = /* @__PURE__ */ withTileKernels(
  plain.nf4,
  [own.TILES, own.RANKS],
);

/** ggml's `NVFP4`: every 16 E2M1 values share a UE4M3 scale, four groups to a block. */
export const nvfp4: Registry["nvfp4"] = /* @__PURE__ */ withBlockKernels(
  plain.nvfp4,
  [own.E2M1],
);

/** compressed-tensors' NVFP4: 16 E2M1 values share an E4M3 scale, the tensor a divisor. */
export const nvfp4_ct: Registry["nvfp4_ct"] = /* @__PURE__ */ withTileKernels(
  plain.nvfp4_ct,
  [own.TILES, own.E2M1_TILES],
);

/** ModelOpt's NVFP4: 16 E2M1 values share an E4M3 scale, the tensor another scale. */
export const nvfp4_modelopt: Registry["nvfp4_modelopt"] =
  /* @__PURE__ */ withTileKernels(
    plain.nvfp4_modelopt,
    [own.TILES, own.E2M1_TILES],
  );

/** torchao's NVFP4: 16 E2M1 values share an E4M3 scale, the tensor another scale. */
export const nvfp4_torchao: Registry["nvfp4_torchao"] =
  /* @__PURE__ */ withTileKernels(
    plain.nvfp4_torchao,
    [own.TILES, own.E2M1_TILES],
  );

/** ONNX's DequantizeLinear with INT4: blocks, an axis or the tensor. */
export const onnx_int4: Registry["onnx_int4"] = /* @__PURE__ */ withTileKernels(
  plain.onnx_int4,
  [own.TILES, own.STEPS],
);

/** ONNX's DequantizeLinear with UINT4: blocks, an axis or the tensor. */
export const onnx_uint4: Registry["onnx_uint4"] =
  /* @__PURE__ */ withTileKernels(
    plain.onnx_uint4,
    [own.TILES, own.STEPS],
  );

/** OpenVINO's weights of 4 bits as NNCF compresses them. */
export const openvino: Registry["openvino"] = /* @__PURE__ */ withTileKernels(
  plain.openvino,
  [own.TILES, own.RANKS, own.STEPS, own.E2M1_TILES],
);

/** ggml's `Q4_0`: 32 values share a float16 scale; the largest magnitude gets code 0. */
export const q4_0: Registry["q4_0"] = /* @__PURE__ */ withBlockKernels(
  plain.q4_0,
  [own.Q4_0],
);

/** ggml's `Q4_1`: 32 values share a float16 scale and a float16 minimum. */
export const q4_1: Registry["q4_1"] = /* @__PURE__ */ withBlockKernels(
  plain.q4_1,
  [own.Q4_1],
);

/** ggml's `Q4_K`: 256 values, a 6-bit scale and offset for every 32, two float16 scales for all. */
export const q4_k: Registry["q4_k"] = /* @__PURE__ */ withBlockKernels(
  plain.q4_k,
  [own.Q4_K],
);

/** TensorFlow Lite's INT4: a scale for each channel, block or tensor. */
export const tflite: Registry["tflite"] = /* @__PURE__ */ withTileKernels(
  plain.tflite,
  [own.TILES, own.STEPS],
);

/** Every format by its name. */
export const formats: typeof all = /* @__PURE__ */ withTileKernels(
  /* @__PURE__ */ withBlockKernels(all, own.FORMATS),
  [own.TILES],
);

export type {
  FormatExport,
  FormatTypes,
  FormatTypesByName,
  Registry,
  TypesOf,
} from "../formats.ts";
export type * from "./types.ts";
