// The kernels of int4, a module of their own. The rules are those of index.ts.

export { constants_end, scratch_start } from "./ends";
export { int4_dequantize, int4_dequantize_groups, int4_quantize, int4_quantize_groups } from "./int4";
