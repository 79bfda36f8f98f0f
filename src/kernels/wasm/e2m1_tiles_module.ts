// Codes of tiles of E2M1, and scales of 8 bits for them: a module of its own. The rules
// are those of index.ts.

export { tile_encode_e2m1 } from "./tile_encode";
export { tile_fit_e4m3 } from "./tile_e4m3";
export { tile_fit_e8m0 } from "./tile_e8m0";
export { constants_end, scratch_start } from "./ends";
