// What every module says of its memory; see src/kernels/arena.ts.

import { workspaceEnd } from "./common";

// Where the constants and the kernels' own workspace end and the engine's scratch space begins.
export function scratch_start(): usize { return workspaceEnd(); }

// Where the constants end; all that lies beyond is written before it is read.
export function constants_end(): usize { return __data_end; }
