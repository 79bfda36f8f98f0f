/**
 * Grids: what the codes stand for. A code is an index into its grid.
 *
 * @module
 */
import { FP4_VALUES, IQ4_VALUES, NF4_VALUES } from "../numeric/codebooks.ts";
import type { Grid } from "../words/scheme.ts";

function gridOf(name: string, values: Iterable<number>): Grid {
  return { name, values: [...values] };
}

function withBothSigns(magnitudes: readonly number[]): number[] {
  return [...magnitudes, ...magnitudes.map((x) => -x)];
}

function withOneZero({ name, values }: Grid): Grid {
  return { name, values: values.map((x) => x + 0) };
}

/** Codes of so many bits that stand for themselves. */
export function uint(bits: number): Grid {
  return {
    name: `uint${bits}`,
    values: Array.from({ length: 1 << bits }, (_, code) => code),
  };
}

/** 0 … 15. Signed formats store code − 8; their zero point is 8. */
export const UINT4: Grid = /* @__PURE__ */ uint(4);

/** 4-bit floats with two exponent bits; code 8 is −0. */
export const E2M1: Grid = {
  name: "e2m1",
  values: /* @__PURE__ */ withBothSigns([0, 0.5, 1, 1.5, 2, 3, 4, 6]),
};

/** The same for libraries that read code 8 as +0: all other codes move between the two. */
export const E2M1_PLUS_ZERO: Grid = /* @__PURE__ */ withOneZero(E2M1);

/** The non-linear grid of ggml's IQ4 formats. */
export const IQ4: Grid = /* @__PURE__ */ gridOf("iq4", IQ4_VALUES);

/** The grid of bitsandbytes' FP4. */
export const FP4: Grid = /* @__PURE__ */ gridOf("fp4", FP4_VALUES);

/** The grid of bitsandbytes' NF4. */
export const NF4: Grid = /* @__PURE__ */ gridOf("nf4", NF4_VALUES);

/** The codebook of NNCF's CB4, whose values are E4M3. */
export const CB4: Grid = {
  name: "cb4",
  // deno-fmt-ignore
  values: [
    -3.5, -2.5, -1.875, -1.375, -1, -0.625, -0.3125, 0,
    0.28125, 0.5625, 0.875, 1.125, 1.5, 2, 2.5, 3.5,
  ],
};
