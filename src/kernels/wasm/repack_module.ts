// The kernels of repacking, a module of their own. The rules are those of index.ts.

export { constants_end, scratch_start } from "./ends";
export { nibbles_blocks, nibbles_lines } from "./nibble_blocks";
