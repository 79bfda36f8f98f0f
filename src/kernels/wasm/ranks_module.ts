// Codes of tiles by thresholds: a module of its own. The rules are those of index.ts.

export { tile_encode_ranks } from "./tile_encode";
export { tile_divide } from "./tile_ranks";
export { constants_end, scratch_start } from "./ends";
