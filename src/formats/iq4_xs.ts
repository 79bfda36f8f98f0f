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

import { IQ4_KERNELS } from "../kernels/modules.ts";
import { F16_ALONE } from "../layouts/codecs.ts";
import { codesAt, fieldAt } from "../layouts/items.ts";
import { halves } from "../layouts/orders.ts";
import {
  type BlockFormat,
  blockFormat,
  type BlockTile,
} from "../model/block_format.ts";
import { nearestInt } from "../numeric/c_casts.ts";
import { clamp } from "../numeric/rounding.ts";
import { importanceWeights, sumOfSquares } from "../schemes/ggml_importance.ts";
import {
  decodeIq4,
  encodeIq4,
  IQ4_GROUP,
  searchIq4Scale,
  squares,
} from "../schemes/ggml_iq4.ts";
import { signedMax } from "../schemes/ggml_scale_search.ts";
import { IQ4 } from "../schemes/grids.ts";
import { seekMultiples } from "../schemes/sought.ts";
import type { Codec } from "../words/layout.ts";

const { fround } = Math;

const VALUES = 256;
const GROUPS = VALUES / IQ4_GROUP;
const weights = new Float32Array(IQ4_GROUP);
const scales = new Float32Array(GROUPS);

/** Eight whole numbers of −32 … 31: two high bits each, then four low bits each. */
const STEPS: Codec = {
  bytes: 6,
  areas: { rows: 1, columns: 1 },
  length: GROUPS,
  load(bytes, at, to): void {
    for (let g = 0; g < GROUPS; g++) {
      const high = (bytes[at + (g >> 2)] >> (2 * (g & 3))) & 3;
      const low = (bytes[at + 2 + (g >> 1)] >> (4 * (g & 1))) & 15;
      to[g] = (high << 4 | low) - 32;
    }
  },
  store(from, bytes, at): void {
    bytes.fill(0, at, at + 6);
    for (let g = 0; g < GROUPS; g++) {
      const step = from[g] + 32;
      bytes[at + (g >> 2)] |= (step >> 4) << (2 * (g & 3));
      bytes[at + 2 + (g >> 1)] |= (step & 15) << (4 * (g & 1));
    }
  },
};

/** From the scales of the groups to the block. */
function encodeBlock(
  values: Float32Array,
  at: number,
  { codes, fields }: BlockTile,
  block: number,
): void {
  const d = fround(-signedMax(scales, 0, GROUPS) / 32);
  const id = d === 0 ? 0 : fround(1 / d);
  fields.scale[block] = d;
  for (let g = 0; g < GROUPS; g++) {
    const step = clamp(nearestInt(fround(id * scales[g])), -32, 31);
    fields.steps[block * GROUPS + g] = step;
    encodeIq4(values, at + g * IQ4_GROUP, fround(d * step), codes);
  }
}

function encode(
  values: Float32Array,
  at: number,
  tile: BlockTile,
  block: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    squares(values, at + g * IQ4_GROUP, weights);
    scales[g] = searchIq4Scale(values, at + g * IQ4_GROUP, weights);
  }
  encodeBlock(values, at, tile, block);
}

function encodeWeighted(
  values: Float32Array,
  first: number,
  importance: Float32Array,
  tile: BlockTile,
  block: number,
): void {
  for (let column = 0; column < importance.length; column += VALUES) {
    const at = first + column;
    const sigma2 = fround(sumOfSquares(values, at, VALUES) * (2 / VALUES));
    for (let g = 0; g < GROUPS; g++) {
      const from = g * IQ4_GROUP;
      importanceWeights(
        values,
        at + from,
        IQ4_GROUP,
        sigma2,
        importance,
        column + from,
        weights,
      );
      scales[g] = searchIq4Scale(values, at + from, weights);
    }
    encodeBlock(values, at, tile, block++);
  }
}

function decode(
  { codes, fields }: BlockTile,
  at: number,
  out: Float32Array,
  block: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    const step = fields.steps[block * GROUPS + g];
    const scale = fround(fields.scale[block] * step);
    decodeIq4(codes, at + g * IQ4_GROUP, scale, out);
  }
}

/** ggml's `IQ4_XS`: 256 values on a non-linear grid, a 6-bit scale for every 32, a float16 scale for all. */
export const iq4_xs: BlockFormat<"iq4_xs"> = blockFormat({
  name: "iq4_xs",
  summary:
    "ggml IQ4_XS: super-blocks of 256 on a non-linear grid, 6-bit scales for 32",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: VALUES,
  bytes: 136,
  record: [
    fieldAt("scale", 0, F16_ALONE),
    fieldAt("steps", 2, STEPS),
    codesAt(8, halves(VALUES, IQ4_GROUP)),
  ],
  grid: IQ4,
  form: "other",
  groupedBy: "scale",
  errorBound: 0.2,
  encode,
  encodeWeighted,
  decode,
  search: seekMultiples({
    levels: IQ4.values,
    size: IQ4_GROUP,
    least: -32,
    most: 31,
  }),
  quantizeKernel: { name: "iq4_xs_quantize", module: IQ4_KERNELS },
  weightedKernel: { name: "iq4_xs_weigh", module: IQ4_KERNELS },
  dequantizeKernel: { name: "iq4_xs_dequantize", module: IQ4_KERNELS },
});
