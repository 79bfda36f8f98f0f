/**
 * `q5_k`: 256 values in eight groups of 32 with 6-bit scales and offsets, as in `q4_k`;
 * codes of five bits.
 *
 * ```text
 * byte   0 … 15 │ 16 … 47             │ 48 … 175
 *        scales │ highest bits: bit g │ lower bits, 32 bytes for groups 2p and 2p+1: byte k
 *               │ of byte k is that of│ holds value k of the one (low nibble) and of the
 *               │ value k of group g  │ other (high)
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q5_K_ref`,
 * `quantize_row_q5_K_impl` (importance), `dequantize_row_q5_K`.
 *
 * @module
 */

import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import {
  SUPER_BLOCK,
  SUPER_BLOCK_SCALES,
  superBlocks,
} from "../families/super_blocks.ts";
import { packHalves, unpackHalves } from "../nibbles/halves.ts";
import { ggmlKernel } from "./kernels.ts";

const { fround } = Math;

const BYTES = 176;
const GROUP = 32;
/** Groups 2p and 2p + 1 share bytes. */
const PAIR = 64;
const nibbles = new Uint8Array(PAIR);

function packCodes(codes: Uint8Array, out: Uint8Array, at: number): void {
  out.fill(0, at, at + GROUP);
  for (let j = 0; j < SUPER_BLOCK; j++) {
    const group = Math.floor(j / GROUP);
    out[at + j % GROUP] |= (codes[j] >> 4) << group;
  }
  for (let p = 0; p < SUPER_BLOCK; p += PAIR) {
    for (let j = 0; j < PAIR; j++) nibbles[j] = codes[p + j] & 15;
    packHalves(nibbles, 0, PAIR, out, at + GROUP + p / 2);
  }
}

function unpackCodes(blocks: Uint8Array, at: number, codes: Uint8Array): void {
  for (let p = 0; p < SUPER_BLOCK; p += PAIR) {
    unpackHalves(blocks, at + GROUP + p / 2, PAIR, codes, p);
  }
  for (let j = 0; j < SUPER_BLOCK; j++) {
    const group = Math.floor(j / GROUP);
    codes[j] |= ((blocks[at + j % GROUP] >> group) & 1) << 4;
  }
}

/** ggml's `Q5_K`: 256 values, a 6-bit scale and offset for every 32, two float16 scales for all. */
export const q5_k: BlockFormat<"q5_k"> = blockFormat({
  name: "q5_k",
  summary:
    "ggml Q5_K: super-blocks of 256, 6-bit scales and offsets for 32, codes of five bits",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: SUPER_BLOCK,
  blockBytes: BYTES,
  halves: 2,
  scaleBytes: SUPER_BLOCK_SCALES,
  codeBits: 5,
  errorBound: 0.08,
  ...superBlocks({
    bytes: BYTES,
    plain: { levels: 31, first: -0.5, step: fround(0.1), steps: 15 },
    weighted: {
      levels: 31,
      first: fround(-0.9),
      step: fround(0.05),
      steps: 36,
    },
    packCodes,
    unpackCodes,
  }),
  quantizeKernel: ggmlKernel("q5_k_quantize"),
  weightedKernel: ggmlKernel("q5_k_weigh"),
  dequantizeKernel: ggmlKernel("q5_k_dequantize"),
});
