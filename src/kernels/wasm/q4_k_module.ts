// The kernels of q4_k, a module of their own. The rules are those of index.ts.

export { constants_end, scratch_start } from "./ends";
export { q4_k_dequantize, q4_k_quantize, q4_k_weigh } from "./q4_k";
