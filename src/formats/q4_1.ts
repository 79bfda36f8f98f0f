/**
 * `q4_1`: 32 values, a scale and a minimum.
 *
 * ```text
 * byte   0 1 │ 2 3 │ 4 … 19
 *        d   │ m   │ codes: byte 4+k holds value k (low nibble) and value k+16 (high)
 *        f16 │ f16 │
 * value = code · d + m
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q4_1_ref`,
 * `quantize_row_q4_1_impl` (importance), `dequantize_row_q4_1`.
 *
 * @module
 */

import { Q4_1_KERNELS } from "../kernels/modules.ts";
import { F16_ALONE } from "../layouts/codecs.ts";
import { codesAt, fieldAt } from "../layouts/items.ts";
import { halves } from "../layouts/orders.ts";
import {
  type BlockFormat,
  blockFormat,
  type BlockTile,
} from "../model/block_format.ts";
import { truncateToInt8 } from "../numeric/c_casts.ts";
import {
  type AffineSearch,
  searchAffine,
} from "../schemes/ggml_affine_search.ts";
import { rowWeights } from "../schemes/ggml_importance.ts";
import { UINT4 } from "../schemes/grids.ts";
import { seekBias } from "../schemes/sought.ts";

const { fround } = Math;

const VALUES = 32;
const WEIGHTED: AffineSearch = {
  levels: 15,
  first: fround(-0.9),
  step: fround(0.05),
  steps: 36,
};

function setNumbers(
  { fields }: BlockTile,
  block: number,
  scale: number,
  bias: number,
): void {
  fields.scale[block] = scale;
  fields.bias[block] = bias;
}

function encode(
  values: Float32Array,
  at: number,
  tile: BlockTile,
  block: number,
): void {
  let min = values[at];
  let max = values[at];
  for (let j = at + 1; j < at + VALUES; j++) {
    if (values[j] < min) min = values[j];
    if (values[j] > max) max = values[j];
  }
  const d = fround(fround(max - min) / 15);
  const id = d === 0 ? 0 : fround(1 / d);
  setNumbers(tile, block, d, min);
  for (let j = at; j < at + VALUES; j++) {
    const steps = fround(fround(values[j] - min) * id);
    tile.codes[j] = Math.min(15, truncateToInt8(fround(steps + 0.5)));
  }
}

function encodeWeighted(
  values: Float32Array,
  first: number,
  importance: Float32Array,
  tile: BlockTile,
  block: number,
): void {
  const row = values.subarray(first, first + importance.length);
  const weights = rowWeights(row, importance);
  for (let at = 0; at < row.length; at += VALUES, block++) {
    const { scale, offset } = searchAffine(
      WEIGHTED,
      row,
      at,
      VALUES,
      weights,
      at,
      tile.codes,
      first + at,
    );
    setNumbers(tile, block, scale, -offset);
  }
}

function decode(
  { codes, fields }: BlockTile,
  at: number,
  out: Float32Array,
  block: number,
): void {
  const d = fields.scale[block], m = fields.bias[block];
  const end = at + VALUES;
  for (let j = at; j < end; j++) out[j] = fround(codes[j] * d) + m;
}

/** ggml's `Q4_1`: 32 values share a float16 scale and a float16 minimum. */
export const q4_1: BlockFormat<"q4_1"> = blockFormat({
  name: "q4_1",
  summary: "ggml Q4_1: blocks of 32, float16 scale and minimum",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: VALUES,
  bytes: 20,
  record: [
    fieldAt("scale", 0, F16_ALONE),
    fieldAt("bias", 2, F16_ALONE),
    codesAt(4, halves(VALUES, VALUES)),
  ],
  grid: UINT4,
  form: "s·c + b",
  groupedBy: "scale",
  errorBound: 0.068,
  encode,
  encodeWeighted,
  decode,
  search: seekBias("F16"),
  quantizeKernel: { name: "q4_1_quantize", module: Q4_1_KERNELS },
  weightedKernel: { name: "q4_1_weigh", module: Q4_1_KERNELS },
  dequantizeKernel: { name: "q4_1_dequantize", module: Q4_1_KERNELS },
});
