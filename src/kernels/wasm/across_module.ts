// Groups that are columns, worked on along rows, a module of its own. The rules are those of index.ts.

export { column_decode, column_encode, column_encode_middles, column_ranges } from "./tile_columns";
export { constants_end, scratch_start } from "./ends";
