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

import { type AffineSearch, searchAffine } from "../families/affine_search.ts";
import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import { rowWeights } from "../families/importance.ts";
import { truncateToInt8 } from "../numeric/c_casts.ts";
import { loadF16, storeF16 } from "../numeric/f16_bytes.ts";
import { packFive, unpackFive } from "./five_bits.ts";
import { ggmlKernel } from "./kernels.ts";

const { fround } = Math;

const VALUES = 32;
const BYTES = 24;
const WEIGHTED: AffineSearch = {
  levels: 31,
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
  const d = fround(fround(max - min) / 31);
  const id = d === 0 ? 0 : fround(1 / d);
  storeF16(d, out, outAt);
  storeF16(min, out, outAt + 2);
  for (let j = 0; j < VALUES; j++) {
    const steps = fround(fround(values[at + j] - min) * id);
    codes[j] = truncateToInt8(fround(steps + 0.5));
  }
  packFive(codes, out, outAt + 4);
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
    packFive(codes, out, outAt + 4);
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
  unpackFive(blocks, at + 4, codes);
  for (let j = 0; j < VALUES; j++) out[outAt + j] = fround(codes[j] * d) + m;
}

/** ggml's `Q5_1`: 32 values share a float16 scale and a float16 minimum. */
export const q5_1: BlockFormat<"q5_1"> = blockFormat({
  name: "q5_1",
  summary:
    "ggml Q5_1: blocks of 32, float16 scale and minimum, codes of five bits",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: VALUES,
  blockBytes: BYTES,
  halves: 2,
  scaleBytes: 4,
  codeBits: 5,
  errorBound: 0.034,
  encode,
  encodeWeighted,
  decode,
  quantizeKernel: ggmlKernel("q5_1_quantize"),
  weightedKernel: ggmlKernel("q5_1_weigh"),
  dequantizeKernel: ggmlKernel("q5_1_dequantize"),
});
