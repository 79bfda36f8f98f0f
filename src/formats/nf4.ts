/**
 * `nf4`: bitsandbytes' NF4, as QLoRA has it: 16 quantiles of a normal
 * distribution times the largest magnitude of a block.
 *
 * Parts, options and arithmetic: model/bitsandbytes.ts, schemes/codebook.ts.
 *
 * @module
 */
import {
  type BitsandbytesFormat,
  bitsandbytesFormat,
} from "../model/bitsandbytes.ts";
import { NF4 } from "../schemes/grids.ts";

/** The format `nf4`; see the head of this file. */
export const nf4: BitsandbytesFormat<"nf4"> = bitsandbytesFormat({
  name: "nf4",
  summary:
    "bitsandbytes NF4: quantiles of a normal distribution, flat blocks with float32 or 8-bit scales",
  grid: NF4,
  // Half the widest gap, that between −1 and its neighbour.
  errorBound: 0.152,
});
