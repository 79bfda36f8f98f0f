/**
 * `q4_k`: 256 values in eight groups of 32; each group has a 6-bit scale and a
 * 6-bit offset, all share a scale for either.
 *
 * ```text
 * byte   0 1 │ 2 3  │ 4 … 15 │ 16 … 143
 *        d   │ dmin │ s, m   │ codes, 32 bytes for groups 2p and 2p+1: byte k holds
 *        f16 │ f16  │ 6-bit  │ value k of the one (low nibble) and of the other (high)
 * value = d · s · code − dmin · m
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q4_K_ref`,
 * `quantize_row_q4_K_impl` (importance), `dequantize_row_q4_K`.
 *
 * @module
 */

import { Q4_K_KERNELS } from "../kernels/modules.ts";
import { SUPER_BLOCK_FIELDS } from "../layouts/ggml_super_blocks.ts";
import { codesAt } from "../layouts/items.ts";
import { halves } from "../layouts/orders.ts";
import { type BlockFormat, blockFormat } from "../model/block_format.ts";
import { SUPER_BLOCK, superBlocks } from "../schemes/ggml_super_blocks.ts";
import { UINT4 } from "../schemes/grids.ts";
import { seekPairs } from "../schemes/sought.ts";

const { fround } = Math;

/** ggml's `Q4_K`: 256 values, a 6-bit scale and offset for every 32, two float16 scales for all. */
export const q4_k: BlockFormat<"q4_k"> = blockFormat({
  name: "q4_k",
  summary: "ggml Q4_K: super-blocks of 256, 6-bit scales and offsets for 32",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: SUPER_BLOCK,
  bytes: 144,
  record: [...SUPER_BLOCK_FIELDS, codesAt(16, halves(SUPER_BLOCK, 64))],
  grid: UINT4,
  form: "other",
  groupedBy: "scale",
  errorBound: 0.12,
  search: seekPairs(32),
  ...superBlocks({
    plain: { levels: 15, first: -1, step: fround(0.1), steps: 20 },
    weighted: {
      levels: 15,
      first: fround(-0.9),
      step: fround(0.05),
      steps: 36,
    },
  }),
  quantizeKernel: { name: "q4_k_quantize", module: Q4_K_KERNELS },
  weightedKernel: { name: "q4_k_weigh", module: Q4_K_KERNELS },
  dequantizeKernel: { name: "q4_k_dequantize", module: Q4_K_KERNELS },
});
