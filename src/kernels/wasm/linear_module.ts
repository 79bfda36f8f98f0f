// What tiles of formats on even grids take beyond what all formats share: values and
// codes in types of 16 bits, vectors by the ranges of their columns or of all. A module
// of its own; the rules are those of index.ts.

export { tile_decode_rounded } from "./tile_decode_rounded";
export { tile_encode_rounded } from "./tile_encode_rounded";
export { vector_codes, vector_corrections } from "./tile_vectors";
export { column_decode, column_encode_middles, column_ranges } from "./vector_columns";
export { constants_end, scratch_start } from "./ends";
