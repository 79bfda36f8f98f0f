/**
 * The family of self-contained blocks: a fixed number of consecutive values of
 * a row becomes a fixed number of bytes, scales and codes together. Rows follow
 * each other without padding. All of ggml's formats are of this kind.
 *
 * @module
 */

import { type Kernel, run } from "../kernels/engine.ts";
import { floatValues } from "../numeric/arguments.ts";
import {
  clipToScale,
  type Overflow,
  rejectNonFinite,
  ScaleOverflow,
} from "../numeric/finite.ts";
import { settleNaNs } from "../numeric/nan.ts";
import { rowLength, withLastAxis } from "../numeric/shape.ts";
import type { Format, Part, PartSpecs, Reference } from "../types.ts";
import { rejectUnknownOptions } from "./options.ts";

/**
 * Options of a block format that can weigh columns.
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
export interface BlockOptions {
  /**
   * How much an error in each column matters: one finite, non-negative weight
   * per column, what ggml calls an importance matrix. Without it the format
   * weighs as its reference does by default.
   */
  readonly importance?: Float32Array | readonly number[];
}

/** Options of a block format that cannot: there are none. */
export interface UnweightedBlockOptions {
  /** Changes nothing in such a format and is refused. */
  readonly importance?: never;
}

/** {@linkcode BlockOptions} after checking. */
export interface ResolvedBlockOptions {
  /** One weight per column. */
  readonly importance?: Float32Array;
  /** What to do where finite values have an infinite scale; `"throw"` by default. */
  readonly overflow?: Overflow;
}

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

/** What makes one block format different from another. */
export interface BlockSpec<Name extends string> {
  /** The name that options and files use. */
  readonly name: Name;
  /** One line for a list of formats. */
  readonly summary: string;
  /** Where the format is defined. */
  readonly source: string;
  /** Values in a block. */
  readonly blockSize: number;
  /** Bytes in a block. */
  readonly blockBytes: number;
  /** How many binary16 scales, which may overflow, a block starts with. */
  readonly halves: number;
  /** How many of its bytes hold scales; the rest must be half a byte per value. */
  readonly scaleBytes: number;
  /** Values that share a scale, where that is not the block. */
  readonly groupSize?: number;
  /** See {@linkcode Format.errorBound}; where no stored scale is subnormal or infinite. */
  readonly errorBound: number;
  /** Reference: one block of values to one block of bytes. */
  encode(
    values: Float32Array,
    at: number,
    out: Uint8Array,
    outAt: number,
  ): void;
  /** Reference: one block of bytes to one block of values. */
  decode(
    blocks: Uint8Array,
    at: number,
    out: Float32Array,
    outAt: number,
  ): void;
  /** Reference: one row with a weight for each of its values; absent where weights change nothing. */
  encodeWeighted?(
    row: Float32Array,
    importance: Float32Array,
    out: Uint8Array,
  ): void;
  /** `(n, values, blocks)`: the fast {@linkcode encode}; returns 1 to have a stretch done by it. */
  readonly quantizeKernel?: Kernel;
  /** `(n, values, importance, blocks, columns)`: the fast {@linkcode encodeWeighted}, for whole rows. */
  readonly weightedKernel?: Kernel;
  /** `(n, blocks, values)`: the fast {@linkcode decode}. */
  readonly dequantizeKernel?: Kernel;
}

type Blocks = Reference<BlockParts, ResolvedBlockOptions>;

// ---- the reference ----

/** Whether one of the binary16 that a block starts with is infinite or NaN. */
function overflows(halves: number, blocks: Uint8Array, at: number): boolean {
  for (let k = 0; k < halves; k++) {
    if ((blocks[at + 2 * k + 1] & 0x7c) === 0x7c) return true;
  }
  return false;
}

/** Index of the first block with an infinite scale, or −1. */
function firstOverflow(spec: BlockSpec<string>, blocks: Uint8Array): number {
  const { halves, blockBytes } = spec;
  for (let at = 0; at < blocks.length; at += blockBytes) {
    if (overflows(halves, blocks, at)) return at / blockBytes;
  }
  return -1;
}

