// What tiles of formats on even grids take beyond what all formats share: values and
// codes in types of 16 bits, groups of columns, vectors with one range for all. A
// module of its own; the rules are those of index.ts.

export { column_decode, column_encode, column_encode_middles, column_ranges } from "./tile_columns";
export { tile_decode_rounded } from "./tile_decode_rounded";
export { tile_encode_rounded } from "./tile_encode_rounded";
export { vector_codes, vector_corrections } from "./tile_vectors";
export { constants_end, scratch_start } from "./ends";
