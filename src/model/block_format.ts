/**
 * Formats of self-contained blocks: a fixed number of consecutive values of a
 * row becomes a fixed number of bytes, scales and codes together. Rows follow
 * each other without padding. All of ggml's formats are of this kind.
 *
 * @module
 */
import type { Kernel } from "../kernels/work.ts";
import type { BlockLayout } from "../layouts/blocks.ts";
import { F16_ALONE } from "../layouts/codecs.ts";
import { F16_OVERFLOW } from "../numeric/f16.ts";
import { clipToScale, ScaleOverflow } from "../numeric/finite.ts";
import { matrixOf, rowLength, withLastAxis } from "../numeric/shape.ts";
import { searched, type Sought } from "../schemes/sought.ts";
import type { Coder, Format, Part } from "../words/format.ts";
import type { Schema } from "../words/schema.ts";
import {
  isSearched,
  type ResolvedSearchOptions,
  type SearchOptions,
  searchSchema,
} from "../words/search.ts";
import type {
  BitsItem,
  CodesItem,
  FieldItem,
  Layout,
} from "../words/layout.ts";
import type { EncodeContext, Form, Grid, Scheme } from "../words/scheme.ts";
import {
  type FieldPlan,
  type FieldPlans,
  type Fields,
  indexInTensor,
  type Span,
} from "../words/tile.ts";
import { blockCoder } from "./block_coder.ts";
import { defineWithOwnWay } from "./define.ts";
import type { GenericWay } from "./generic_way.ts";

/**
 * Options of a block format.
 *
 * @example Columns that matter ten times as much
 * ```ts
 * import { quantize } from "@nibblewise/nibblewise";
 *
 * const weights = Float32Array.from({ length: 2 * 256 }, (_, i) => Math.sin(i));
 * const importance = Float32Array.from({ length: 256 }, (_, i) => i < 16 ? 10 : 1);
 * const q = quantize(weights, { format: "q4_k", shape: [2, 256], importance });
 * console.log(q.parts.blocks.shape); // [2, 144]: one super-block a row
 * ```
 */
export type BlockOptions = SearchOptions;

/** {@linkcode BlockOptions} after checking. */
export type ResolvedBlockOptions = ResolvedSearchOptions;

/**
 * The only part of a format of this family.
 *
 * @example
 * ```ts
 * import { quantize } from "@nibblewise/nibblewise";
 *
 * const { parts } = quantize(new Float32Array(64), { format: "q4_0" });
 * console.log(parts.blocks.data.length); // 36: two blocks of 18 bytes
 * ```
 */
export interface BlockParts {
  /** All blocks; shape: that of the values, the last axis in bytes. */
  readonly blocks: Part<"U8">;
}

/** A format whose tensors are runs of self-contained blocks. */
export type BlockFormat<Name extends string = string> = Format<
  Name,
  BlockOptions,
  BlockParts,
  ResolvedBlockOptions
>;

/** Codes and fields of a tile, and the values that they stand for: at the same indices as the codes. */
export interface BlockTile {
  /** One code to a byte. */
  readonly codes: Uint8Array;
  /** The numbers of each block. */
  readonly fields: Fields;
}

