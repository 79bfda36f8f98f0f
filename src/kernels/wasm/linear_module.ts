// What tiles of formats on even grids take beyond what all formats share: values in
// types of 16 bits. A module of its own; the rules are those of index.ts.

export { tile_decode_rounded } from "./tile_decode_rounded";
export { constants_end, scratch_start } from "./ends";
