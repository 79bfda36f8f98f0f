// Codes of tiles on an even grid, and scales and zero points for them: a module of its
// own. The rules are those of index.ts.

export { tile_fit } from "./tile";
export { tile_encode_steps } from "./tile_encode";
export { tile_fit_range } from "./tile_fit_range";
export { constants_end, scratch_start } from "./ends";
