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

import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import { rowWeights } from "../families/importance.ts";
import { searchSigned, signedMax } from "../families/scale_search.ts";
import { leaveToReference } from "../kernels/js/again.ts";
import { packHalves, unpackHalves } from "../nibbles/halves.ts";
import { loadF16, storeF16 } from "../numeric/f16_bytes.ts";
import { truncateToInt8 } from "../numeric/c_casts.ts";

const { fround, min } = Math;

const VALUES = 32;
const BYTES = 18;
const codes = new Uint8Array(VALUES);

function encode(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  const d = fround(signedMax(values, at, VALUES) / -8);
  const id = d === 0 ? 0 : fround(1 / d);
  storeF16(d, out, outAt);
  for (let j = 0; j < VALUES; j++) {
    codes[j] = min(
      15,
      truncateToInt8(fround(fround(values[at + j] * id) + 8.5)),
    );
  }
  packHalves(codes, 0, VALUES, out, outAt + 2);
}

function encodeWeighted(
  row: Float32Array,
  importance: Float32Array,
  out: Uint8Array,
): void {
  const weights = rowWeights(row, importance);
  for (let at = 0, outAt = 0; at < row.length; at += VALUES, outAt += BYTES) {
    storeF16(searchSigned(row, weights, at, VALUES, 8, codes), out, outAt);
    packHalves(codes, 0, VALUES, out, outAt + 2);
  }
}

function decode(
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  const d = loadF16(blocks, at);
  unpackHalves(blocks, at + 2, VALUES, codes, 0);
  for (let j = 0; j < VALUES; j++) out[outAt + j] = (codes[j] - 8) * d;
}

/** ggml's `Q4_0`: 32 values share a float16 scale; the largest magnitude gets code 0. */
export const q4_0: BlockFormat<"q4_0"> = blockFormat({
  name: "q4_0",
  summary: "ggml Q4_0: blocks of 32, float16 scale",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: VALUES,
  blockBytes: BYTES,
  halves: 1,
  scaleBytes: 2,
  errorBound: 0.126,
  encode,
  encodeWeighted,
  decode,
  quantizeKernel: { name: "q4_0_quantize", js: leaveToReference },
  weightedKernel: { name: "q4_0_weigh", js: leaveToReference },
  dequantizeKernel: { name: "q4_0_dequantize", js: leaveToReference },
});
