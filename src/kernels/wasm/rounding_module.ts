// Codes of tiles of values in types of 16 bits, a module of its own. The rules are those of index.ts.

export { tile_encode_rounded } from "./tile_encode_rounded";
export { constants_end, scratch_start } from "./ends";
