/**
 * What the bytes of tensors are when they are read: as they lie, with rows in another
 * order, as another dtype. Nothing is computed before it is asked for.
 *
 * @module
 */
import type { ByteSource } from "../files/bytes.ts";
import {
  type EncodedDtype,
  encodeFloats,
  readFloats,
} from "../files/floats.ts";
import type { TensorEntry } from "../files/tensors.ts";
import { dtypeBytes } from "../numeric/dtypes.ts";
import { decodeF16, encodeF16 } from "../numeric/f16.ts";

/** The bytes of a tensor. */
export interface Contents {
  /**
   * Fills `into` with the bytes from `from` on.
   *
   * @param from Where in the tensor.
   * @param into Where to.
   */
  read(from: number, into: Uint8Array): Promise<void>;
}

/** Values that are decoded at a time. */
const STEP_VALUES = 1 << 16;

/** The bytes of a tensor as they lie. */
export function asTheyLie(source: ByteSource, offset: number): Contents {
  return { read: (from, into) => source.read(offset + from, into) };
}

/** Bytes that are in memory. */
export function inMemory(bytes: Uint8Array): Contents {
  return {
    read(from, into) {
      into.set(bytes.subarray(from, from + into.length));
      return Promise.resolve();
    },
  };
}

/**
 * The rows of a query or key projection in the order of llama.cpp's rotation.
 *
 * Hugging Face rotates the first half of a head against the second, llama.cpp (for the
 * llama family) neighbours: row `2i + j` of a head here is row `i + j·size/2` there.
 * So rows that follow each other lie in two runs, and take two reads.
 *
 * @param contents The bytes.
 * @param rowBytes Bytes of a row.
 * @param headRows Rows of a head; an even number.
 */
export function interleaved(
  contents: Contents,
  rowBytes: number,
  headRows: number,
): Contents {
  const half = headRows / 2;
  const rowBehind = (row: number) => {
    const place = row % headRows;
    return row - place + (place >> 1) + (place % 2) * half;
  };
  /** A part of one row. */
  const readPart = (at: number, into: Uint8Array) =>
    contents.read(
      rowBehind(Math.floor(at / rowBytes)) * rowBytes + at % rowBytes,
      into,
    );
  /** Whole rows of one head. */
  const readRows = async (first: number, into: Uint8Array) => {
    const count = into.length / rowBytes;
    for (const start of [0, 1]) {
      const own = Math.ceil((count - start) / 2);
      if (own <= 0) continue;
      const run = new Uint8Array(own * rowBytes);
      await contents.read(rowBehind(first + start) * rowBytes, run);
      for (let i = 0; i < own; i++) {
        const row = run.subarray(i * rowBytes, (i + 1) * rowBytes);
        into.set(row, (2 * i + start) * rowBytes);
      }
    }
  };
  return {
    async read(from, into) {
      let filled = 0;
      while (filled < into.length) {
        const at = from + filled, left = into.length - filled;
        const row = Math.floor(at / rowBytes), inRow = at % rowBytes;
        if (inRow > 0 || left < rowBytes) {
          const count = Math.min(left, rowBytes - inRow);
          await readPart(at, into.subarray(filled, filled + count));
          filled += count;
          continue;
        }
        const toEnd = headRows - row % headRows;
        const rows = Math.min(toEnd, Math.floor(left / rowBytes));
        await readRows(row, into.subarray(filled, filled + rows * rowBytes));
        filled += rows * rowBytes;
      }
    },
  };
}

/**
 * Values as another dtype.
 *
 * @param contents The bytes.
 * @param entry What they are.
 * @param dtype What they become.
 * @param plus What is added to each value; the sum is rounded to the dtype of binary16 values, as
 * torch rounds it, and to float32 for all others.
 */
export function castTo(
  contents: Contents,
  entry: TensorEntry,
  dtype: EncodedDtype,
  plus = 0,
): Contents {
  const file = {
    source: {
      name: entry.name,
      size: entry.byteLength,
      read: contents.read,
      close: () => Promise.resolve(),
    },
  };
  const own = { ...entry, offset: 0 };
  const size = dtypeBytes(dtype);
  const step = async (first: number, count: number) => {
    const values = new Float32Array(count);
    await readFloats(file, own, first, values);
    if (plus !== 0) add(values, plus, entry.dtype);
    return encodeFloats(values, dtype);
  };
  return {
    async read(from, into) {
      let filled = 0;
      while (filled < into.length) {
        const at = from + filled, first = Math.floor(at / size);
        const last = Math.ceil((from + into.length) / size);
        const bytes = await step(first, Math.min(STEP_VALUES, last - first));
        const skipped = at - first * size;
        const part = bytes.subarray(skipped, skipped + into.length - filled);
        into.set(part, filled);
        filled += part.length;
      }
    },
  };
}

function add(values: Float32Array, plus: number, dtype: string): void {
  for (let i = 0; i < values.length; i++) values[i] += plus;
  if (dtype !== "F16") return;
  const halves = new Uint16Array(values.length);
  encodeF16(values, halves);
  decodeF16(halves, values);
}
