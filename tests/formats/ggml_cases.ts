/**
 * ggml's formats for tests to loop over, and parts to fill.
 *
 * @module
 */

import "../../src/model/install.ts";
import "../../src/model/install_searches.ts";
import type { BlockFormat, BlockParts } from "../../src/model/block_format.ts";
import { writableTypes } from "../../src/ggml/writable.ts";
import { isWeighedByReference } from "../../src/words/search.ts";
import { type Backend, backend, useBackend } from "../../src/kernels/engine.ts";

/** All of ggml's formats that can be written, also those beside four bits. */
export const ggmlFormats: readonly BlockFormat[] = [...writableTypes.values()];

/** Those of them whose reference takes importance. */
export const weightedFormats: readonly BlockFormat[] = ggmlFormats.filter(
  ({ options }) => isWeighedByReference(options),
);

/** Values in a block. */
export function blockSize(format: BlockFormat): number {
  return format.layout([0], {}).parts.blocks.unit.columns;
}

/** Bytes in a block. */
export function blockBytes(format: BlockFormat): number {
  return format.bitsPerValue * blockSize(format) / 8;
}

/** Parts of zeros for a tensor. */
export function emptyParts(
  format: BlockFormat,
  shape: readonly number[],
): BlockParts {
  const { shape: blocks } = format.layout(shape, {}).parts.blocks;
  const data = new Uint8Array(
    blocks.reduce((product, dimension) => product * dimension, 1),
  );
  return { blocks: { dtype: "U8", shape: blocks, data } };
}

/** What a format does its work by: the scalar reference, or what a backend runs. */
export type Way = "reference" | Backend;

/** All of them. */
export const ways: readonly Way[] = ["reference", "wasm", "js"];

/** Runs `work` with the implementation; puts the backend back afterwards. */
function by<T>(
  way: Way,
  format: BlockFormat,
  work: (implementation: BlockFormat["reference"]) => T,
): T {
  if (way === "reference") return work(format.reference);
  const before = backend();
  useBackend(way);
  try {
    return work(format);
  } finally {
    useBackend(before);
  }
}

/** The bytes that a format makes of rows of values. */
export function quantizeBy(
  way: Way,
  format: BlockFormat,
  values: Float32Array,
  columns: number,
  importance?: Float32Array,
): Uint8Array {
  const shape = [values.length / columns, columns];
  const parts = emptyParts(format, shape);
  // ggml writes scales that overflow; what is public here refuses them.
  const options = format.resolve(importance ? { importance } : {}, shape);
  by(
    way,
    format,
    (implementation) =>
      implementation.quantize(values, shape, options, parts, {
        overflow: "keep",
      }),
  );
  return parts.blocks.data;
}

/** The values that a format makes of blocks. */
export function dequantizeBy(
  way: Way,
  format: BlockFormat,
  data: Uint8Array,
): Float32Array {
  const out = new Float32Array(data.length * 8 / format.bitsPerValue);
  const parts: BlockParts = {
    blocks: { dtype: "U8", shape: [data.length], data: data as never },
  };
  by(
    way,
    format,
    (implementation) => implementation.dequantize(parts, [out.length], {}, out),
  );
  return out;
}

/** Where two byte arrays of blocks differ first, for messages; "equal" where they do not. */
export function firstDifference(
  format: BlockFormat,
  actual: Uint8Array,
  expected: Uint8Array,
): string {
  if (actual.length !== expected.length) {
    return `${actual.length} bytes instead of ${expected.length}`;
  }
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  if (at < 0) return "equal";
  const size = blockBytes(format);
  return `block ${Math.floor(at / size)}, byte ${at % size}: ${
    actual[at]
  } instead of ${expected[at]}`;
}