function encodeBlocks(
  spec: BlockSpec<string>,
  values: Float32Array,
  blocks: Uint8Array,
  first: number,
  end: number,
  overflow: Overflow = "throw",
): void {
  const { blockSize, blockBytes, halves, encode } = spec;
  rejectNonFinite(values, first, end);
  let outAt = first / blockSize * blockBytes;
  for (let at = first; at < end; at += blockSize, outAt += blockBytes) {
    encode(values, at, blocks, outAt);
    if (overflow === "keep" || !overflows(halves, blocks, outAt)) continue;
    if (overflow === "throw") {
      throw new ScaleOverflow(at / blockSize, at, "float16");
    }
    clipToScale(values.subarray(at, at + blockSize), (clipped) => {
      encode(clipped, 0, blocks, outAt);
      return overflows(halves, blocks, outAt);
    });
  }
}

function encodeRows(
  spec: BlockSpec<string>,
  values: Float32Array,
  importance: Float32Array,
  blocks: Uint8Array,
  first: number,
  end: number,
  overflow: Overflow = "throw",
): void {
  const { blockSize, blockBytes, encodeWeighted } = spec;
  rejectNonFinite(values, first, end);
  const columns = importance.length;
  const rowBytes = columns / blockSize * blockBytes;
  let outAt = first / blockSize * blockBytes;
  for (let at = first; at < end; at += columns, outAt += rowBytes) {
    const row = values.subarray(at, at + columns);
    const out = blocks.subarray(outAt, outAt + rowBytes);
    encodeWeighted?.(row, importance, out);
    const block = overflow === "keep" ? -1 : firstOverflow(spec, out);
    if (block < 0) continue;
    if (overflow === "throw") {
      const index = at / blockSize + block;
      throw new ScaleOverflow(index, index * blockSize, "float16");
    }
    // The values of a row weigh each other, so they are cut together.
    clipToScale(row, (clipped) => {
      encodeWeighted?.(clipped, importance, out);
      return firstOverflow(spec, out) >= 0;
    });
  }
}

function decodeBlocks(
  { blockSize, blockBytes, decode }: BlockSpec<string>,
  blocks: Uint8Array,
  out: Float32Array,
  first: number,
  end: number,
): void {
  let at = first / blockSize * blockBytes;
  for (let outAt = first; outAt < end; at += blockBytes, outAt += blockSize) {
    decode(blocks, at, out, outAt);
  }
  settleNaNs(out, first, end);
}

function referenceOf(spec: BlockSpec<string>): Blocks {
  return {
    quantize(values, _shape, options, { blocks: { data } }): void {
      const { importance, overflow } = options, end = values.length;
      if (importance) {
        encodeRows(spec, values, importance, data, 0, end, overflow);
      } else encodeBlocks(spec, values, data, 0, end, overflow);
    },
    dequantize({ blocks: { data } }, _shape, _options, out): void {
      decodeBlocks(spec, data, out, 0, out.length);
    },
  };
}

// ---- the fast way, where there is a kernel ----

/** Quantizes row by row, since the weights are those of columns. */
function weigh(
  kernel: Kernel,
  spec: BlockSpec<string>,
  values: Float32Array,
  importance: Float32Array,
  data: Uint8Array,
  overflow: Overflow | undefined,
): void {
  const columns = importance.length;
  run({
    kernel,
    count: values.length,
    step: columns,
    operands: [
      { array: values, access: "read", bits: 32 },
      { array: importance, access: "read" },
      {
        array: data,
        access: "write",
        bytes: columns / spec.blockSize * spec.blockBytes,
      },
    ],
    numbers: [columns],
    again: (first, n) =>
      encodeRows(spec, values, importance, data, first, first + n, overflow),
  });
}

