/**
 * `q5_0`: 32 values, one scale.
 *
 * ```text
 * byte   0 1 │ 2 … 5              │ 6 … 21
 *        d   │ highest bits: bit k │ lower bits: byte 6+k holds value k (low nibble)
 *        f16 │ is that of value k  │ and value k+16 (high)
 * value = (code − 16) · d
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q5_0_ref`,
 * `quantize_row_q5_0_impl` (importance), `dequantize_row_q5_0`.
 *
 * @module
 */

import { F16_ALONE } from "../layouts/codecs.ts";
import { bitsAt, fieldAt } from "../layouts/items.ts";
import { halves, lowFirst } from "../layouts/orders.ts";
import {
  type BlockFormat,
  blockFormat,
  type BlockTile,
} from "../model/block_format.ts";
import { truncateToInt8 } from "../numeric/c_casts.ts";
import { rowWeights } from "../schemes/ggml_importance.ts";
import { searchSigned, signedMax } from "../schemes/ggml_scale_search.ts";
import { uint } from "../schemes/grids.ts";
import { ggmlKernel } from "./kernels.ts";
import { ofOtherWidth } from "./other_widths.ts";

const { fround, min } = Math;

const VALUES = 32;

function encode(
  values: Float32Array,
  at: number,
  { codes, fields }: BlockTile,
  block: number,
): void {
  const d = fround(signedMax(values, at, VALUES) / -16);
  const id = d === 0 ? 0 : fround(1 / d);
  fields.scale[block] = d;
  for (let j = at; j < at + VALUES; j++) {
    codes[j] = min(31, truncateToInt8(fround(fround(values[j] * id) + 16.5)));
  }
}

function encodeWeighted(
  values: Float32Array,
  first: number,
  importance: Float32Array,
  { codes, fields }: BlockTile,
  block: number,
): void {
  const row = values.subarray(first, first + importance.length);
  const weights = rowWeights(row, importance);
  for (let at = 0; at < row.length; at += VALUES, block++) {
    const own = codes.subarray(first + at, first + at + VALUES);
    const d = searchSigned(row, weights, at, VALUES, 16, own);
    fields.scale[block] = d;
  }
}

function decode(
  { codes, fields }: BlockTile,
  at: number,
  out: Float32Array,
  block: number,
): void {
  const d = fields.scale[block];
  for (let j = at; j < at + VALUES; j++) out[j] = (codes[j] - 16) * d;
}

/** ggml's `Q5_0`: 32 values share a float16 scale; the largest magnitude gets code 0. */
export const q5_0: BlockFormat<"q5_0"> = blockFormat({
  name: "q5_0",
  summary: "ggml Q5_0: blocks of 32, float16 scale, codes of five bits",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: VALUES,
  bytes: 22,
  record: [
    fieldAt("scale", 0, F16_ALONE),
    bitsAt(6, 4, halves(VALUES, VALUES)),
    bitsAt(2, 1, lowFirst(VALUES), 4),
  ],
  grid: uint(5),
  form: "s·(c − z)",
  constants: { zero: 16 },
  groupedBy: "scale",
  errorBound: 0.063,
  encode,
  encodeWeighted,
  decode,
  ...ofOtherWidth(5),
  quantizeKernel: ggmlKernel("q5_0_quantize"),
  weightedKernel: ggmlKernel("q5_0_weigh"),
  dequantizeKernel: ggmlKernel("q5_0_dequantize"),
});
