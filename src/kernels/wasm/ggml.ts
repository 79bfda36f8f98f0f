// The kernels of ggml's types beside four bits, a module of its own: src/ggml/.
// The rules are those of index.ts.

import { workspaceEnd } from "./common";

export { q5_k_dequantize } from "./q5_k";
export { q6_k_dequantize, q6_k_quantize, q6_k_weigh } from "./q6_k";
export { q8_0_dequantize, q8_0_quantize } from "./q8_0";

export function scratch_start(): usize { return workspaceEnd(); }
export function constants_end(): usize { return __data_end; }
