/**
 * `mxfp4` in ggml's layout: 32 E2M1 values, one power of two as scale.
 *
 * ```text
 * byte   0    │ 1 … 16
 *        e    │ codes: byte 1+k holds value k (low nibble) and value k+16 (high)
 *        E8M0 │
 * value = E2M1[code] · 2^(e − 127), code 8 being +0
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_mxfp4_ref`,
 * `dequantize_row_mxfp4`.
 *
 * @module
 */

import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import { signedMax } from "../families/scale_search.ts";
import { leaveToReference } from "../kernels/js/again.ts";
import { packHalves, unpackHalves } from "../nibbles/halves.ts";
import { E2M1_DOUBLED, nearestE2M1 } from "../numeric/e2m1.ts";
import { decodeE8M0Half, encodeE8M0 } from "../numeric/e8m0.ts";

const { abs } = Math;

const VALUES = 32;
const BYTES = 17;
const codes = new Uint8Array(VALUES);

function encode(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  const e = encodeE8M0(abs(signedMax(values, at, VALUES)));
  const d = decodeE8M0Half(e);
  out[outAt] = e;
  for (let j = 0; j < VALUES; j++) codes[j] = nearestE2M1(values[at + j], d);
  packHalves(codes, 0, VALUES, out, outAt + 1);
}

function decode(
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  const d = decodeE8M0Half(blocks[at]);
  unpackHalves(blocks, at + 1, VALUES, codes, 0);
  for (let j = 0; j < VALUES; j++) out[outAt + j] = E2M1_DOUBLED[codes[j]] * d;
}

/** ggml's `MXFP4`: 32 E2M1 values share an E8M0 scale. */
export const mxfp4: BlockFormat<"mxfp4"> = blockFormat({
  name: "mxfp4",
  summary: "ggml MXFP4: blocks of 32 E2M1 values, power-of-two scale",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: VALUES,
  blockBytes: BYTES,
  halves: 0,
  scaleBytes: 1,
  errorBound: 0.25,
  encode,
  decode,
  quantizeKernel: { name: "mxfp4_quantize", js: leaveToReference },
  dequantizeKernel: { name: "mxfp4_dequantize", js: leaveToReference },
});
