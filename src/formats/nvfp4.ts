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

import { E2M1_KERNELS } from "../kernels/modules.ts";
import { repeated, UE4M3 } from "../layouts/codecs.ts";
import { codesAt, fieldAt } from "../layouts/items.ts";
import { halves } from "../layouts/orders.ts";
import {
  type BlockFormat,
  blockFormat,
  type BlockTile,
} from "../model/block_format.ts";
import { E2M1_DOUBLED, nearestE2M1 } from "../numeric/e2m1.ts";
import { decodeUE4M3Half, encodeUE4M3 } from "../numeric/ue4m3.ts";
import { signedMax } from "../schemes/ggml_scale_search.ts";
import { E2M1_PLUS_ZERO } from "../schemes/grids.ts";
import { seekScale } from "../schemes/sought.ts";

const { abs, fround } = Math;

const VALUES = 64;
const GROUP = 16;
const GROUPS = VALUES / GROUP;

function encode(
  values: Float32Array,
  at: number,
  { codes, fields }: BlockTile,
  block: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    const from = at + g * GROUP;
    const byte = encodeUE4M3(fround(abs(signedMax(values, from, GROUP)) / 6));
    const half = decodeUE4M3Half(byte);
    fields.scale[block * GROUPS + g] = 2 * half;
    for (let j = from; j < from + GROUP; j++) {
      codes[j] = nearestE2M1(values[j], half);
    }
  }
}

function decode(
  { codes, fields }: BlockTile,
  at: number,
  out: Float32Array,
  block: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    const half = fields.scale[block * GROUPS + g] / 2;
    for (let j = at + g * GROUP, end = j + GROUP; j < end; j++) {
      out[j] = E2M1_DOUBLED[codes[j]] * half;
    }
  }
}

/** ggml's `NVFP4`: every 16 E2M1 values share a UE4M3 scale, four groups to a block. */
export const nvfp4: BlockFormat<"nvfp4"> = blockFormat({
  name: "nvfp4",
  summary: "ggml NVFP4: groups of 16 E2M1 values, 8-bit float scale",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: VALUES,
  bytes: 36,
  record: [
    fieldAt("scale", 0, repeated(UE4M3, GROUPS)),
    codesAt(GROUPS, halves(VALUES, GROUP)),
  ],
  grid: E2M1_PLUS_ZERO,
  form: "s·g",
  constants: { tensorScale: 1 },
  groupedBy: "scale",
  errorBound: 0.18,
  encode,
  decode,
  search: seekScale(E2M1_PLUS_ZERO.values, "scale", { numbers: "E4M3" }),
  quantizeKernel: { name: "nvfp4_quantize", module: E2M1_KERNELS },
  dequantizeKernel: { name: "nvfp4_dequantize", module: E2M1_KERNELS },
});
