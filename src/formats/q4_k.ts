/**
 * `q4_k`: 256 values in eight groups of 32; each group has a 6-bit scale and a
 * 6-bit offset, all share a scale for either.
 *
 * ```text
 * byte   0 1 │ 2 3  │ 4 … 15 │ 16 … 143
 *        d   │ dmin │ s, m   │ codes, 32 bytes for groups 2p and 2p+1: byte k holds
 *        f16 │ f16  │ 6-bit  │ value k of the one (low nibble) and of the other (high)
 * byte 4+g   (g < 4): s[g]   | (s[g+4] >> 4) << 6
 * byte 8+g   (g < 4): m[g]   | (m[g+4] >> 4) << 6
 * byte 12+g  (g < 4): s[g+4] & 15 | (m[g+4] & 15) << 4
 * value = d · s · code − dmin · m
 * ```
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `quantize_row_q4_K_ref`,
 * `quantize_row_q4_K_impl` (importance), `dequantize_row_q4_K`.
 *
 * @module
 */

import { type AffineSearch, searchAffine } from "../families/affine_search.ts";
import { type BlockFormat, blockFormat } from "../families/blocks.ts";
import { importanceWeights, sumOfSquares } from "../families/importance.ts";
import { searchUnsigned } from "../families/scale_search.ts";
import { leaveToReference } from "../kernels/js/again.ts";
import { packHalves, unpackHalves } from "../nibbles/halves.ts";
import { nearestInt } from "../numeric/c_casts.ts";
import { clamp } from "../numeric/rounding.ts";
import { loadF16, storeF16 } from "../numeric/f16_bytes.ts";

const { abs, fround, max, min, sqrt } = Math;

const VALUES = 256;
const GROUP = 32;
const GROUPS = VALUES / GROUP;
const BYTES = 144;
const CODES_AT = 16;
/** The largest 6-bit scale. */
const SIX_BITS = 63;

const PLAIN: AffineSearch = {
  levels: 15,
  first: -1,
  step: fround(0.1),
  steps: 20,
};
const WEIGHTED: AffineSearch = {
  levels: 15,
  first: fround(-0.9),
  step: fround(0.05),
  steps: 36,
};

const codes = new Uint8Array(VALUES);
const weights = new Float32Array(GROUP);
const scales = new Float32Array(GROUPS);
const offsets = new Float32Array(GROUPS);
const weightSums = new Float32Array(GROUPS);
const s = new Uint8Array(GROUPS);
const m = new Uint8Array(GROUPS);

function fitGroup(
  search: AffineSearch,
  values: Float32Array,
  at: number,
  g: number,
): void {
  const from = g * GROUP;
  const { scale, offset } = searchAffine(
    search,
    values,
    at + from,
    GROUP,
    weights,
    0,
    codes,
    from,
  );
  scales[g] = scale;
  offsets[g] = offset;
}

/** Weights without importance: root mean square plus magnitude. */
function plainWeights(values: Float32Array, at: number): void {
  const average = fround(sqrt(fround(sumOfSquares(values, at, GROUP) / GROUP)));
  for (let j = 0; j < GROUP; j++) weights[j] = average + abs(values[at + j]);
}

/** 6-bit multiples of a common step, the largest at 63. Returns the step. */
function commonStep(from: Float32Array, to: Uint8Array): number {
  const largest = from.reduce((a, b) => max(a, b), 0);
  const inverse = largest > 0 ? fround(SIX_BITS / largest) : 0;
  for (let g = 0; g < GROUPS; g++) {
    to[g] = min(SIX_BITS, nearestInt(fround(inverse * from[g])) & 255);
  }
  return fround(largest / SIX_BITS);
}

function packScales(out: Uint8Array, at: number): void {
  for (let g = 0; g < 4; g++) {
    out[at + g] = s[g] | ((s[g + 4] >> 4) << 6);
    out[at + 4 + g] = m[g] | ((m[g + 4] >> 4) << 6);
    out[at + 8 + g] = (s[g + 4] & 15) | ((m[g + 4] & 15) << 4);
  }
}

