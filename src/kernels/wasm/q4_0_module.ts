// The kernels of q4_0, a module of their own. The rules are those of index.ts.

export { constants_end, scratch_start } from "./ends";
export { q4_0_dequantize, q4_0_quantize } from "./q4";
export { q4_0_weigh } from "./q4_weigh";
