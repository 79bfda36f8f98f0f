/**
 * `q8_0`: 32 values, one scale.
 *
 * ```text
 * byte   0 1 │ 2 … 33
 *        d   │ codes, signed bytes
 *        f16 │
 * value = code · d
 * ```
 *
 * Importance changes nothing: ggml takes it and does without.
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q8_0_ref`,
 * `dequantize_row_q8_0`.
 *
 * @module
 */

import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import { signedMax } from "../families/scale_search.ts";
import { truncateToInt8 } from "../numeric/c_casts.ts";
import { loadF16, storeF16 } from "../numeric/f16_bytes.ts";
import { signedByte } from "./decoders.ts";
import { ggmlKernel } from "./kernels.ts";

const { abs, fround, trunc } = Math;

const VALUES = 32;
const BYTES = 34;

/** Rounds half away from zero, as C's `roundf`. */
function roundHalfAway(x: number): number {
  const whole = trunc(x);
  return abs(x - whole) < 0.5 ? whole : whole + (x < 0 ? -1 : 1);
}

function encode(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  const d = fround(abs(signedMax(values, at, VALUES)) / 127);
  const id = d === 0 ? 0 : fround(1 / d);
  storeF16(d, out, outAt);
  for (let j = 0; j < VALUES; j++) {
    const steps = fround(values[at + j] * id);
    out[outAt + 2 + j] = truncateToInt8(roundHalfAway(steps));
  }
}

function decode(
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  const d = loadF16(blocks, at);
  for (let j = 0; j < VALUES; j++) {
    out[outAt + j] = signedByte(blocks[at + 2 + j]) * d;
  }
}

/** ggml's `Q8_0`: 32 values share a float16 scale; codes of eight bits. */
export const q8_0: BlockFormat<"q8_0"> = blockFormat({
  name: "q8_0",
  summary: "ggml Q8_0: blocks of 32, float16 scale, codes of eight bits",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: VALUES,
  blockBytes: BYTES,
  halves: 1,
  scaleBytes: 2,
  codeBits: 8,
  errorBound: 0.0045,
  encode,
  decode,
  quantizeKernel: ggmlKernel("q8_0_quantize"),
  dequantizeKernel: ggmlKernel("q8_0_dequantize"),
});
