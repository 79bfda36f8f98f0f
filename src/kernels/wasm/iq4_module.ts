// The kernels of iq4_nl and iq4_xs, a module of their own. The rules are those of index.ts.

export { constants_end, scratch_start } from "./ends";
export { iq4_nl_dequantize, iq4_nl_quantize, iq4_nl_weigh, iq4_xs_dequantize, iq4_xs_quantize, iq4_xs_weigh } from "./iq4";
