/**
 * The formats, one line each in the two lists.
 *
 * @module
 */
import type {
  BlockOptions,
  BlockParts,
  UnweightedBlockOptions,
} from "../model/block_format.ts";
import type {
  BitsandbytesOptions,
  BitsandbytesParts,
} from "../model/bitsandbytes.ts";
import type { Format } from "../words/format.ts";
import { gptq, type GptqOptions, type GptqParts } from "./gptq.ts";
import { int4, type Int4Options, type Int4Parts } from "./int4.ts";
import { iq4_nl } from "./iq4_nl.ts";
import { iq4_xs } from "./iq4_xs.ts";
import {
  matmul_nbits,
  type MatMulNBitsOptions,
  type MatMulNBitsParts,
} from "./matmul_nbits.ts";
import { mlx, type MlxOptions, type MlxParts } from "./mlx.ts";
import { mxfp4 } from "./mxfp4.ts";
import { nf4 } from "./nf4.ts";
import { nvfp4 } from "./nvfp4.ts";
import {
  nvfp4_modelopt,
  type Nvfp4ModeloptOptions,
  type Nvfp4ModeloptParts,
} from "./nvfp4_modelopt.ts";
import { q4_0 } from "./q4_0.ts";
import { q4_1 } from "./q4_1.ts";
import { q4_k } from "./q4_k.ts";

export { int4, iq4_nl, iq4_xs, mxfp4, nvfp4, q4_0, q4_1, q4_k };

/** What options each format takes and what parts it makes. */
export interface FormatTypes {
  /** Signed codes with float32 scales. */
  int4: { options: Int4Options; parts: Int4Parts };
  /** ggml: blocks of 32, one scale. */
  q4_0: { options: BlockOptions; parts: BlockParts };
  /** ggml: blocks of 32, scale and minimum. */
  q4_1: { options: BlockOptions; parts: BlockParts };
  /** ggml: super-blocks of 256, scales and offsets for 32. */
  q4_k: { options: BlockOptions; parts: BlockParts };
  /** ggml: blocks of 32 on a non-linear grid. */
  iq4_nl: { options: BlockOptions; parts: BlockParts };
  /** ggml: super-blocks of 256 on a non-linear grid. */
  iq4_xs: { options: BlockOptions; parts: BlockParts };
  /** ggml: blocks of 32 E2M1 values, power-of-two scale. */
  mxfp4: { options: UnweightedBlockOptions; parts: BlockParts };
  /** ggml: groups of 16 E2M1 values, 8-bit float scale. */
  nvfp4: { options: UnweightedBlockOptions; parts: BlockParts };
  /** GPTQ checkpoints: groups along the inputs, float16 scales, zero points. */
  gptq: { options: GptqOptions; parts: GptqParts };
  /** onnxruntime's MatMulNBits: blocks with scales, and zero points where asymmetric. */
  matmul_nbits: { options: MatMulNBitsOptions; parts: MatMulNBitsParts };
  /** bitsandbytes: flat blocks on quantiles of a normal distribution. */
  nf4: { options: BitsandbytesOptions; parts: BitsandbytesParts };
  /** MLX: signed scales and biases per group, or E2M1 values. */
  mlx: { options: MlxOptions; parts: MlxParts };
  /** ModelOpt: groups of 16 E2M1 values, 8-bit float scales, a scale for the tensor. */
  nvfp4_modelopt: {
    options: Nvfp4ModeloptOptions;
    parts: Nvfp4ModeloptParts;
  };
}

const ALL: readonly Format[] = [
  int4,
  q4_0,
  q4_1,
  q4_k,
  iq4_nl,
  iq4_xs,
  mxfp4,
  nvfp4,
  gptq,
  matmul_nbits,
  nf4,
  mlx,
  nvfp4_modelopt,
];

/**
 * Every format by its name, with its group size, bits per value, error bound and
 * source.
 *
 * @example
 * ```ts
 * import { formats } from "@nibblewise/nibblewise";
 *
 * for (const { name, bitsPerValue, summary } of formats.values()) {
 *   console.log(`${name}: ${bitsPerValue} bits, ${summary}`);
 * }
 * ```
 */
export const formats: ReadonlyMap<keyof FormatTypes, Format> = new Map(
  ALL.map((format) => [format.name as keyof FormatTypes, format]),
);