/** What makes one block format different from another. */
export interface BlockSpec<Name extends string> {
  /** The name that options and files use. */
  readonly name: Name;
  /** One line for a list of formats. */
  readonly summary: string;
  /** Where the format is defined. */
  readonly source: string;
  /** Values in a block. */
  readonly values: number;
  /** Bytes in a block. */
  readonly bytes: number;
  /** What lies in a block. */
  readonly record: readonly (CodesItem | BitsItem | FieldItem)[];
  /** What codes stand for. */
  readonly grid: Grid;
  /** How they become values. */
  readonly form: Form;
  /** The role of the field that tells how values are grouped. */
  readonly groupedBy: string;
  /** See {@linkcode Scheme.constants}. */
  readonly constants?: Readonly<Record<string, number>>;
  /** See {@linkcode Format.errorBound}; where no stored scale is subnormal or infinite. */
  readonly errorBound: number;
  /** Codes and fields of block number `block`, whose values start at index `at`. */
  encode(
    values: Float32Array,
    at: number,
    tile: BlockTile,
    block: number,
  ): void;
  /** The same for a row of `importance.length` values; absent where weights change nothing. */
  encodeWeighted?(
    values: Float32Array,
    at: number,
    importance: Float32Array,
    tile: BlockTile,
    block: number,
  ): void;
  /** How its numbers are searched; absent where they are not. */
  readonly search?: Sought;
  /** See {@linkcode Format.lacks}. */
  readonly lacks?: Readonly<Record<string, string>>;
  /** The values of block number `block`, which start at index `at`. */
  decode(tile: BlockTile, at: number, out: Float32Array, block: number): void;
  /** The generic way, for records that hold codes of other widths than four bits. */
  readonly generic?: GenericWay;
  /** `(n, values, blocks)`: the fast `encode`; returns 1 to have a stretch done by it. */
  readonly quantizeKernel?: Kernel;
  /** `(n, values, importance, blocks, columns)`: the fast `encodeWeighted`, for whole rows. */
  readonly weightedKernel?: Kernel;
  /** `(n, blocks, values)`: the fast `decode`. */
  readonly dequantizeKernel?: Kernel;
}

/** What quantizes and dequantizes blocks. */
export type Blocks = Coder<BlockParts, ResolvedBlockOptions>;

/** Runs the kernels of a format; false where it has none for this, or none that work here. */
export interface BlockKernels {
  /** See {@linkcode Coder.quantize}; `plain` does what a kernel leaves alone. */
  quantize(
    spec: BlockSpec<string>,
    plain: Blocks,
    ...given: Parameters<Blocks["quantize"]>
  ): boolean;
  /** See {@linkcode Coder.dequantize}. */
  dequantize(
    spec: BlockSpec<string>,
    plain: Blocks,
    ...given: Parameters<Blocks["dequantize"]>
  ): boolean;
}

let kernels: BlockKernels | undefined;

/** Says what runs kernels. Entry points that have WebAssembly do; bundles without need not carry it. */
export function useBlockKernels(running: BlockKernels): void {
  kernels = running;
}

/**
 * Makes a format from what is done with one block.
 *
 * @param spec What makes the format different from the others.
 * @returns The format.
 */
export function blockFormat<Name extends string>(
  spec: BlockSpec<Name>,
): BlockFormat<Name> {
  const { name, summary, source, errorBound, values, bytes } = spec;
  const fields = fieldsOf(spec);
  return defineWithOwnWay<
    Name,
    BlockOptions,
    BlockParts,
    ResolvedBlockOptions
  >({
    name,
    summary,
    source,
    errorBound,
    groupSize: fields[spec.groupedBy].span.columns,
    bitsPerValue: bytes * 8 / values,
    options: optionsOf(spec),
    lacks: spec.lacks,
    check(_options, shape): void {
      const columns = rowLength(shape);
      if (columns % values === 0) return;
      throw new RangeError(
        `Cannot lay out shape [${shape}] as ${name}: the last axis is ${columns}, ` +
          `it must be a multiple of ${values}`,
      );
    },
    layout: (shape) => layoutOf(spec, shape),
    scheme(shape, options: ResolvedBlockOptions): Scheme {
      const { columns } = matrixOf(shape);
      // A search weighs by itself, and a reference only where it can.
      const isWeighed = !isSearched(options) && spec.encodeWeighted;
      const importance = isWeighed ? options.importance : undefined;
      const scheme = schemeOf(spec, fields, columns, importance);
      return spec.search
        ? searched(scheme, spec.search, options, columns)
        : scheme;
    },
  }, (tensor) => {
    const plain: Blocks = spec.generic?.(tensor) ??
      blockCoder(spec as BlockLayout, tensor);
    return {
      quantize(...given): void {
        if (!kernels?.quantize(spec, plain, ...given)) plain.quantize(...given);
      },
      dequantize(...given): void {
        if (kernels?.dequantize(spec, plain, ...given)) return;
        plain.dequantize(...given);
      },
    };
  });
}

