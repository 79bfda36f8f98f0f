/**
 * `q6_k`: 256 values in sixteen groups of 16; each group has an 8-bit scale, all share one.
 *
 * ```text
 * byte   0 … 127    │ 128 … 191   │ 192 … 207 │ 208 209
 *        lower bits │ higher bits │ s, int8   │ d, f16
 * ```
 *
 * The bits lie in two halves of 128 values. In a half, l of 0 … 31: nibbles of byte l are
 * values l (low) and l + 64 (high), those of byte l + 32 values l + 32 and l + 96; the
 * pairs of bits of byte l above are values l, l + 32, l + 64 and l + 96, from the lowest.
 * `value = d · s · (code − 32)`
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q6_K_ref`,
 * `quantize_row_q6_K_impl` (importance), `dequantize_row_q6_K`.
 *
 * @module
 */

import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import { NEGLIGIBLE, searchSigned } from "../families/scale_search.ts";
import { nearestInt } from "../numeric/c_casts.ts";
import { loadF16, storeF16 } from "../numeric/f16_bytes.ts";
import { clamp } from "../numeric/rounding.ts";
import { signedByte } from "./decoders.ts";
import { ggmlKernel } from "./kernels.ts";

const { abs, fround, min } = Math;

const VALUES = 256;
const GROUP = 16;
const GROUPS = VALUES / GROUP;
const HALF = 128;
const QUARTER = 32;
const BYTES = 210;
const HIGH_AT = 128;
const SCALES_AT = 192;
const D_AT = 208;
/** Half the number of codes: code 32 is zero. */
const ZERO = 32;

const codes = new Uint8Array(VALUES);
const scales = new Float32Array(GROUPS);
const groupCodes = new Uint8Array(GROUP);
const squares = new Float32Array(VALUES);

function packCodes(out: Uint8Array, at: number): void {
  for (let half = 0; half < 2; half++) {
    const from = half * HALF;
    const low = at + half * 2 * QUARTER;
    const high = at + HIGH_AT + half * QUARTER;
    for (let l = 0; l < QUARTER; l++) {
      const a = codes[from + l];
      const b = codes[from + l + QUARTER];
      const c = codes[from + l + 2 * QUARTER];
      const d = codes[from + l + 3 * QUARTER];
      out[low + l] = (a & 15) | ((c & 15) << 4);
      out[low + l + QUARTER] = (b & 15) | ((d & 15) << 4);
      out[high + l] = (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) |
        ((d >> 4) << 6);
    }
  }
}

function unpackCodes(blocks: Uint8Array, at: number): void {
  for (let half = 0; half < 2; half++) {
    const to = half * HALF;
    const low = at + half * 2 * QUARTER;
    const high = at + HIGH_AT + half * QUARTER;
    for (let l = 0; l < QUARTER; l++) {
      const a = blocks[low + l], b = blocks[low + l + QUARTER];
      const h = blocks[high + l];
      codes[to + l] = (a & 15) | ((h & 3) << 4);
      codes[to + l + QUARTER] = (b & 15) | ((h << 2) & 48);
      codes[to + l + 2 * QUARTER] = (a >> 4) | (h & 48);
      codes[to + l + 3 * QUARTER] = (b >> 4) | ((h >> 2) & 48);
    }
  }
}

/** Finds the scale of each group. Returns the one of the largest magnitude, 0 where there is none. */
function searchScales(
  values: Float32Array,
  at: number,
  weights: Float32Array,
  weightsAt: number,
): number {
  let largest = 0;
  for (let g = 0; g < GROUPS; g++) {
    const from = g * GROUP;
    const scale = searchSigned(
      values.subarray(at + from, at + from + GROUP),
      weights.subarray(weightsAt + from, weightsAt + from + GROUP),
      0,
      GROUP,
      ZERO,
      groupCodes,
    );
    codes.set(groupCodes, from);
    scales[g] = scale;
    if (abs(scale) > abs(largest)) largest = scale;
  }
  return largest;
}

/** With the scales as stored, the codes are rounded anew. */
function roundAnew(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  const storedD = loadF16(out, outAt + D_AT);
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(
      storedD * signedByte(out[outAt + SCALES_AT + g]),
    );
    if (scale === 0) continue; // the codes of the search stay
    for (let j = g * GROUP; j < (g + 1) * GROUP; j++) {
      const code = nearestInt(fround(values[at + j] / scale));
      codes[j] = clamp(code, -ZERO, ZERO - 1) + ZERO;
    }
  }
}

function encodeBlock(
  values: Float32Array,
  at: number,
  weights: Float32Array,
  weightsAt: number,
  out: Uint8Array,
  outAt: number,
): void {
  const largest = searchScales(values, at, weights, weightsAt);
  if (abs(largest) < NEGLIGIBLE) {
    out.fill(0, outAt, outAt + BYTES);
    return;
  }
  const inverse = fround(-128 / largest);
  storeF16(fround(1 / inverse), out, outAt + D_AT);
  for (let g = 0; g < GROUPS; g++) {
    out[outAt + SCALES_AT + g] = min(
      127,
      nearestInt(fround(inverse * scales[g])),
    );
  }
  roundAnew(values, at, out, outAt);
  packCodes(out, outAt);
}

/** Without importance a value weighs as much as its square. */
function encode(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  for (let j = 0; j < VALUES; j++) squares[j] = values[at + j] * values[at + j];
  encodeBlock(values, at, squares, 0, out, outAt);
}

/** With importance, as much as its column: here ggml leaves the values out of it. */
function encodeWeighted(
  row: Float32Array,
  importance: Float32Array,
  out: Uint8Array,
): void {
  for (let at = 0, outAt = 0; at < row.length; at += VALUES, outAt += BYTES) {
    encodeBlock(row, at, importance, at, out, outAt);
  }
}

function decode(
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  const d = loadF16(blocks, at + D_AT);
  unpackCodes(blocks, at);
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(d * signedByte(blocks[at + SCALES_AT + g]));
    for (let j = g * GROUP; j < (g + 1) * GROUP; j++) {
      out[outAt + j] = scale * (codes[j] - ZERO);
    }
  }
}

/** ggml's `Q6_K`: 256 values, an 8-bit scale for every 16, a float16 scale for all. */
export const q6_k: BlockFormat<"q6_k"> = blockFormat({
  name: "q6_k",
  summary:
    "ggml Q6_K: super-blocks of 256, 8-bit scales for 16, codes of six bits",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: VALUES,
  blockBytes: BYTES,
  halves: 1,
  halvesAt: D_AT,
  scaleBytes: GROUPS + 2,
  codeBits: 6,
  errorBound: 0.02,
  encode,
  encodeWeighted,
  decode,
  quantizeKernel: ggmlKernel("q6_k_quantize"),
  weightedKernel: ggmlKernel("q6_k_weigh"),
  dequantizeKernel: ggmlKernel("q6_k_dequantize"),
});
