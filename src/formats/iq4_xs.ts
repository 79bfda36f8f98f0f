/**
 * `iq4_xs`: 256 values in eight groups of 32 on a non-linear grid; each group
 * has a 6-bit scale, all share one more.
 *
 * ```text
 * byte   0 1 │ 2 3      │ 4 … 7    │ 8 … 135
 *        d   │ scales_h │ scales_l │ codes, 16 bytes a group: byte k holds its
 *        f16 │          │          │ value k (low nibble) and value k+16 (high)
 * scale of group g, offset by 32: bits 0–3 in nibble g of scales_l (low first),
 *                                 bits 4–5 in bits 2g, 2g+1 of scales_h
 * value = d · (scale − 32) · grid[code], grid = −127 … 113
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_iq4_xs`,
 * `dequantize_row_iq4_xs`.
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
import { signedMax } from "../families/scale_search.ts";
import { nearestInt } from "../numeric/c_casts.ts";
import { clamp } from "../numeric/rounding.ts";
import {
  dequantizeIq4Xs,
  quantizeIq4Xs,
  weighIq4Xs,
} from "../kernels/js/iq4.ts";
import { loadF16, storeF16 } from "../numeric/f16_bytes.ts";

const { fround } = Math;

const VALUES = 256;
const GROUPS = VALUES / IQ4_GROUP;
const BYTES = 136;
const CODES_AT = 8;
const weights = new Float32Array(IQ4_GROUP);
const scales = new Float32Array(GROUPS);

/** From the scales of the groups to the block. */
function encodeBlock(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  const d = fround(-signedMax(scales, 0, GROUPS) / 32);
  const id = d === 0 ? 0 : fround(1 / d);
  storeF16(d, out, outAt);
  out.fill(0, outAt + 2, outAt + CODES_AT);
  for (let g = 0; g < GROUPS; g++) {
    const l = clamp(nearestInt(fround(id * scales[g])), -32, 31);
    encodeIq4(
      values,
      at + g * IQ4_GROUP,
      fround(d * l),
      out,
      outAt + CODES_AT + g * 16,
    );
    out[outAt + 2 + (g >> 2)] |= ((l + 32) >> 4) << (2 * (g & 3));
    out[outAt + 4 + (g >> 1)] |= ((l + 32) & 15) << (4 * (g & 1));
  }
}

function encode(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    squares(values, at + g * IQ4_GROUP, weights);
    scales[g] = searchIq4Scale(values, at + g * IQ4_GROUP, weights);
  }
  encodeBlock(values, at, out, outAt);
}

function encodeWeighted(
  row: Float32Array,
  importance: Float32Array,
  out: Uint8Array,
): void {
  for (let at = 0, outAt = 0; at < row.length; at += VALUES, outAt += BYTES) {
    const sigma2 = fround(sumOfSquares(row, at, VALUES) * (2 / VALUES));
    for (let g = 0; g < GROUPS; g++) {
      const from = at + g * IQ4_GROUP;
      importanceWeights(
        row,
        from,
        IQ4_GROUP,
        sigma2,
        importance,
        from,
        weights,
      );
      scales[g] = searchIq4Scale(row, from, weights);
    }
    encodeBlock(row, at, out, outAt);
  }
}

function decode(
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  const d = loadF16(blocks, at);
  for (let g = 0; g < GROUPS; g++) {
    const high = (blocks[at + 2 + (g >> 2)] >> (2 * (g & 3))) & 3;
    const low = (blocks[at + 4 + (g >> 1)] >> (4 * (g & 1))) & 15;
    const scale = fround(d * ((high << 4 | low) - 32));
    decodeIq4(
      blocks,
      at + CODES_AT + g * 16,
      scale,
      out,
      outAt + g * IQ4_GROUP,
    );
  }
}

/** ggml's `IQ4_XS`: 256 values on a non-linear grid, a 6-bit scale for every 32, a float16 scale for all. */
export const iq4_xs: BlockFormat<"iq4_xs"> = blockFormat({
  name: "iq4_xs",
  summary:
    "ggml IQ4_XS: super-blocks of 256 on a non-linear grid, 6-bit scales for 32",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: VALUES,
  blockBytes: BYTES,
  halves: 1,
  scaleBytes: CODES_AT,
  errorBound: 0.2,
  encode,
  encodeWeighted,
  decode,
  quantizeKernel: quantizeIq4Xs,
  weightedKernel: weighIq4Xs,
  dequantizeKernel: dequantizeIq4Xs,
});
