// The kernels of formats whose groups have a byte each, a module of their own. The rules are those of index.ts.

export { table_decode, table_planes } from "./byte_tables";
export { constants_end, scratch_start } from "./ends";
