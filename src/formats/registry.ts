/**
 * The formats, one line each.
 *
 * @module
 */
export * from "./awq.ts";
export * from "./compressed_tensors.ts";
export * from "./faiss_qt4.ts";
export * from "./fp4.ts";
export * from "./gather_blocks.ts";
export * from "./gptq.ts";
export * from "./hqq.ts";
export * from "./int4.ts";
export * from "./int4_modelopt.ts";
export * from "./iq4_nl.ts";
export * from "./iq4_xs.ts";
export * from "./keras.ts";
export * from "./lucene99.ts";
export * from "./matmul_bnb4.ts";
export * from "./matmul_nbits.ts";
export * from "./ml_dtypes.ts";
export * from "./mlx.ts";
export * from "./mxfp4.ts";
export * from "./mxfp4_ct.ts";
export * from "./mxfp4_hf.ts";
export * from "./mxfp4_modelopt.ts";
export * from "./mxfp4_torchao.ts";
export * from "./nf4.ts";
export * from "./nvfp4.ts";
export * from "./nvfp4_ct.ts";
export * from "./nvfp4_modelopt.ts";
export * from "./nvfp4_torchao.ts";
export * from "./onnx_int4.ts";
export * from "./onnx_uint4.ts";
export * from "./openvino.ts";
export * from "./q4_0.ts";
export * from "./q4_1.ts";
export * from "./q4_k.ts";
export * from "./tflite.ts";
