/**
 * `fp4`: bitsandbytes' FP4: a sign and eight magnitudes times the largest magnitude
 * of a block.
 *
 * Codes are those of the CUDA kernels: the magnitude of a value over its scale is
 * compared with their seven thresholds, a few ulp beside the midpoints, and code 8,
 * which is +0, belongs to small negative values. The kernels for CPUs part at the
 * midpoints, ties going to the lower value, and give code 8 to small positive values.
 *
 * Parts, options and arithmetic: model/bitsandbytes.ts, schemes/codebook.ts.
 *
 * @module
 */
import {
  type BitsandbytesFormat,
  bitsandbytesFormat,
} from "../model/bitsandbytes.ts";
import { FP4_CODEBOOK } from "../schemes/codebook.ts";
import { FP4 } from "../schemes/grids.ts";

/** The format `fp4`; see the head of this file. */
export const fp4: BitsandbytesFormat<"fp4"> = bitsandbytesFormat({
  name: "fp4",
  summary:
    "bitsandbytes FP4: a sign and eight magnitudes, flat blocks with float32 or 8-bit scales",
  grid: FP4,
  codebook: FP4_CODEBOOK,
  // Half the gap between 2 / 3 and 1, and what a threshold is off.
  errorBound: 0.1667,
});
