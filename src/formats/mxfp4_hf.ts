/**
 * `mxfp4_hf`: MXFP4 as gpt-oss has it and transformers reads it: E2M1 values and a
 * power of two for each 32 along the last axis.
 *
 * ```
 * blocks   U8   [..., columns / 32, 16]   two codes to a byte, the first in the low nibble
 * scales   U8   [..., columns / 32]       E8M0: 2^(byte − 127)
 * ```
 *
 * - byte = the exponent of the largest magnitude, less 2; 0 at least (OCP's rule)
 * - code = E2M1(x / 2^(byte − 127)), ties to even, with the sign of x
 * - value = E2M1[code] · 2^(byte − 127), rounded once; code 8 is −0, byte 255 is 2^128
 *
 * The logical shape is that of the file, [experts, out, in]; floats of the model are
 * [experts, in, out], as transformers dequantizes to. It writes no such checkpoints on a CPU: the
 * rule for scales is the one that torchao has by default.
 *
 * Source: transformers 5.24.0, integrations/mxfp4.py `convert_moe_packed_tensors`;
 * torchao 0.18.0, `to_mx` with ScaleCalculationMode.FLOOR.
 *
 * @module
 */
import { E2M1_TILES_KERNELS } from "../kernels/modules.ts";
import { packedRows } from "../layouts/parts.ts";
import { memberOf, shownValue } from "../model/config.ts";
import { byGroups } from "../model/byte_ways.ts";
import { defineFormat } from "../model/define.ts";
import { dtypeOption } from "../model/groups.ts";
import { checkWholeGroups, exponentPart } from "../model/e2m1_checkpoint.ts";
import { matrixOf, rowLength } from "../numeric/shape.ts";
import { e2m1Scheme } from "../schemes/e2m1.ts";
import { E2M1 } from "../schemes/grids.ts";
import { decodeByHalves, searchedMx, torchaoRules } from "../schemes/mx.ts";
import { SCALE_SEARCHES } from "../schemes/sought.ts";
import type { Candidate, Format, Part, Recognized } from "../words/format.ts";
import type { ComputeDtype, Scheme } from "../words/scheme.ts";
import {
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";

const NAME = "mxfp4_hf";
const GROUP = 32;

/** Options of the format `mxfp4_hf`. */
export interface Mxfp4HfOptions extends SearchOptions {
  /** The type that values are rounded to: `"BF16"` (the default), as in transformers, or another. */
  readonly computeDtype?: ComputeDtype;
}

/** `mxfp4_hf` options with everything filled in. */
export type ResolvedMxfp4HfOptions =
  & Required<Omit<Mxfp4HfOptions, keyof SearchOptions>>
  & ResolvedSearchOptions;

/** The arrays of an `mxfp4_hf` tensor. */
export interface Mxfp4HfParts {
  /** 16 bytes for each 32 values, the first of two in the low nibble. */
  readonly blocks: Part<"U8">;
  /** One E8M0 byte for each 32 values. */
  readonly scales: Part<"U8">;
}

function recognize(candidate: Candidate): Recognized | undefined {
  const { parts: { blocks, scales }, stem, config } = candidate;
  if (blocks.dtype !== "U8" || scales.dtype !== "U8") return undefined;
  const method = memberOf(
    memberOf(config, "quantization_config") ?? config,
    "quant_method",
  );
  const groups = blocks.shape.slice(0, -1);
  const fault = rowLength(blocks.shape) !== 16 || groups.length === 0 ||
      String(groups) !== String(scales.shape)
    ? `its blocks [${blocks.shape}] and scales [${scales.shape}] make no groups of ${GROUP}`
    : method !== undefined && method !== "mxfp4"
    ? `the config says quant_method ${
      shownValue(method)
    }, its parts are those of mxfp4`
    : undefined;
  if (fault === undefined) {
    const shape = [...groups.slice(0, -1), GROUP * rowLength(groups)];
    return { shape, options: {} };
  }
  const name = stem === undefined ? "" : ` ${stem}`;
  throw new RangeError(`Cannot read${name} as ${NAME}: ${fault}`);
}

/**
 * MXFP4 of gpt-oss; see the head of this file for layout and arithmetic.
 *
 * @example
 * ```ts
 * import { dequantize, quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 2 * 4 * 64 }, (_, i) => Math.sin(i));
 * const q = quantize(weights, { format: "mxfp4_hf", shape: [2, 4, 64] });
 * console.log(q.parts.blocks.shape, q.parts.scales.shape); // [2, 4, 2, 16] [2, 4, 2]
 * console.log(dequantize(q).length); // 512
 * ```
 */
export const mxfp4_hf: Format<
  "mxfp4_hf",
  Mxfp4HfOptions,
  Mxfp4HfParts,
  ResolvedMxfp4HfOptions
> = defineFormat({
  name: NAME,
  summary: "gpt-oss MXFP4: groups of 32 E2M1 values, power-of-two scale",
  source: "transformers 5.24.0 integrations/mxfp4.py",
  groupSize: GROUP,
  bitsPerValue: 4.25,
  // What is beyond 6 times the scale, up to 8 times it, becomes 6 times it.
  errorBound: 0.25,
  options: {
    computeDtype: dtypeOption("BF16", true, "type that values are rounded to"),
    ...searchSchema(SCALE_SEARCHES),
  },
  check: (_options, shape) => checkWholeGroups(NAME, GROUP, shape),
  like: ({ computeDtype }): Mxfp4HfOptions => ({ computeDtype }),
  layout(shape) {
    const scales = exponentPart("U8", GROUP, shape);
    const blocks = packedRows({ dtype: "U8", shape: [...scales.shape, 16] });
    return { matrix: matrixOf(shape), parts: { blocks, scales } };
  },
  scheme(shape, options): Scheme {
    const { computeDtype } = options;
    const scheme = {
      ...e2m1Scheme({
        ...torchaoRules("floor", computeDtype),
        matrix: matrixOf(shape),
        group: GROUP,
        grid: E2M1,
        computeDtype,
      }),
      decode: decodeByHalves(GROUP, computeDtype),
    };
    return searchedMx(scheme, options, rowLength(shape));
  },
  fast: byGroups(E2M1_TILES_KERNELS),
  convention: {
    entries: { blocks: "{name}_blocks", scales: "{name}_scales" },
    library: "transformers",
    needed: ["blocks", "scales"],
    recognize,
    layers: "experts",
    swapped: true,
    config: (_options, floats = []) => ({
      quantization_config: {
        quant_method: "mxfp4",
        modules_to_not_convert: floats,
      },
    }),
  },
});
