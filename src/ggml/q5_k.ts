/**
 * `q5_k`: 256 values in eight groups of 32 with 6-bit scales and offsets, as in `q4_k`;
 * codes of five bits.
 *
 * ```text
 * byte   0 … 15 │ 16 … 47             │ 48 … 175
 *        scales │ highest bits: bit g │ lower bits, 32 bytes for groups 2p and 2p+1: byte k
 *               │ of byte k is that of│ holds value k of the one (low nibble) and of the
 *               │ value k of group g  │ other (high)
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q5_K_ref`,
 * `quantize_row_q5_K_impl` (importance), `dequantize_row_q5_K`.
 *
 * @module
 */

import { SUPER_BLOCK_FIELDS } from "../layouts/ggml_super_blocks.ts";
import { bitsAt } from "../layouts/items.ts";
import { across, halves } from "../layouts/orders.ts";
import { type BlockFormat, blockFormat } from "../model/block_format.ts";
import { SUPER_BLOCK, superBlocks } from "../schemes/ggml_super_blocks.ts";
import { uint } from "../schemes/grids.ts";
import { ggmlKernel } from "./kernels.ts";
import { ofOtherWidth } from "./other_widths.ts";

const { fround } = Math;

/** ggml's `Q5_K`: 256 values, a 6-bit scale and offset for every 32, two float16 scales for all. */
export const q5_k: BlockFormat<"q5_k"> = blockFormat({
  name: "q5_k",
  summary:
    "ggml Q5_K: super-blocks of 256, 6-bit scales and offsets for 32, codes of five bits",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: SUPER_BLOCK,
  bytes: 176,
  record: [
    ...SUPER_BLOCK_FIELDS,
    bitsAt(48, 4, halves(SUPER_BLOCK, 64)),
    bitsAt(16, 1, across(SUPER_BLOCK, 32, 8), 4),
  ],
  grid: uint(5),
  form: "other",
  groupedBy: "scale",
  errorBound: 0.08,
  ...superBlocks({
    plain: { levels: 31, first: -0.5, step: fround(0.1), steps: 15 },
    weighted: {
      levels: 31,
      first: fround(-0.9),
      step: fround(0.05),
      steps: 36,
    },
  }),
  ...ofOtherWidth(5),
  quantizeKernel: ggmlKernel("q5_k_quantize"),
  weightedKernel: ggmlKernel("q5_k_weigh"),
  dequantizeKernel: ggmlKernel("q5_k_dequantize"),
});
