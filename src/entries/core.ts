/**
 * The library without its registry: a bundle keeps the formats that are imported,
 * with their WebAssembly kernels.
 *
 * @example One format
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise/core";
 * import { q4_0 } from "@nibblewise/nibblewise/formats";
 *
 * const q = quantize(new Float32Array(64).fill(1), { format: q4_0 });
 * console.log(dequantize(q, { format: q4_0 })[0]); // 1
 * ```
 *
 * @module
 */
import "../kernels/install_core.ts";
import * as basic from "../basic.ts";
import * as byFormat from "../by_format.ts";
import { compare as compareAnywhere } from "../compare.ts";
import * as modules from "../kernels/modules.ts";
import * as own from "../kernels/own_modules.ts";

export * from "./js.ts";

// Each in place of the same without kernels, which the line above exports.

/** Quantizes floats to int4 codes, one to a byte, with one scale for all. */
export const quantizeToInt4: typeof basic.quantizeToInt4 =
  /* @__PURE__ */ modules.withKernels(
    basic.quantizeToInt4,
    [own.BASIC],
  );

/** Turns int4 codes back into floats: (code − zeroPoint) · scale, in float32. */
export const dequantizeFromInt4: typeof basic.dequantizeFromInt4 =
  /* @__PURE__ */ modules.withKernels(
    basic.dequantizeFromInt4,
    [own.BASIC],
  );

/** Packs two codes to a byte, the first in the low nibble. */
export const packInt4ToInt8: typeof basic.packInt4ToInt8 =
  /* @__PURE__ */ modules.withKernels(
    basic.packInt4ToInt8,
    [own.BASIC],
  );

/** Unpacks bytes into two codes each, the low nibble first. */
export const unpackInt8ToInt4: typeof basic.unpackInt8ToInt4 =
  /* @__PURE__ */ modules.withKernels(
    basic.unpackInt8ToInt4,
    [own.BASIC],
  );

/** Measures how far values are from others, as after quantizing and dequantizing. */
export const compare: typeof compareAnywhere = /* @__PURE__ */ modules
  .withKernels(
    compareAnywhere,
    [own.COMPARE],
  );

/** Brings numbers from one format to another without changing any. */
export const repack: typeof byFormat.repack = /* @__PURE__ */ modules
  .withKernels(
    byFormat.repack,
    [own.REPACK],
  );
