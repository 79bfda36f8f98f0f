// The kernels. Every export takes the number of values first, then pointers,
// then plain numbers, and returns 0 when done or 1 when the scalar reference has
// to look at this stretch (a value that is not finite, or that it cannot do exactly).

import { workspaceEnd } from "./common";

export { magnitude, range } from "./reduce";
export { compare_sums } from "./compare";
export { iq4_nl_dequantize, iq4_nl_quantize, iq4_nl_weigh, iq4_xs_dequantize, iq4_xs_quantize, iq4_xs_weigh } from "./iq4";
export { noise_sums } from "./noise";
export { int8_dequantize, int8_quantize, nibbles_pack, nibbles_unpack } from "./nibbles";
export { q4_0_weigh, q4_1_weigh } from "./q4_weigh";
export { q4_k_dequantize, q4_k_quantize, q4_k_weigh } from "./q4_k";
export { int4_dequantize, int4_dequantize_groups, int4_quantize, int4_quantize_groups } from "./int4";
export { mxfp4_dequantize, mxfp4_quantize, nvfp4_dequantize, nvfp4_quantize } from "./e2m1";
export { tile_check, tile_decode, tile_fit, tile_magnitudes, tile_ranges } from "./tile";
export { tile_fit_e4m3 } from "./tile_e4m3";
export { tile_fit_range } from "./tile_fit_range";
export { tile_encode_e2m1, tile_encode_ranks, tile_encode_steps } from "./tile_encode";
export {
  tile_pack, tile_pack_columns, tile_pack_halves, tile_singles, tile_unpack, tile_unpack_columns, tile_unpack_halves,
} from "./tile_pack";
export { tile_turn_bytes, tile_turn_words } from "./tile_turn";
export { tile_round } from "./tile_round";
export { q4_0_dequantize, q4_0_quantize, q4_1_dequantize, q4_1_quantize } from "./q4";

// Where the constants and the kernels' own workspace end and the engine's scratch space begins.
export function scratch_start(): usize { return workspaceEnd(); }

// Where the constants end; all that lies beyond is written before it is read.
export function constants_end(): usize { return __data_end; }
