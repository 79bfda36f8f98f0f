// The kernels of the four basic operations, a module of their own. The rules are those of index.ts.

export { constants_end, scratch_start } from "./ends";
export { int8_dequantize, int8_quantize, nibbles_pack, nibbles_unpack } from "./nibbles";
