/**
 * `q4_0`: 32 values, one scale.
 *
 * ```text
 * byte   0 1 │ 2 … 17
 *        d   │ codes: byte 2+k holds value k (low nibble) and value k+16 (high)
 *        f16 │
 * value = (code − 8) · d
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q4_0_ref`,
 * `quantize_row_q4_0_impl` (importance), `dequantize_row_q4_0`.
 *
 * @module
 */

import { Q4_0_KERNELS } from "../kernels/modules.ts";
import { F16_ALONE } from "../layouts/codecs.ts";
import { codesAt, fieldAt } from "../layouts/items.ts";
import { halves } from "../layouts/orders.ts";
import {
  type BlockFormat,
  blockFormat,
  type BlockTile,
} from "../model/block_format.ts";
import { truncateToInt8 } from "../numeric/c_casts.ts";
import { rowWeights } from "../schemes/ggml_importance.ts";
import { searchSigned, signedMax } from "../schemes/ggml_scale_search.ts";
import { UINT4 } from "../schemes/grids.ts";
import { seekScale } from "../schemes/sought.ts";

const { fround, min } = Math;

const VALUES = 32;
const LEVELS = UINT4.values.map((code) => code - 8);

function encode(
  values: Float32Array,
  at: number,
  { codes, fields }: BlockTile,
  block: number,
): void {
  const d = fround(signedMax(values, at, VALUES) / -8);
  const id = d === 0 ? 0 : fround(1 / d);
  fields.scale[block] = d;
  for (let j = at; j < at + VALUES; j++) {
    codes[j] = min(15, truncateToInt8(fround(fround(values[j] * id) + 8.5)));
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
    const d = searchSigned(row, weights, at, VALUES, 8, own);
    fields.scale[block] = d;
  }
}

function decode(
  { codes, fields }: BlockTile,
  at: number,
  out: Float32Array,
  block: number,
): void {
  const d = fields.scale[block], end = at + VALUES;
  for (let j = at; j < end; j++) out[j] = (codes[j] - 8) * d;
}

/** ggml's `Q4_0`: 32 values share a float16 scale; the largest magnitude gets code 0. */
export const q4_0: BlockFormat<"q4_0"> = blockFormat({
  name: "q4_0",
  summary: "ggml Q4_0: blocks of 32, float16 scale",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: VALUES,
  bytes: 18,
  record: [fieldAt("scale", 0, F16_ALONE), codesAt(2, halves(VALUES, VALUES))],
  grid: UINT4,
  form: "s·(c − z)",
  constants: { zero: 8 },
  groupedBy: "scale",
  errorBound: 0.126,
  encode,
  encodeWeighted,
  decode,
  search: seekScale(LEVELS, "scale", { dtype: "F16", signed: true }),
  quantizeKernel: { name: "q4_0_quantize", module: Q4_0_KERNELS },
  weightedKernel: { name: "q4_0_weigh", module: Q4_0_KERNELS },
  dequantizeKernel: { name: "q4_0_dequantize", module: Q4_0_KERNELS },
});