function unpackScales(blocks: Uint8Array, at: number): void {
  for (let g = 0; g < 4; g++) {
    s[g] = blocks[at + g] & 63;
    m[g] = blocks[at + 4 + g] & 63;
    s[g + 4] = (blocks[at + 8 + g] & 15) | ((blocks[at + g] >> 6) << 4);
    m[g + 4] = (blocks[at + 8 + g] >> 4) | ((blocks[at + 4 + g] >> 6) << 4);
  }
}

/** Writes the block: with the scales as stored, the codes are rounded anew. */
function writeBlock(
  values: Float32Array,
  at: number,
  d: number,
  dmin: number,
  out: Uint8Array,
  outAt: number,
): void {
  storeF16(d, out, outAt);
  storeF16(dmin, out, outAt + 2);
  packScales(out, outAt + 4);
  const storedD = loadF16(out, outAt);
  const storedMin = loadF16(out, outAt + 2);
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(storedD * s[g]);
    if (scale === 0) continue; // the codes of the search stay
    const offset = fround(storedMin * m[g]);
    for (let j = g * GROUP; j < (g + 1) * GROUP; j++) {
      codes[j] = clamp(
        nearestInt(fround(fround(values[at + j] + offset) / scale)),
        0,
        15,
      );
    }
  }
  for (let p = 0; p < VALUES; p += 64) {
    packHalves(codes, p, 64, out, outAt + CODES_AT + p / 2);
  }
}

function encode(
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    plainWeights(values, at + g * GROUP);
    fitGroup(PLAIN, values, at, g);
  }
  writeBlock(
    values,
    at,
    commonStep(scales, s),
    commonStep(offsets, m),
    out,
    outAt,
  );
}

function encodeWeighted(
  row: Float32Array,
  importance: Float32Array,
  out: Uint8Array,
): void {
  for (let at = 0, outAt = 0; at < row.length; at += VALUES, outAt += BYTES) {
    const sigma2 = fround(fround(2 * sumOfSquares(row, at, VALUES)) / VALUES);
    for (let g = 0; g < GROUPS; g++) {
      const from = at + g * GROUP;
      importanceWeights(row, from, GROUP, sigma2, importance, from, weights);
      weightSums[g] = weights.reduce((sum, weight) => fround(sum + weight), 0);
      fitGroup(WEIGHTED, row, at, g);
    }
    const d = searchUnsigned(scales, weightSums, SIX_BITS, s);
    const dmin = searchUnsigned(offsets, weightSums, SIX_BITS, m);
    writeBlock(row, at, d, dmin, out, outAt);
  }
}

function decode(
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  const d = loadF16(blocks, at);
  const dmin = loadF16(blocks, at + 2);
  unpackScales(blocks, at + 4);
  for (let p = 0; p < VALUES; p += 64) {
    unpackHalves(blocks, at + CODES_AT + p / 2, 64, codes, p);
  }
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(d * s[g]);
    const offset = fround(dmin * m[g]);
    for (let j = g * GROUP; j < (g + 1) * GROUP; j++) {
      out[outAt + j] = fround(scale * codes[j]) - offset;
    }
  }
}

/** ggml's `Q4_K`: 256 values, a 6-bit scale and offset for every 32, two float16 scales for all. */
export const q4_k: BlockFormat<"q4_k"> = blockFormat({
  name: "q4_k",
  summary: "ggml Q4_K: super-blocks of 256, 6-bit scales and offsets for 32",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  blockSize: VALUES,
  blockBytes: BYTES,
  halves: 2,
  scaleBytes: CODES_AT,
  errorBound: 0.12,
  encode,
  encodeWeighted,
  decode,
  quantizeKernel: { name: "q4_k_quantize", js: leaveToReference },
  weightedKernel: { name: "q4_k_weigh", js: leaveToReference },
  dequantizeKernel: { name: "q4_k_dequantize", js: leaveToReference },
});
