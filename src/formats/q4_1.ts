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

import { type AffineSearch, searchAffine } from "../families/affine_search.ts";
import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import { rowWeights } from "../families/importance.ts";
import { leaveToReference } from "../kernels/js/again.ts";
import { packHalves, unpackHalves } from "../nibbles/halves.ts";
import { loadF16, storeF16 } from "../numeric/f16_bytes.ts";
import { truncateToInt8 } from "../numeric/c_casts.ts";

const { fround } = Math;

const VALUES = 32;
const BYTES = 20;
const WEIGHTED: AffineSearch = {
  levels: 15,
  first: fround(-0.9),
  step: fround(0.05),
  steps: 36,
};
const codes = new Uint8Array(VALUES);

function encode(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  let min = values[at];
  let max = values[at];
  for (let j = 1; j < VALUES; j++) {
    const x = values[at + j];
    if (x < min) min = x;
    if (x > max) max = x;
  }
  const d = fround(fround(max - min) / 15);
  const id = d === 0 ? 0 : fround(1 / d);
  storeF16(d, out, outAt);
  storeF16(min, out, outAt + 2);
  for (let j = 0; j < VALUES; j++) {
    const steps = fround(fround(values[at + j] - min) * id);
    codes[j] = Math.min(15, truncateToInt8(fround(steps + 0.5)));
  }
  packHalves(codes, 0, VALUES, out, outAt + 4);
}

function encodeWeighted(
  row: Float32Array,
  importance: Float32Array,
  out: Uint8Array,
): void {
  const weights = rowWeights(row, importance);
  for (let at = 0, outAt = 0; at < row.length; at += VALUES, outAt += BYTES) {
    const { scale, offset } = searchAffine(
      WEIGHTED,
      row,
      at,
      VALUES,
      weights,
      at,
      codes,
      0,
    );
    storeF16(scale, out, outAt);
    storeF16(-offset, out, outAt + 2);
    packHalves(codes, 0, VALUES, out, outAt + 4);
  }
}

function decode(
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  const d = loadF16(blocks, at);
  const m = loadF16(blocks, at + 2);
  unpackHalves(blocks, at + 4, VALUES, codes, 0);
  for (let j = 0; j < VALUES; j++) out[outAt + j] = fround(codes[j] * d) + m;
}

/** ggml's `Q4_1`: 32 values share a float16 scale and a float16 minimum. */
export const q4_1: BlockFormat<"q4_1"> = blockFormat({
  name: "q4_1",
  summary: "ggml Q4_1: blocks of 32, float16 scale and minimum",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: VALUES,
  blockBytes: BYTES,
  halves: 2,
  scaleBytes: 4,
  errorBound: 0.068,
  encode,
  encodeWeighted,
  decode,
  quantizeKernel: { name: "q4_1_quantize", js: leaveToReference },
  weightedKernel: { name: "q4_1_weigh", js: leaveToReference },
  dequantizeKernel: { name: "q4_1_dequantize", js: leaveToReference },
});
