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

import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import { rowWeights } from "../families/importance.ts";
import { searchSigned, signedMax } from "../families/scale_search.ts";
import { truncateToInt8 } from "../numeric/c_casts.ts";
import { loadF16, storeF16 } from "../numeric/f16_bytes.ts";
import { packFive, unpackFive } from "./five_bits.ts";
import { ggmlKernel } from "./kernels.ts";

const { fround, min } = Math;

const VALUES = 32;
const BYTES = 22;
const codes = new Uint8Array(VALUES);

function encode(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  const d = fround(signedMax(values, at, VALUES) / -16);
  const id = d === 0 ? 0 : fround(1 / d);
  storeF16(d, out, outAt);
  for (let j = 0; j < VALUES; j++) {
    codes[j] = min(
      31,
      truncateToInt8(fround(fround(values[at + j] * id) + 16.5)),
    );
  }
  packFive(codes, out, outAt + 2);
}

function encodeWeighted(
  row: Float32Array,
  importance: Float32Array,
  out: Uint8Array,
): void {
  const weights = rowWeights(row, importance);
  for (let at = 0, outAt = 0; at < row.length; at += VALUES, outAt += BYTES) {
    storeF16(searchSigned(row, weights, at, VALUES, 16, codes), out, outAt);
    packFive(codes, out, outAt + 2);
  }
}

function decode(
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  const d = loadF16(blocks, at);
  unpackFive(blocks, at + 2, codes);
  for (let j = 0; j < VALUES; j++) out[outAt + j] = (codes[j] - 16) * d;
}

/** ggml's `Q5_0`: 32 values share a float16 scale; the largest magnitude gets code 0. */
export const q5_0: BlockFormat<"q5_0"> = blockFormat({
  name: "q5_0",
  summary: "ggml Q5_0: blocks of 32, float16 scale, codes of five bits",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: VALUES,
  blockBytes: BYTES,
  halves: 1,
  scaleBytes: 2,
  codeBits: 5,
  errorBound: 0.063,
  encode,
  encodeWeighted,
  decode,
  quantizeKernel: ggmlKernel("q5_0_quantize"),
  weightedKernel: ggmlKernel("q5_0_weigh"),
  dequantizeKernel: ggmlKernel("q5_0_dequantize"),
});