function optionsOf(
  { search, encodeWeighted }: BlockSpec<string>,
): Schema<BlockOptions> {
  const { search: how, importance } = searchSchema(
    search?.able ?? [],
    encodeWeighted !== undefined,
  );
  return {
    ...(search && { search: how }),
    ...((search ?? encodeWeighted) && { importance }),
  } as Schema<BlockOptions>;
}

function fieldsOf({ record, values }: BlockSpec<string>): FieldPlans {
  const plans: Record<string, FieldPlan> = {};
  for (const item of record) {
    if (item.kind !== "field") continue;
    const { areas, length } = item.codec;
    plans[item.role] = {
      span: { rows: 1, columns: values / areas.columns },
      length,
    };
  }
  return plans;
}

function layoutOf(
  { values, bytes, record }: BlockSpec<string>,
  shape: readonly number[],
): Layout<BlockParts> {
  const perRow = rowLength(shape) / values * bytes;
  return {
    matrix: matrixOf(shape),
    parts: {
      blocks: {
        dtype: "U8",
        shape: withLastAxis(shape, perRow),
        unit: { rows: 1, columns: values, bytes },
        order: "rows",
        holds: record,
      },
    },
  };
}

function schemeOf(
  spec: BlockSpec<string>,
  fields: FieldPlans,
  columns: number,
  importance: Float32Array | undefined,
): Scheme {
  const { grid, form, groupedBy, values: size } = spec;
  // The weights are those of columns, so only whole rows can be cut apart.
  const together: Span | undefined = importance && { rows: 1, columns };
  const encodeAt = importance
    ? (values: Float32Array, at: number, tile: BlockTile) =>
      spec.encodeWeighted!(values, at, importance, tile, at / size)
    : (values: Float32Array, at: number, tile: BlockTile) =>
      spec.encode(values, at, tile, at / size);
  const halves = spec.record.flatMap((item) =>
    item.kind === "field" && item.codec === F16_ALONE ? [item.role] : []
  );
  return {
    grid,
    form,
    fields,
    constants: spec.constants,
    groupedBy,
    computeDtype: "F32",
    together,
    encode(values, tile, { overflow = "throw" }: EncodeContext): void {
      const step = importance ? importance.length : size;
      for (let at = 0; at < values.length; at += step) {
        encodeAt(values, at, tile);
        if (overflow === "keep") continue;
        const block = firstOverflow(
          halves,
          tile.fields,
          at / size,
          step / size,
        );
        if (block < 0) continue;
        if (overflow === "throw") {
          const index = indexInTensor(tile, block * size);
          throw new ScaleOverflow(index / size, index, "float16");
        }
        const copy = values.slice();
        // The values of a row weigh each other, so they are cut together.
        clipToScale(values.subarray(at, at + step), (clipped) => {
          copy.set(clipped, at);
          encodeAt(copy, at, tile);
          return firstOverflow(halves, tile.fields, at / size, step / size) >=
            0;
        });
      }
    },
    decode(tile, out): void {
      for (let at = 0; at < out.length; at += size) {
        spec.decode(tile, at, out, at / size);
      }
    },
  };
}

/** Number of the first block from `block` on with a float16 field that is infinite, or −1. */
function firstOverflow(
  halves: readonly string[],
  fields: Fields,
  block: number,
  count: number,
): number {
  for (let b = block; b < block + count; b++) {
    for (const role of halves) {
      if (!(Math.abs(fields[role][b]) < F16_OVERFLOW)) return b;
    }
  }
  return -1;
}
