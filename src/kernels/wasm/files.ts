// The kernels of what files hold, a module of its own: src/files/halves.ts.
// The rules are those of index.ts.

import { workspaceEnd } from "./common";

export { bf16_encode, f16_encode } from "./halves";

export function scratch_start(): usize { return workspaceEnd(); }
export function constants_end(): usize { return __data_end; }
