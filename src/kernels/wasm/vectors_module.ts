// The kernels of `lucene99`, a module of their own. The rules are those of index.ts.

export { vector_codes, vector_corrections } from "./tile_vectors";
export { constants_end, scratch_start } from "./ends";
