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

import { F16_ALONE } from "../layouts/codecs.ts";
import { bitsAt, fieldAt } from "../layouts/items.ts";
import { lowFirst } from "../layouts/orders.ts";
import {
  type BlockFormat,
  blockFormat,
  type BlockTile,
} from "../model/block_format.ts";
import { truncateToInt8 } from "../numeric/c_casts.ts";
import { signedMax } from "../schemes/ggml_scale_search.ts";
import { uint } from "../schemes/grids.ts";
import { ggmlKernel } from "./kernels.ts";
import { ofOtherWidth } from "./other_widths.ts";

const { abs, fround, trunc } = Math;

const VALUES = 32;
/** Half the number of codes: code 128 is zero, and stored as 0. */
const ZERO = 128;

/** Rounds half away from zero, as C's `roundf`. */
function roundHalfAway(x: number): number {
  const whole = trunc(x);
  return abs(x - whole) < 0.5 ? whole : whole + (x < 0 ? -1 : 1);
}

function encode(
  values: Float32Array,
  at: number,
  { codes, fields }: BlockTile,
  block: number,
): void {
  const d = fround(abs(signedMax(values, at, VALUES)) / 127);
  const id = d === 0 ? 0 : fround(1 / d);
  fields.scale[block] = d;
  for (let j = at; j < at + VALUES; j++) {
    const steps = fround(values[j] * id);
    codes[j] = truncateToInt8(roundHalfAway(steps)) + ZERO;
  }
}

function decode(
  { codes, fields }: BlockTile,
  at: number,
  out: Float32Array,
  block: number,
): void {
  const d = fields.scale[block];
  for (let j = at; j < at + VALUES; j++) out[j] = (codes[j] - ZERO) * d;
}

/** ggml's `Q8_0`: 32 values share a float16 scale; codes of eight bits. */
export const q8_0: BlockFormat<"q8_0"> = blockFormat({
  name: "q8_0",
  summary: "ggml Q8_0: blocks of 32, float16 scale, codes of eight bits",
  source: "ggml-org/ggml@d99724f src/ggml-quants.c",
  values: VALUES,
  bytes: 34,
  record: [
    fieldAt("scale", 0, F16_ALONE),
    { ...bitsAt(2, 8, lowFirst(VALUES)), flip: ZERO },
  ],
  grid: uint(8),
  form: "s·(c − z)",
  constants: { zero: ZERO },
  groupedBy: "scale",
  errorBound: 0.0045,
  encode,
  decode,
  ...ofOtherWidth(8),
  quantizeKernel: ggmlKernel("q8_0_quantize"),
  dequantizeKernel: ggmlKernel("q8_0_dequantize"),
});
