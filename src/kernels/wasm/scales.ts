// The search for scales, a module of its own. The rules are those of index.ts.

import { workspace } from "./common";
import { POINTS_END } from "./scale_explore";

export { explore_affine } from "./affine_explore";
export { search_scales } from "./scale_search";
export { search_zeros } from "./zero_search";

export function scratch_start(): usize { return workspace() + POINTS_END; }
export function constants_end(): usize { return __data_end; }
