/**
 * The backend in plain JS, for where WebAssembly is forbidden.
 *
 * @module
 */
import { f16ToF32 } from "../numeric/f16.ts";
import type { Chunk, Engine, RowShape } from "./engine.ts";
import type { PackedQuery } from "./query.ts";
import { rotate } from "./rotation.ts";
import { RowQuantizer } from "./rows.ts";

const { fround } = Math;

/** Rows in ordinary arrays. */
export class PlainEngine implements Engine {
  readonly #shape: RowShape;
  readonly #quantizer: RowQuantizer;
  readonly #chunks: Chunk[] = [];
  readonly #keys: Float32Array;
  readonly #hits: Uint32Array;
  #queries: readonly PackedQuery[] = [];
  #scanned = { chunk: 0, rows: 0 };

  /** Starts without any rows. */
  constructor(shape: RowShape) {
    this.#shape = shape;
    this.#quantizer = new RowQuantizer(shape, shape.length);
    this.#keys = new Float32Array(shape.chunkRows);
    this.#hits = new Uint32Array(shape.chunkRows);
  }

  get chunks(): number {
    return this.#chunks.length;
  }

  grow(chunks: number): void {
    const { chunkRows, length, groups } = this.#shape;
    while (this.#chunks.length < chunks) {
      this.#chunks.push({
        codes: new Uint8Array(chunkRows * length / 2),
        scales: new Float32Array(chunkRows),
        norms: new Float32Array(chunkRows),
        fractions: new Uint16Array(chunkRows * groups),
      });
    }
  }

  chunk(index: number): Chunk {
    return this.#chunks[index];
  }

  encode(
    rows: Float32Array,
    center: Float32Array | undefined,
    index: number,
    first: number,
  ): void {
    const { dimension, length, rotation } = this.#shape;
    const chunk = this.#chunks[index], turned = new Float32Array(length);
    for (let row = 0; row < rows.length / dimension; row++) {
      turned.fill(0);
      for (let i = 0; i < dimension; i++) {
        const value = rows[row * dimension + i];
        turned[i] = center ? value - center[i] : value;
      }
      if (rotation) rotate(rotation, turned);
      chunk.scales[first + row] = this.#quantizer.quantize(
        turned,
        rowParts(chunk, first + row, this.#shape),
      );
    }
  }

  load(queries: readonly PackedQuery[]): void {
    this.#queries = queries;
  }

  scan(chunk: number, rows: number): void {
    this.#scanned = { chunk, rows };
  }

  keys(slot: number): Float32Array {
    const { chunk: index, rows } = this.#scanned;
    const chunk = this.#chunks[index], query = this.#queries[slot];
    const { high, low, base } = query;
    for (let row = 0; row < rows; row++) {
      const sum = this.#sum(high, chunk, row);
      const total = low
        ? fround(
          fround(fround(sum) * base) + fround(this.#sum(low, chunk, row)),
        )
        : fround(sum);
      const norm = chunk.norms[row];
      this.#keys[row] = keyOf(total, chunk.scales[row], norm, query);
    }
    return this.#keys.subarray(0, rows);
  }

  #sum(query: Int16Array, chunk: Chunk, row: number): number {
    const { length, grid, groups } = this.#shape;
    const at = row * length / 2;
    if (groups === 0) {
      return sumOf(query, grid.values, chunk.codes, at, 0, length / 2);
    }
    return groupedSum(query, this.#shape, chunk, row);
  }

  atLeast(bound: number, from: number, to: number): Uint32Array {
    let count = 0;
    for (let row = from; row < to; row++) {
      if (this.#keys[row] >= bound) this.#hits[count++] = row;
    }
    return this.#hits.subarray(0, count);
  }
}

/** Views of one row of a chunk. */
export function rowParts(
  { codes, fractions }: Chunk,
  row: number,
  { length, groups }: RowShape,
): { codes: Uint8Array; fractions?: Uint16Array } {
  return {
    codes: codes.subarray(row * length / 2, (row + 1) * length / 2),
    fractions: groups === 0
      ? undefined
      : fractions.subarray(row * groups, (row + 1) * groups),
  };
}

/** Whole numbers, exact in any order. */
function sumOf(
  query: Int16Array,
  levels: Int8Array,
  codes: Uint8Array,
  at: number,
  from: number,
  to: number,
): number {
  let sum = 0;
  for (let i = from; i < to; i++) {
    const byte = codes[at + i];
    sum += levels[byte & 15] * query[2 * i] +
      levels[byte >> 4] * query[2 * i + 1];
  }
  return sum;
}

/**
 * Exact sums of groups, each times its fraction, in four lanes of float32 as a
 * vector register adds them: group g in lane g mod 4.
 */
function groupedSum(
  query: Int16Array,
  { length, groups, grid }: RowShape,
  { codes, fractions }: Chunk,
  row: number,
): number {
  const at = row * length / 2, size = length / 2 / groups;
  const lanes = [0, 0, 0, 0];
  for (let g = 0; g < groups; g++) {
    const from = g * size;
    const sum = sumOf(query, grid.values, codes, at, from, from + size);
    const fraction = f16ToF32(fractions[row * groups + g]);
    lanes[g & 3] = fround(lanes[g & 3] + fround(fround(sum) * fraction));
  }
  return fround(fround(lanes[0] + lanes[1]) + fround(lanes[2] + lanes[3]));
}

/** The score of a row, or minus its squared distance: one rounding for each operation. */
function keyOf(
  sum: number,
  scale: number,
  norm: number,
  { step, offset, metric, norm: own }: PackedQuery,
): number {
  const dot = fround(fround(fround(sum * scale) * step) + offset);
  if (metric === "dot") return dot;
  if (metric === "cosine") {
    return norm > 0 ? fround(fround(dot * own) / norm) : 0;
  }
  return fround(fround(dot * 2) - fround(fround(norm * norm) + own));
}
