// Values of tiles in types of 16 bits, a module of its own. The rules are those of index.ts.

export { tile_decode_rounded } from "./tile_decode_rounded";
export { constants_end, scratch_start } from "./ends";
