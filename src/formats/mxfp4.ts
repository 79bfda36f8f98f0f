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

import { E2M1_KERNELS } from "../kernels/modules.ts";
import { U8 } from "../layouts/codecs.ts";
import { codesAt, fieldAt } from "../layouts/items.ts";
import { halves } from "../layouts/orders.ts";
import {
  type BlockFormat,
  blockFormat,
  type BlockTile,
} from "../model/block_format.ts";
import { E2M1_DOUBLED, nearestE2M1 } from "../numeric/e2m1.ts";
import { decodeE8M0, decodeE8M0Half, encodeE8M0 } from "../numeric/e8m0.ts";
import { signedMax } from "../schemes/ggml_scale_search.ts";
import { E2M1_PLUS_ZERO } from "../schemes/grids.ts";
import { seekScale } from "../schemes/sought.ts";

const VALUES = 32;

function encode(
  values: Float32Array,
  at: number,
  { codes, fields }: BlockTile,
  block: number,
): void {
  const exponent = encodeE8M0(Math.abs(signedMax(values, at, VALUES)));
  const d = decodeE8M0Half(exponent);
  fields.exponent[block] = exponent;
  for (let j = at; j < at + VALUES; j++) codes[j] = nearestE2M1(values[j], d);
}

function decode(
  { codes, fields }: BlockTile,
  at: number,
  out: Float32Array,
  block: number,
): void {
  const d = decodeE8M0Half(fields.exponent[block]);
  const end = at + VALUES;
  for (let j = at; j < end; j++) out[j] = E2M1_DOUBLED[codes[j]] * d;
}

/** ggml's `MXFP4`: 32 E2M1 values share an E8M0 scale. */
export const mxfp4: BlockFormat<"mxfp4"> = blockFormat({
  name: "mxfp4",
  summary: "ggml MXFP4: blocks of 32 E2M1 values, power-of-two scale",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: VALUES,
  bytes: 17,
  record: [fieldAt("exponent", 0, U8), codesAt(1, halves(VALUES, VALUES))],
  grid: E2M1_PLUS_ZERO,
  form: "s·g",
  groupedBy: "exponent",
  errorBound: 0.25,
  encode,
  decode,
  search: seekScale(E2M1_PLUS_ZERO.values, "exponent", {
    numbers: "E8M0",
    scaleOf: decodeE8M0,
    holds: "F32",
  }),
  quantizeKernel: { name: "mxfp4_quantize", module: E2M1_KERNELS },
  dequantizeKernel: { name: "mxfp4_dequantize", module: E2M1_KERNELS },
});
