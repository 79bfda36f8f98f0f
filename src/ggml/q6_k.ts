/**
 * `q6_k`: 256 values in sixteen groups of 16; each group has an 8-bit scale, all share one.
 *
 * ```text
 * byte   0 … 127    │ 128 … 191   │ 192 … 207 │ 208 209
 *        lower bits │ higher bits │ s, int8   │ d, f16
 * ```
 *
 * The bits lie in two halves of 128 values. In a half, l of 0 … 31: nibbles of byte l are
 * values l (low) and l + 64 (high), those of byte l + 32 values l + 32 and l + 96; the
 * pairs of bits of byte l above are values l, l + 32, l + 64 and l + 96, from the lowest.
 * `value = d · s · (code − 32)`
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q6_K_ref`,
 * `quantize_row_q6_K_impl` (importance), `dequantize_row_q6_K`.
 *
 * @module
 */

import { F16_ALONE, repeated, signedByte } from "../layouts/codecs.ts";
import { bitsAt, fieldAt } from "../layouts/items.ts";
import { across, halves } from "../layouts/orders.ts";
import {
  type BlockFormat,
  blockFormat,
  type BlockTile,
} from "../model/block_format.ts";
import { nearestInt } from "../numeric/c_casts.ts";
import { roundTo } from "../numeric/compute.ts";
import { clamp } from "../numeric/rounding.ts";
import { NEGLIGIBLE, searchSigned } from "../schemes/ggml_scale_search.ts";
import { uint } from "../schemes/grids.ts";
import { ggmlKernel } from "./kernels.ts";
import { ofOtherWidth } from "./other_widths.ts";

const { abs, fround, min } = Math;

const VALUES = 256;
const GROUP = 16;
const GROUPS = VALUES / GROUP;
/** The bits lie in two halves, as drawn above. */
const HALF = 128;
/** Half the number of codes: code 32 is zero. */
const ZERO = 32;

const scales = new Float32Array(GROUPS);
const squares = new Float32Array(VALUES);

/** Finds the scale of each group. Returns the one of the largest magnitude, 0 where there is none. */
function searchScales(
  values: Float32Array,
  at: number,
  weights: Float32Array,
  weightsAt: number,
  codes: Uint8Array,
): number {
  let largest = 0;
  for (let g = 0; g < GROUPS; g++) {
    const from = at + g * GROUP, weightsFrom = weightsAt + g * GROUP;
    const scale = searchSigned(
      values.subarray(from, from + GROUP),
      weights.subarray(weightsFrom, weightsFrom + GROUP),
      0,
      GROUP,
      ZERO,
      codes.subarray(from, from + GROUP),
    );
    scales[g] = scale;
    if (abs(scale) > abs(largest)) largest = scale;
  }
  return largest;
}

/** With the scales as stored, the codes are rounded anew. */
function roundAnew(
  values: Float32Array,
  at: number,
  { codes, fields }: BlockTile,
  block: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(
      fields.scale[block] * fields.steps[block * GROUPS + g],
    );
    if (scale === 0) continue; // the codes of the search stay
    for (let j = at + g * GROUP; j < at + (g + 1) * GROUP; j++) {
      const code = nearestInt(fround(values[j] / scale));
      codes[j] = clamp(code, -ZERO, ZERO - 1) + ZERO;
    }
  }
}

function encodeBlock(
  values: Float32Array,
  at: number,
  weights: Float32Array,
  weightsAt: number,
  tile: BlockTile,
  block: number,
): void {
  const { codes, fields } = tile;
  const largest = searchScales(values, at, weights, weightsAt, codes);
  const steps = fields.steps.subarray(block * GROUPS, (block + 1) * GROUPS);
  if (abs(largest) < NEGLIGIBLE) {
    fields.scale[block] = 0;
    steps.fill(0);
    codes.fill(0, at, at + VALUES);
    return;
  }
  const inverse = fround(-128 / largest);
  fields.scale[block] = roundTo("F16")(fround(1 / inverse));
  for (let g = 0; g < GROUPS; g++) {
    const step = min(127, nearestInt(fround(inverse * scales[g])));
    steps[g] = step << 24 >> 24;
  }
  roundAnew(values, at, tile, block);
}

/** Without importance a value weighs as much as its square. */
function encode(
  values: Float32Array,
  at: number,
  tile: BlockTile,
  block: number,
): void {
  for (let j = 0; j < VALUES; j++) squares[j] = values[at + j] * values[at + j];
  encodeBlock(values, at, squares, 0, tile, block);
}

/** With importance, as much as its column: here ggml leaves the values out of it. */
function encodeWeighted(
  values: Float32Array,
  first: number,
  importance: Float32Array,
  tile: BlockTile,
  block: number,
): void {
  for (let column = 0; column < importance.length; column += VALUES, block++) {
    encodeBlock(values, first + column, importance, column, tile, block);
  }
}

function decode(
  { codes, fields }: BlockTile,
  at: number,
  out: Float32Array,
  block: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(
      fields.scale[block] * fields.steps[block * GROUPS + g],
    );
    for (let j = at + g * GROUP; j < at + (g + 1) * GROUP; j++) {
      out[j] = scale * (codes[j] - ZERO);
    }
  }
}

/** ggml's `Q6_K`: 256 values, an 8-bit scale for every 16, a float16 scale for all. */
export const q6_k: BlockFormat<"q6_k"> = blockFormat({
  name: "q6_k",
  summary:
    "ggml Q6_K: super-blocks of 256, 8-bit scales for 16, codes of six bits",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: VALUES,
  bytes: 210,
  record: [
    bitsAt(0, 4, halves(VALUES, HALF)),
    bitsAt(128, 2, across(VALUES, HALF / 4, 4), 4),
    fieldAt("steps", 192, repeated(signedByte(), GROUPS)),
    fieldAt("scale", 208, F16_ALONE),
  ],
  grid: uint(6),
  form: "other",
  groupedBy: "scale",
  errorBound: 0.02,
  encode,
  encodeWeighted,
  decode,
  ...ofOtherWidth(6),
  quantizeKernel: ggmlKernel("q6_k_quantize"),
  weightedKernel: ggmlKernel("q6_k_weigh"),
  dequantizeKernel: ggmlKernel("q6_k_dequantize"),
});
