// The search for scales, a module of its own. The rules are those of index.ts.

export { constants_end, scratch_start } from "./ends";
export { explore_affine } from "./affine_explore";
export { search_scales } from "./scale_search";
export { search_zeros } from "./zero_search";