function fastOf(spec: BlockSpec<string>, reference: Blocks): Blocks {
  const {
    blockSize: step,
    blockBytes: bytes,
    quantizeKernel,
    weightedKernel,
    dequantizeKernel,
  } = spec;
  return {
    quantize(values, shape, options, parts): void {
      const { data } = parts.blocks, { importance, overflow } = options;
      if (importance && weightedKernel) {
        return weigh(
          weightedKernel,
          spec,
          values,
          importance,
          data,
          overflow,
        );
      }
      if (importance || !quantizeKernel) {
        return reference.quantize(values, shape, options, parts);
      }
      run({
        kernel: quantizeKernel,
        count: values.length,
        step,
        operands: [
          { array: values, access: "read", bits: 32 },
          { array: data, access: "write", bytes },
        ],
        again: (first, n) =>
          encodeBlocks(spec, values, data, first, first + n, overflow),
      });
    },
    dequantize(parts, shape, options, out): void {
      if (dequantizeKernel === undefined) {
        return reference.dequantize(parts, shape, options, out);
      }
      const { data } = parts.blocks;
      run({
        kernel: dequantizeKernel,
        count: out.length,
        step,
        operands: [
          { array: data, access: "read", bytes },
          { array: out, access: "write", bits: 32 },
        ],
        again: (first, n) => decodeBlocks(spec, data, out, first, first + n),
      });
    },
  };
}

// ---- options and shapes ----

function checkColumns(
  name: string,
  blockSize: number,
  shape: readonly number[],
): void {
  const columns = rowLength(shape);
  if (columns % blockSize === 0) return;
  throw new RangeError(
    `Cannot lay out shape [${shape}] as ${name}: the last axis is ${columns}, ` +
      `it must be a multiple of ${blockSize}`,
  );
}

function resolveImportance(given: unknown, columns: number): Float32Array {
  const weights = floatValues(given, "importance").slice();
  if (weights.length !== columns) {
    throw new RangeError(
      `Cannot use importance: it has ${weights.length} weights, the last axis has ${columns} columns`,
    );
  }
  const bad = weights.findIndex((weight) =>
    !(weight >= 0 && weight < Infinity)
  );
  if (bad < 0) return weights;
  throw new RangeError(
    `Cannot use importance: weight ${
      weights[bad]
    } at index ${bad} must be finite and not negative`,
  );
}

/**
 * Makes a format from the reference of one block.
 *
 * @param spec What makes the format different from the others.
 * @returns The format.
 * @throws {Error} When the bytes of a block do not add up: a mistake of the format's author.
 */
export function blockFormat<Name extends string>(
  spec: BlockSpec<Name>,
): BlockFormat<Name> {
  const { name, blockSize, blockBytes, groupSize = blockSize } = spec;
  if (blockBytes !== spec.scaleBytes + blockSize / 2) {
    throw new Error(
      `Layout of ${name} does not add up to ${blockBytes} bytes a block`,
    );
  }
  const known = spec.encodeWeighted === undefined ? [] : ["importance"];
  const reference = referenceOf(spec);
  return {
    name,
    summary: spec.summary,
    source: spec.source,
    groupSize,
    bitsPerValue: blockBytes * 8 / blockSize,
    errorBound: spec.errorBound,
    resolve(options, shape): ResolvedBlockOptions {
      rejectUnknownOptions(name, options, known);
      checkColumns(name, blockSize, shape);
      if (options.importance === undefined) return {};
      return {
        importance: resolveImportance(options.importance, rowLength(shape)),
      };
    },
    kept: () => ({}),
    group: () => groupSize,
    // The weights are those of columns, so only whole rows can be cut apart.
    span: (shape, { importance }) => importance ? rowLength(shape) : blockSize,
    parts(shape): PartSpecs<BlockParts> {
      const bytes = rowLength(shape) / blockSize * blockBytes;
      return { blocks: { dtype: "U8", shape: withLastAxis(shape, bytes) } };
    },
    ...fastOf(spec, reference),
    reference,
  };
}
