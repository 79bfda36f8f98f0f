// The kernels of q4_1, a module of their own. The rules are those of index.ts.

export { constants_end, scratch_start } from "./ends";
export { q4_1_dequantize, q4_1_quantize } from "./q4";
export { q4_1_weigh } from "./q4_weigh";
