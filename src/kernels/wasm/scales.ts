// The search for scales, a module of its own. The rules are those of index.ts.

import { workspace } from "./common";
import { TABLES_END } from "./scale_tables";

export { constants_end } from "./ends";
export { fit_affine } from "./affine_fit";
export { search_listed } from "./list_search";
export { search_scales } from "./scale_search";
export { search_multiples } from "./super_multiples";
export { search_pairs } from "./super_pairs";
export { fit_zeros } from "./zero_fit";
export { search_zeros } from "./zero_search";

// Its tables lie behind the workspace of the others.
export function scratch_start(): usize { return workspace() + TABLES_END; }
