// The kernels of ggml's types beside four bits, a module of its own: src/ggml/.
// The rules are those of index.ts.

import { takeFiveBits } from "./code_bits";

export { constants_end, scratch_start } from "./ends";
export { q5_0_dequantize, q5_1_dequantize } from "./five_bits";
export { q4_0_quantize as q5_0_quantize, q4_1_quantize as q5_1_quantize } from "./q4";
export { q4_0_weigh as q5_0_weigh, q4_1_weigh as q5_1_weigh } from "./q4_weigh";
export { q4_k_quantize as q5_k_quantize, q4_k_weigh as q5_k_weigh } from "./q4_k";
export { q5_k_dequantize } from "./q5_k";
export { q6_k_dequantize, q6_k_quantize, q6_k_weigh } from "./q6_k";
export { q8_0_dequantize, q8_0_quantize } from "./q8_0";

takeFiveBits();
