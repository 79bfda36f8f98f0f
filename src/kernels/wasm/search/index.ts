// The kernels of packed matrices, a module of its own: each matrix has a memory
// of its own, and only pages that search load this.

export { encode_rows } from "./encode";
export { finish, select } from "./finish";
export { multiply_int4, multiply_q4_0, multiply_q4_k } from "./multiply";
export { scan_table, scan_table_groups, scan_uniform, scan_uniform_groups } from "./scan";
export { scan_groups_many, scan_table_many, scan_uniform_many } from "./scan_many";

// Where the constants end.
export function scratch_start(): usize { return (__heap_base + 15) & ~15; }
