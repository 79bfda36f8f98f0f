// Codes of tiles that lie in columns, or in halves of runs of bytes: a module of its own.
// The rules are those of index.ts.

export { tile_pack_columns, tile_pack_halves, tile_unpack_columns, tile_unpack_halves } from "./tile_pack";
export { tile_turn_bytes, tile_turn_words } from "./tile_turn";
export { constants_end, scratch_start } from "./ends";
