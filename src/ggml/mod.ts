/**
 * Every tensor type of ggml: what a GGUF file may hold beside the formats of four bits.
 *
 * All of them can be read; those that recipes of four bits use can be written, byte for
 * byte as native ggml does it. A module of its own, so that whoever needs only the formats
 * of four bits does not load the rest.
 *
 * @example Q6_K to float32 and back
 * ```ts
 * import { ggmlTypes } from "@nibblewise/nibblewise/ggml";
 *
 * const { quantize, dequantize, blockBytes } = ggmlTypes.get("Q6_K")!;
 * const values = Float32Array.from({ length: 512 }, (_, i) => Math.sin(i));
 * const blocks = new Uint8Array(2 * blockBytes);
 * quantize?.(values, blocks, 256); // two rows of 256 columns
 * const restored = new Float32Array(512);
 * dequantize(blocks, restored);
 * console.log(Math.abs(restored[1] - values[1]) < 0.02); // true
 * ```
 *
 * @module
 */

import "../model/install.ts";
import type { BlockFormat } from "../model/block_format.ts";
import { partOf } from "../model/block_kernels.ts";
import { settleNaNs } from "../numeric/nan.ts";
import { isWeighedByReference } from "../words/search.ts";
import type { DecodeBlock } from "./decoders.ts";
import {
  decodeQ1_0,
  decodeQ2_0,
  decodeQ2_K,
  decodeQ3_K,
  decodeQ8_1,
  decodeQ8_K,
  decodeTQ1_0,
  decodeTQ2_0,
} from "./few_bits.ts";
import {
  decodeIQ1_M,
  decodeIQ1_S,
  decodeIQ2_S,
  decodeIQ2_XS,
  decodeIQ2_XXS,
  decodeIQ3_S,
  decodeIQ3_XXS,
} from "./on_grids.ts";
import { readers, writers } from "./single.ts";
import { type GgmlKind, type GgmlLayout, ggmlLayouts } from "./table.ts";
import { writableTypes } from "./writable.ts";

export type { GgmlKind, GgmlLayout };
export { type Recipe, type RecipeName, recipes } from "./recipe_list.ts";
export type { Choice, RecipeModel } from "./recipe_mixture.ts";
export { inRecipeOrder, type RecipeTensor, whyKept } from "./recipe_names.ts";
export {
  type PlannedTensor,
  planRecipe,
  type RecipeOptions,
  type TypeOverride,
} from "./recipes.ts";

/** A tensor type of ggml. The functions need no `this`. */
export interface GgmlType extends GgmlLayout {
  /**
   * Turns blocks into values, in the order of the file.
   *
   * Values equal native ggml's to the bit, but that a NaN which comes of a scale that is
   * NaN or infinite is 0x7FC00000 everywhere. F16, BF16 and F32 keep the payload of a NaN;
   * I64 and F64 are rounded to the nearest float32, ties to even.
   *
   * @param blocks Whole blocks.
   * @param out Receives `blockSize` values for each.
   * @throws {RangeError} If the lengths do not go together.
   */
  dequantize(blocks: Uint8Array, out: Float32Array): void;
  /**
   * Turns whole rows into blocks; absent where this module only reads. Rows are
   * independent of each other, so a tensor can be quantized in pieces of any number of rows.
   *
   * F32, F16 and BF16 take every value (one that is too large for a float16 becomes an
   * infinity); the others want finite ones.
   *
   * @param values The rows, one after the other.
   * @param blocks Receives the blocks.
   * @param columns Values in a row, a multiple of `blockSize`.
   * @param importance One weight for each column; types that ggml does not weigh ignore it.
   * @throws {RangeError} If the lengths do not go together, a value is NaN or infinite, a scale overflows its float16, or a weight is negative or not finite.
   */
  quantize?(
    values: Float32Array,
    blocks: Uint8Array,
    columns: number,
    importance?: Float32Array,
  ): void;
}

