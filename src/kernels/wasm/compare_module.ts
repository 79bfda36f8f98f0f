// The kernels of comparisons, a module of their own. The rules are those of index.ts.

export { compare_sums } from "./compare";
export { constants_end, scratch_start } from "./ends";
export { noise_sums } from "./noise";
