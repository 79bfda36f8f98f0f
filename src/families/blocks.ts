/**
 * The family of self-contained blocks: a fixed number of consecutive values of
 * a row becomes a fixed number of bytes, scales and codes together. Rows follow
 * each other without padding. All of ggml's formats are of this kind.
 *
 * @module
 */

import type { Format, Part, PartSpec } from "../types.ts";

/** Options of a format that can weigh columns. */
export interface BlockOptions {
  /**
   * How much an error in each column matters: one finite, non-negative weight
   * per column, what ggml calls an importance matrix. Without it the format
   * weighs as its reference does by default.
   */
  readonly importance?: Float32Array | readonly number[];
}

/** {@linkcode BlockOptions} after checking. */
export interface ResolvedBlockOptions {
  /** One weight per column. */
  readonly importance?: Float32Array;
}

/** The only part of a format of this family. */
export interface BlockParts {
  /** All blocks; shape: that of the values, the last axis in bytes. */
  readonly blocks: Part<"U8">;
}

/** A format whose tensors are runs of self-contained blocks. */
export type BlockFormat<Name extends string = string> = Format<
  Name,
  ResolvedBlockOptions,
  BlockParts
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
  /** How many of them hold scales; the rest must be half a byte per value. */
  readonly scaleBytes: number;
  /** Values that share a scale, where that is not the block. */
  readonly groupSize?: number;
  /** See {@linkcode Format.errorBound}. */
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
}

function lastAxis(shape: readonly number[]): number {
  return shape.length === 0 ? 1 : shape[shape.length - 1];
}

function checkFinite(values: Float32Array): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new RangeError(
        `Cannot quantize ${values[i]} at index ${i}: values must be finite`,
      );
    }
  }
}

function checkColumns(
  name: string,
  blockSize: number,
  shape: readonly number[],
): void {
  const columns = lastAxis(shape);
  if (columns % blockSize === 0) return;
  throw new RangeError(
    `Cannot lay out shape [${
      shape.join(", ")
    }] as ${name}: the last axis is ${columns}, ` +
      `it must be a multiple of ${blockSize}`,
  );
}

function resolveImportance(given: unknown, columns: number): Float32Array {
  if (!(given instanceof Float32Array || Array.isArray(given))) {
    throw new TypeError(
      "Cannot use importance: it must be a Float32Array or an array of numbers",
    );
  }
  if (given.length !== columns) {
    throw new RangeError(
      `Cannot use importance: it has ${given.length} weights, the last axis has ${columns} columns`,
    );
  }
  const weights = Float32Array.from(given);
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
 */
export function blockFormat<Name extends string>(
  spec: BlockSpec<Name>,
): BlockFormat<Name> {
  const { name, blockSize, blockBytes } = spec;
  if (blockBytes !== spec.scaleBytes + blockSize / 2) {
    throw new Error(
      `Layout of ${name} does not add up to ${blockBytes} bytes a block`,
    );
  }

  const reference: BlockFormat["reference"] = {
    quantize(values, shape, { importance }, { blocks }): void {
      checkFinite(values);
      if (importance !== undefined && spec.encodeWeighted !== undefined) {
        const columns = lastAxis(shape);
        const rowBytes = columns / blockSize * blockBytes;
        for (
          let at = 0, outAt = 0;
          at < values.length;
          at += columns, outAt += rowBytes
        ) {
          const row = values.subarray(at, at + columns);
          spec.encodeWeighted(
            row,
            importance,
            blocks.data.subarray(outAt, outAt + rowBytes),
          );
        }
        return;
      }
      for (
        let at = 0, outAt = 0;
        at < values.length;
        at += blockSize, outAt += blockBytes
      ) {
        spec.encode(values, at, blocks.data, outAt);
      }
    },
    dequantize({ blocks }, _shape, _options, out): void {
      for (
        let at = 0, outAt = 0;
        outAt < out.length;
        at += blockBytes, outAt += blockSize
      ) {
        spec.decode(blocks.data, at, out, outAt);
      }
    },
  };

  return {
    name,
    summary: spec.summary,
    source: spec.source,
    groupSize: spec.groupSize ?? blockSize,
    bitsPerValue: blockBytes * 8 / blockSize,
    errorBound: spec.errorBound,
    resolve(options: BlockOptions, shape): ResolvedBlockOptions {
      checkColumns(name, blockSize, shape);
      if (options.importance === undefined) return {};
      if (spec.encodeWeighted === undefined) {
        throw new RangeError(
          `Cannot use importance with ${name}: its scales do not depend on weights`,
        );
      }
      return {
        importance: resolveImportance(options.importance, lastAxis(shape)),
      };
    },
    span(shape, { importance }): number {
      return importance === undefined ? blockSize : lastAxis(shape);
    },
    parts(shape): { readonly blocks: PartSpec<"U8"> } {
      const bytes = lastAxis(shape) / blockSize * blockBytes;
      return { blocks: { dtype: "U8", shape: [...shape.slice(0, -1), bytes] } };
    },
    quantize: reference.quantize,
    dequantize: reference.dequantize,
    reference,
  };
}