/** Blocks that are only read. */
const decoders: Readonly<Record<string, DecodeBlock>> = {
  Q1_0: decodeQ1_0,
  Q2_0: decodeQ2_0,
  Q8_1: decodeQ8_1,
  Q8_K: decodeQ8_K,
  Q2_K: decodeQ2_K,
  Q3_K: decodeQ3_K,
  TQ1_0: decodeTQ1_0,
  TQ2_0: decodeTQ2_0,
  IQ1_S: decodeIQ1_S,
  IQ1_M: decodeIQ1_M,
  IQ2_XXS: decodeIQ2_XXS,
  IQ2_XS: decodeIQ2_XS,
  IQ2_S: decodeIQ2_S,
  IQ3_XXS: decodeIQ3_XXS,
  IQ3_S: decodeIQ3_S,
};

function checkBytes(
  { name, blockSize, blockBytes }: GgmlLayout,
  blocks: Uint8Array,
  values: Float32Array,
): void {
  const bytes = values.length / blockSize * blockBytes;
  if (blocks.length === bytes && values.length % blockSize === 0) return;
  throw new RangeError(
    `Cannot match ${blocks.length} bytes of ${name} with ${values.length} values: ` +
      `every ${blockBytes} bytes are ${blockSize} values`,
  );
}

function checkColumns(
  { name, blockSize }: GgmlLayout,
  values: Float32Array,
  columns: number,
): void {
  if (!Number.isSafeInteger(columns) || columns < 1) {
    throw new RangeError(
      `Cannot quantize to ${name}: columns is ${columns}, it must be a whole number of 1 or more`,
    );
  }
  if (columns % blockSize !== 0) {
    throw new RangeError(
      `Cannot quantize to ${name}: rows have ${columns} values, they must have a multiple of ${blockSize}`,
    );
  }
  if (values.length % columns === 0) return;
  throw new RangeError(
    `Cannot quantize to ${name}: ${values.length} values are no whole rows of ${columns}`,
  );
}

function singleType(layout: GgmlLayout): GgmlType {
  const read = readers[layout.name], write = writers[layout.name];
  return {
    ...layout,
    dequantize(blocks, out): void {
      checkBytes(layout, blocks, out);
      read(blocks, out);
    },
    ...(write && {
      quantize(values, blocks, columns): void {
        checkColumns(layout, values, columns);
        checkBytes(layout, blocks, values);
        write(values, blocks);
      },
    }),
  };
}

function readOnlyType(layout: GgmlLayout, decode: DecodeBlock): GgmlType {
  const { blockSize, blockBytes } = layout;
  return {
    ...layout,
    dequantize(blocks, out): void {
      checkBytes(layout, blocks, out);
      for (
        let at = 0, outAt = 0;
        outAt < out.length;
        at += blockBytes, outAt += blockSize
      ) decode(blocks, at, out, outAt);
      settleNaNs(out);
    },
  };
}

function writableType(layout: GgmlLayout, format: BlockFormat): GgmlType {
  return {
    ...layout,
    dequantize(blocks, out): void {
      checkBytes(layout, blocks, out);
      format.dequantize(partOf(blocks), [out.length], {}, out);
    },
    quantize(values, blocks, columns, importance): void {
      checkColumns(layout, values, columns);
      checkBytes(layout, blocks, values);
      const shape = [values.length / columns, columns];
      const weighed = importance && isWeighedByReference(format.options)
        ? { importance }
        : {};
      const options = format.resolve(weighed, shape);
      format.quantize(values, shape, options, partOf(blocks));
    },
  };
}

function typeOf(layout: GgmlLayout): GgmlType {
  if (layout.kind !== "blocks") return singleType(layout);
  const format = writableTypes.get(layout.name);
  return format
    ? writableType(layout, format)
    : readOnlyType(layout, decoders[layout.name]);
}

/** Every type that ggml has today, by its name in capitals: F32, Q4_0, Q6_K, IQ2_XXS … */
export const ggmlTypes: ReadonlyMap<string, GgmlType> = new Map(
  Array.from(ggmlLayouts, ([name, layout]) => [name, typeOf(layout)]),
);
