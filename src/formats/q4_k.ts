/**
 * `q4_k`: 256 values in eight groups of 32; each group has a 6-bit scale and a
 * 6-bit offset, all share a scale for either.
 *
 * ```text
 * byte   0 1 │ 2 3  │ 4 … 15 │ 16 … 143
 *        d   │ dmin │ s, m   │ codes, 32 bytes for groups 2p and 2p+1: byte k holds
 *        f16 │ f16  │ 6-bit  │ value k of the one (low nibble) and of the other (high)
 * value = d · s · code − dmin · m
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q4_K_ref`,
 * `quantize_row_q4_K_impl` (importance), `dequantize_row_q4_K`.
 *
 * @module
 */

import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import {
  SUPER_BLOCK,
  SUPER_BLOCK_SCALES,
  superBlocks,
} from "../families/super_blocks.ts";
import { leaveToReference } from "../kernels/js/again.ts";
import { packHalves, unpackHalves } from "../nibbles/halves.ts";

const { fround } = Math;

const BYTES = 144;
/** Groups 2p and 2p + 1 share bytes. */
const PAIR = 64;

function packCodes(codes: Uint8Array, out: Uint8Array, at: number): void {
  for (let p = 0; p < SUPER_BLOCK; p += PAIR) {
    packHalves(codes, p, PAIR, out, at + p / 2);
  }
}

function unpackCodes(blocks: Uint8Array, at: number, codes: Uint8Array): void {
  for (let p = 0; p < SUPER_BLOCK; p += PAIR) {
    unpackHalves(blocks, at + p / 2, PAIR, codes, p);
  }
}

/** ggml's `Q4_K`: 256 values, a 6-bit scale and offset for every 32, two float16 scales for all. */
export const q4_k: BlockFormat<"q4_k"> = blockFormat({
  name: "q4_k",
  summary: "ggml Q4_K: super-blocks of 256, 6-bit scales and offsets for 32",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: SUPER_BLOCK,
  blockBytes: BYTES,
  halves: 2,
  scaleBytes: SUPER_BLOCK_SCALES,
  errorBound: 0.12,
  ...superBlocks({
    bytes: BYTES,
    plain: { levels: 15, first: -1, step: fround(0.1), steps: 20 },
    weighted: {
      levels: 15,
      first: fround(-0.9),
      step: fround(0.05),
      steps: 36,
    },
    packCodes,
    unpackCodes,
  }),
  quantizeKernel: { name: "q4_k_quantize", js: leaveToReference },
  weightedKernel: { name: "q4_k_weigh", js: leaveToReference },
  dequantizeKernel: { name: "q4_k_dequantize", js: leaveToReference },
});
