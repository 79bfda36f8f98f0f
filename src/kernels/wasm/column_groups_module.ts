// The kernels of groups in columns, a module of their own. The rules are those of index.ts.

export { tile_decode, tile_encode_steps, tile_ranges } from "./column_groups";
export { constants_end, scratch_start } from "./ends";
