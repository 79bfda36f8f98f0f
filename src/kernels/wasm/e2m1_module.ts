// The kernels of ggml's mxfp4 and nvfp4, a module of their own. The rules are those of index.ts.

export { mxfp4_dequantize, mxfp4_quantize, nvfp4_dequantize, nvfp4_quantize } from "./e2m1";
export { constants_end, scratch_start } from "./ends";
