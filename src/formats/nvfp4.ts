/**
 * `nvfp4` in ggml's layout: 64 E2M1 values in four groups of 16, each with a
 * small unsigned float as scale.
 *
 * ```text
 * byte   0 … 3 │ 4 … 35
 *        d     │ codes, 8 bytes a group: byte k holds its value k (low nibble)
 *        UE4M3 │ and value k+8 (high)
 * value = E2M1[code] · d[group], code 8 being +0
 * ```
 *
 * A scale of the whole tensor, as other tools have it, is no part of the block.
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_nvfp4_ref`,
 * `dequantize_row_nvfp4`; `ggml_fp32_to_ue4m3` and back in src/ggml-impl.h.
 *
 * @module
 */

import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import { signedMax } from "../families/scale_search.ts";
import { leaveToReference } from "../kernels/js/again.ts";
import { packHalves, unpackHalves } from "../nibbles/halves.ts";
import { E2M1_DOUBLED, nearestE2M1 } from "../numeric/e2m1.ts";
import { decodeUE4M3Half, encodeUE4M3 } from "../numeric/ue4m3.ts";

const { abs, fround } = Math;

const VALUES = 64;
const GROUP = 16;
const GROUPS = VALUES / GROUP;
const BYTES = 36;
const codes = new Uint8Array(GROUP);

function encode(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    const from = at + g * GROUP;
    const scale = encodeUE4M3(fround(abs(signedMax(values, from, GROUP)) / 6));
    const d = decodeUE4M3Half(scale);
    out[outAt + g] = scale;
    for (let j = 0; j < GROUP; j++) codes[j] = nearestE2M1(values[from + j], d);
    packHalves(codes, 0, GROUP, out, outAt + GROUPS + g * 8);
  }
}

function decode(
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    const d = decodeUE4M3Half(blocks[at + g]);
    unpackHalves(blocks, at + GROUPS + g * 8, GROUP, codes, 0);
    for (let j = 0; j < GROUP; j++) {
      out[outAt + g * GROUP + j] = E2M1_DOUBLED[codes[j]] * d;
    }
  }
}

/** ggml's `NVFP4`: every 16 E2M1 values share a UE4M3 scale, four groups to a block. */
export const nvfp4: BlockFormat<"nvfp4"> = blockFormat({
  name: "nvfp4",
  summary: "ggml NVFP4: groups of 16 E2M1 values, 8-bit float scale",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: VALUES,
  blockBytes: BYTES,
  halves: 0,
  scaleBytes: GROUPS,
  groupSize: GROUP,
  errorBound: 0.18,
  encode,
  decode,
  quantizeKernel: { name: "nvfp4_quantize", js: leaveToReference },
  dequantizeKernel: { name: "nvfp4_dequantize", js: leaveToReference },
});
