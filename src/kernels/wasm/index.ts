// The kernels of tiles that all of the generic way's formats share. Measures, ways to
// codes that only some of them go, and the kernels of one format, of two alike or of
// another operation are modules of their own (*_module.ts), so that a bundle of one
// format holds no others. Every export takes the number of values first, then pointers,
// then plain numbers, and returns 0 when done or 1 when the scalar reference has
// to look at this stretch (a value that is not finite, or that it cannot do exactly).

import { workspace } from "./common";

export { tile_check, tile_decode } from "./tile";
export { tile_magnitudes, tile_ranges } from "./tile_ranges";
export { tile_store_e4m3 } from "./tile_e4m3";
export { tile_pack, tile_singles, tile_unpack } from "./tile_pack";
export { tile_round } from "./tile_round";
export { constants_end, scratch_start } from "./ends";

// Where some kernels leave what they find, as much as the workspace holds.
export function workspace_start(): usize { return workspace(); }
