// Vectors by the ranges of their columns or of all, as `faiss_qt4` and `lucene99` have them: a module
// of its own. The rules are those of index.ts.

export { vector_codes, vector_corrections } from "./tile_vectors";
export { column_decode, column_encode_middles, column_ranges } from "./vector_columns";
export { constants_end, scratch_start } from "./ends";
