/**
 * `iq4_nl`: 32 values on a non-linear grid, one scale found by search.
 *
 * ```text
 * byte   0 1 │ 2 … 17
 *        d   │ codes: byte 2+k holds value k (low nibble) and value k+16 (high)
 *        f16 │
 * value = d · grid[code], grid = −127 … 113
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_iq4_nl`
 * (what `ggml_quantize_chunk` calls; `quantize_row_iq4_nl_ref` searches less),
 * `dequantize_row_iq4_nl`.
 *
 * @module
 */

import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import { importanceWeights, sumOfSquares } from "../families/importance.ts";
import {
  decodeIq4,
  encodeIq4,
  IQ4_GROUP,
  searchIq4Scale,
  squares,
} from "../families/iq4.ts";
import {
  dequantizeIq4Nl,
  quantizeIq4Nl,
  weighIq4Nl,
} from "../kernels/js/iq4.ts";
import { loadF16, storeF16 } from "../numeric/f16_bytes.ts";

const { fround } = Math;

const BYTES = 18;
const weights = new Float32Array(IQ4_GROUP);

function encodeBlock(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  const d = searchIq4Scale(values, at, weights);
  storeF16(d, out, outAt);
  encodeIq4(values, at, d, out, outAt + 2);
}

function encode(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  squares(values, at, weights);
  encodeBlock(values, at, out, outAt);
}

function encodeWeighted(
  row: Float32Array,
  importance: Float32Array,
  out: Uint8Array,
): void {
  for (
    let at = 0, outAt = 0;
    at < row.length;
    at += IQ4_GROUP, outAt += BYTES
  ) {
    const sigma2 = fround(sumOfSquares(row, at, IQ4_GROUP) * (2 / IQ4_GROUP));
    importanceWeights(row, at, IQ4_GROUP, sigma2, importance, at, weights);
    encodeBlock(row, at, out, outAt);
  }
}

function decode(
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  decodeIq4(blocks, at + 2, loadF16(blocks, at), out, outAt);
}

/** ggml's `IQ4_NL`: 32 values on a non-linear grid share a float16 scale. */
export const iq4_nl: BlockFormat<"iq4_nl"> = blockFormat({
  name: "iq4_nl",
  summary:
    "ggml IQ4_NL: blocks of 32 on a non-linear grid, float16 scale by search",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: IQ4_GROUP,
  blockBytes: BYTES,
  halves: 1,
  scaleBytes: 2,
  errorBound: 0.2,
  encode,
  encodeWeighted,
  decode,
  quantizeKernel: quantizeIq4Nl,
  weightedKernel: weighIq4Nl,
  dequantizeKernel: dequantizeIq4Nl,
});
