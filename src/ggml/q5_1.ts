/**
 * `q5_1`: 32 values, a scale and a minimum.
 *
 * ```text
 * byte   0 1 │ 2 3 │ 4 … 7               │ 8 … 23
 *        d   │ m   │ highest bits: bit k │ lower bits: byte 8+k holds value k (low nibble)
 *        f16 │ f16 │ is that of value k  │ and value k+16 (high)
 * value = code · d + m
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q5_1_ref`,
 * `quantize_row_q5_1_impl` (importance), `dequantize_row_q5_1`.
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
import {
  type AffineSearch,
  searchAffine,
} from "../schemes/ggml_affine_search.ts";
import { rowWeights } from "../schemes/ggml_importance.ts";
import { uint } from "../schemes/grids.ts";
import { ggmlKernel } from "./kernels.ts";
import { ofOtherWidth } from "./other_widths.ts";

const { fround } = Math;

const VALUES = 32;
const WEIGHTED: AffineSearch = {
  levels: 31,
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
  const d = fround(fround(max - min) / 31);
  const id = d === 0 ? 0 : fround(1 / d);
  setNumbers(tile, block, d, min);
  for (let j = at; j < at + VALUES; j++) {
    const steps = fround(fround(values[j] - min) * id);
    // What is above five bits is dropped, as the reference does.
    tile.codes[j] = truncateToInt8(fround(steps + 0.5)) & 31;
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
  for (let j = at; j < at + VALUES; j++) out[j] = fround(codes[j] * d) + m;
}

/** ggml's `Q5_1`: 32 values share a float16 scale and a float16 minimum. */
export const q5_1: BlockFormat<"q5_1"> = blockFormat({
  name: "q5_1",
  summary:
    "ggml Q5_1: blocks of 32, float16 scale and minimum, codes of five bits",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: VALUES,
  bytes: 24,
  record: [
    fieldAt("scale", 0, F16_ALONE),
    fieldAt("bias", 2, F16_ALONE),
    bitsAt(8, 4, halves(VALUES, VALUES)),
    bitsAt(4, 1, lowFirst(VALUES), 4),
  ],
  grid: uint(5),
  form: "s·c + b",
  groupedBy: "scale",
  errorBound: 0.034,
  encode,
  encodeWeighted,
  decode,
  ...ofOtherWidth(5),
  quantizeKernel: ggmlKernel("q5_1_quantize"),
  weightedKernel: ggmlKernel("q5_1_weigh"),
  dequantizeKernel: ggmlKernel("q5_1_dequantize"),
});
