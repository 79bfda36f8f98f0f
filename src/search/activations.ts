/**
 * Activations as whole numbers: blocks of 32 with a step each.
 *
 * @module
 */

/** Values in a block. */
export const BLOCK = 32;

/** Blocks whose facts lie together. */
const LANES = 4;

/** Numbers that a fact about a block takes: steps, sums, products of both. */
const FACTS = 3;

const LARGEST = 32767;

/** A vector, rounded to 16 bits. */
export interface Activations {
  /** Blocks of 32. */
  readonly blocks: number;
  /** Whole numbers, in the order that a format wants within each block. */
  readonly numbers: Int16Array;
  /** Float32 for each block: times its numbers it is the block. */
  readonly steps: Float32Array;
  /** Sums of the numbers of each block. */
  readonly sums: Int32Array;
  /** step · sum, float32. */
  readonly totals: Float32Array;
}

/**
 * Packs a vector.
 *
 * @param values As many as fill whole blocks, finite.
 * @param order Where value i of a block goes; the same for all blocks.
 * @returns The vector.
 */
export function packActivations(
  values: Float32Array,
  order: Uint8Array,
): Activations {
  const blocks = values.length / BLOCK;
  const packed = {
    blocks,
    numbers: new Int16Array(values.length),
    steps: new Float32Array(blocks),
    sums: new Int32Array(blocks),
    totals: new Float32Array(blocks),
  };
  for (let b = 0; b < blocks; b++) {
    const from = b * BLOCK;
    let largest = 0;
    for (let i = 0; i < BLOCK; i++) {
      largest = Math.max(largest, Math.abs(values[from + i]));
    }
    const units = largest === 0 ? 0 : LARGEST / largest;
    let sum = 0;
    for (let i = 0; i < BLOCK; i++) {
      const number = Math.floor(values[from + i] * units + 0.5);
      packed.numbers[from + order[i]] = number;
      sum += number;
    }
    packed.steps[b] = largest / LARGEST;
    packed.sums[b] = sum;
    packed.totals[b] = packed.steps[b] * sum;
  }
  return packed;
}

/** Bytes of the facts of so many blocks. */
export function factBytes(blocks: number): number {
  return Math.ceil(blocks / LANES) * LANES * FACTS * 4;
}

/** Writes facts as the kernels read them, four blocks after four. */
export function writeFacts(
  { blocks, steps, sums, totals }: Activations,
  buffer: ArrayBufferLike,
  at: number,
): void {
  const size = factBytes(blocks) / 4;
  const floats = new Float32Array(buffer, at, size).fill(0);
  const ints = new Int32Array(buffer, at, size);
  for (let b = 0; b < blocks; b++) {
    const lane = Math.floor(b / LANES) * LANES * FACTS + b % LANES;
    floats[lane] = steps[b];
    ints[lane + LANES] = sums[b];
    floats[lane + 2 * LANES] = totals[b];
  }
}
