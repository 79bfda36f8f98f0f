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

import { IQ4_KERNELS } from "../kernels/modules.ts";
import { F16_ALONE } from "../layouts/codecs.ts";
import { codesAt, fieldAt } from "../layouts/items.ts";
import { halves } from "../layouts/orders.ts";
import {
  type BlockFormat,
  blockFormat,
  type BlockTile,
} from "../model/block_format.ts";
import { importanceWeights, sumOfSquares } from "../schemes/ggml_importance.ts";
import {
  decodeIq4,
  encodeIq4,
  IQ4_GROUP,
  searchIq4Scale,
  squares,
} from "../schemes/ggml_iq4.ts";
import { IQ4 } from "../schemes/grids.ts";
import { seekScale } from "../schemes/sought.ts";

const { fround } = Math;

const weights = new Float32Array(IQ4_GROUP);

/** Searches the scale by the weights, which are set. */
function encodeGroup(
  values: Float32Array,
  at: number,
  { codes, fields }: BlockTile,
  block: number,
): void {
  const d = searchIq4Scale(values, at, weights);
  fields.scale[block] = d;
  encodeIq4(values, at, d, codes);
}

function encode(
  values: Float32Array,
  at: number,
  tile: BlockTile,
  block: number,
): void {
  squares(values, at, weights);
  encodeGroup(values, at, tile, block);
}

function encodeWeighted(
  values: Float32Array,
  first: number,
  importance: Float32Array,
  tile: BlockTile,
  block: number,
): void {
  for (let column = 0; column < importance.length; column += IQ4_GROUP) {
    const at = first + column;
    const sigma2 = fround(
      sumOfSquares(values, at, IQ4_GROUP) * (2 / IQ4_GROUP),
    );
    importanceWeights(
      values,
      at,
      IQ4_GROUP,
      sigma2,
      importance,
      column,
      weights,
    );
    encodeGroup(values, at, tile, block++);
  }
}

function decode(
  { codes, fields }: BlockTile,
  at: number,
  out: Float32Array,
  block: number,
): void {
  decodeIq4(codes, at, fields.scale[block], out);
}

/** ggml's `IQ4_NL`: 32 values on a non-linear grid share a float16 scale. */
export const iq4_nl: BlockFormat<"iq4_nl"> = blockFormat({
  name: "iq4_nl",
  summary:
    "ggml IQ4_NL: blocks of 32 on a non-linear grid, float16 scale by search",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: IQ4_GROUP,
  bytes: 18,
  record: [
    fieldAt("scale", 0, F16_ALONE),
    codesAt(2, halves(IQ4_GROUP, IQ4_GROUP)),
  ],
  grid: IQ4,
  form: "s·g",
  groupedBy: "scale",
  errorBound: 0.2,
  encode,
  encodeWeighted,
  decode,
  search: seekScale(IQ4.values, "scale", { dtype: "F16", signed: true }),
  quantizeKernel: { name: "iq4_nl_quantize", module: IQ4_KERNELS },
  weightedKernel: { name: "iq4_nl_weigh", module: IQ4_KERNELS },
  dequantizeKernel: { name: "iq4_nl_dequantize", module: IQ4_KERNELS },
});
