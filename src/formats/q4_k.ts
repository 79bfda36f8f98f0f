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

import { F16 } from "../layouts/codecs.ts";
import { codesAt, fieldAt } from "../layouts/items.ts";
import { halves } from "../layouts/orders.ts";
import {
  type BlockFormat,
  blockFormat,
  type BlockTile,
} from "../model/block_format.ts";
import { nearestInt } from "../numeric/c_casts.ts";
import { roundTo } from "../numeric/compute.ts";
import { clamp } from "../numeric/rounding.ts";
import {
  type AffineSearch,
  searchAffine,
} from "../schemes/ggml_affine_search.ts";
import { importanceWeights, sumOfSquares } from "../schemes/ggml_importance.ts";
import { searchUnsigned } from "../schemes/ggml_scale_search.ts";
import { UINT4 } from "../schemes/grids.ts";
import { pairsPlan } from "../schemes/super_block.ts";
import type { Codec } from "../words/layout.ts";

const { abs, fround, max, min, sqrt } = Math;

const VALUES = 256;
const GROUP = 32;
const GROUPS = VALUES / GROUP;
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

const weights = new Float32Array(GROUP);
const scales = new Float32Array(GROUPS);
const offsets = new Float32Array(GROUPS);
const weightSums = new Float32Array(GROUPS);
const s = new Uint8Array(GROUPS);
const m = new Uint8Array(GROUPS);

/** Eight 6-bit scales, then eight 6-bit offsets, packed as drawn above. */
const STEPS: Codec = {
  bytes: 12,
  areas: { rows: 1, columns: 1 },
  length: 2 * GROUPS,
  load(bytes, at, to): void {
    for (let g = 0; g < 4; g++) {
      const scale = bytes[at + g], offset = bytes[at + 4 + g];
      const high = bytes[at + 8 + g];
      to[g] = scale & 63;
      to[GROUPS + g] = offset & 63;
      to[g + 4] = (high & 15) | ((scale >> 6) << 4);
      to[GROUPS + g + 4] = (high >> 4) | ((offset >> 6) << 4);
    }
  },
  store(from, bytes, at): void {
    for (let g = 0; g < 4; g++) {
      const scale = from[g + 4], offset = from[GROUPS + g + 4];
      bytes[at + g] = from[g] | ((scale >> 4) << 6);
      bytes[at + 4 + g] = from[GROUPS + g] | ((offset >> 4) << 6);
      bytes[at + 8 + g] = (scale & 15) | ((offset & 15) << 4);
    }
  },
};

function fitGroup(
  search: AffineSearch,
  values: Float32Array,
  at: number,
  g: number,
  codes: Uint8Array,
): void {
  const from = at + g * GROUP;
  const { scale, offset } = searchAffine(
    search,
    values,
    from,
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

/** Fills the block: with the scales as stored, the codes are rounded anew. */
function fillBlock(
  values: Float32Array,
  at: number,
  d: number,
  dmin: number,
  { codes, fields }: BlockTile,
  block: number,
): void {
  const storedD = roundTo("F16")(d);
  const storedMin = roundTo("F16")(dmin);
  fields.scale[block] = storedD;
  fields.offset[block] = storedMin;
  fields.steps.set(s, block * 2 * GROUPS);
  fields.steps.set(m, block * 2 * GROUPS + GROUPS);
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(storedD * s[g]);
    if (scale === 0) continue; // the codes of the search stay
    const offset = fround(storedMin * m[g]);
    for (let j = at + g * GROUP; j < at + (g + 1) * GROUP; j++) {
      codes[j] = clamp(
        nearestInt(fround(fround(values[j] + offset) / scale)),
        0,
        15,
      );
    }
  }
}

function encode(
  values: Float32Array,
  at: number,
  tile: BlockTile,
  block: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    plainWeights(values, at + g * GROUP);
    fitGroup(PLAIN, values, at, g, tile.codes);
  }
  const d = commonStep(scales, s), dmin = commonStep(offsets, m);
  fillBlock(values, at, d, dmin, tile, block);
}

function encodeWeighted(
  values: Float32Array,
  first: number,
  importance: Float32Array,
  tile: BlockTile,
  block: number,
): void {
  for (let column = 0; column < importance.length; column += VALUES, block++) {
    const at = first + column;
    const sigma2 = fround(
      fround(2 * sumOfSquares(values, at, VALUES)) / VALUES,
    );
    for (let g = 0; g < GROUPS; g++) {
      const from = g * GROUP;
      importanceWeights(
        values,
        at + from,
        GROUP,
        sigma2,
        importance,
        column + from,
        weights,
      );
      weightSums[g] = weights.reduce((sum, weight) => fround(sum + weight), 0);
      fitGroup(WEIGHTED, values, at, g, tile.codes);
    }
    const d = searchUnsigned(scales, weightSums, SIX_BITS, s);
    const dmin = searchUnsigned(offsets, weightSums, SIX_BITS, m);
    fillBlock(values, at, d, dmin, tile, block);
  }
}

function decode(
  { codes, fields }: BlockTile,
  at: number,
  out: Float32Array,
  block: number,
): void {
  const steps = block * 2 * GROUPS;
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(fields.scale[block] * fields.steps[steps + g]);
    const offset = fround(
      fields.offset[block] * fields.steps[steps + GROUPS + g],
    );
    for (let j = at + g * GROUP; j < at + (g + 1) * GROUP; j++) {
      out[j] = fround(scale * codes[j]) - offset;
    }
  }
}

/** ggml's `Q4_K`: 256 values, a 6-bit scale and offset for every 32, two float16 scales for all. */
export const q4_k: BlockFormat<"q4_k"> = blockFormat({
  name: "q4_k",
  summary: "ggml Q4_K: super-blocks of 256, 6-bit scales and offsets for 32",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: VALUES,
  bytes: 144,
  record: [
    fieldAt("scale", 0, F16),
    fieldAt("offset", 2, F16),
    fieldAt("steps", 4, STEPS),
    codesAt(16, halves(VALUES, 2 * GROUP)),
  ],
  grid: UINT4,
  form: "other",
  groupedBy: "scale",
  errorBound: 0.12,
  encode,
  encodeWeighted,
  decode,
  search: pairsPlan(GROUP),
  quantizeKernel: { name: "q4_k_quantize" },
  weightedKernel: { name: "q4_k_weigh" },
  dequantizeKernel: { name: "q4_k_dequantize" },
});
