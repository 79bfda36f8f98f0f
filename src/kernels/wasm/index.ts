// The kernels that all formats share: measures and tiles. Those of one format, of
// two alike or of another operation are modules of their own (*_module.ts), so that
// a bundle of one format holds no others. Every export takes the number of values first, then pointers,
// then plain numbers, and returns 0 when done or 1 when the scalar reference has
// to look at this stretch (a value that is not finite, or that it cannot do exactly).

import { workspace } from "./common";

export { magnitude, range } from "./reduce";
export { tile_check, tile_decode, tile_fit } from "./tile";
export { tile_magnitudes, tile_ranges } from "./tile_ranges";
export { tile_store_e4m3 } from "./tile_e4m3";
export { tile_fit_range } from "./tile_fit_range";
export { tile_encode_ranks, tile_encode_steps } from "./tile_encode";
export { tile_divide } from "./tile_ranks";
export {
  tile_pack, tile_pack_columns, tile_pack_halves, tile_singles, tile_unpack, tile_unpack_columns, tile_unpack_halves,
} from "./tile_pack";
export { tile_turn_bytes, tile_turn_words } from "./tile_turn";
export { tile_round } from "./tile_round";
export { constants_end, scratch_start } from "./ends";

// Where some kernels leave what they find, as much as the workspace holds.
export function workspace_start(): usize { return workspace(); }
