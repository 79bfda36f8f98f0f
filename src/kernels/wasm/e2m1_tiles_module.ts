// The kernels of formats of E2M1 values beside ggml's, a module of their own. The rules are those of index.ts.

export { table_decode, table_planes } from "./byte_tables";
export { constants_end, scratch_start } from "./ends";
export { group_encode_e4m3, group_encode_e8m0 } from "./group_encode";
export { tile_encode_e2m1 } from "./tile_encode_e2m1";
export { tile_fit_e4m3 } from "./tile_e4m3";
export { tile_fit_e8m0 } from "./tile_e8m0";
