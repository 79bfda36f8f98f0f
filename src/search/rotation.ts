/**
 * A rotation that spreads what a row holds evenly over its dimensions, so that
 * one scale suits them all: random signs, Hadamard transforms of blocks, and
 * between two rounds of that a random permutation. It is its own length in any
 * dimension that is a multiple of 32; dot products stay what they were.
 *
 * Only float32 additions, subtractions and one multiplication for each value
 * and round, in a fixed order: the same bits everywhere.
 *
 * @module
 */

/** One round: `to[i] = from[order[i]] · factors[i]`, then the blocks. */
export interface Round {
  /** Where each value comes from. */
  readonly order: Uint32Array;
  /** Sign, and 1 / √block, which keeps lengths. */
  readonly factors: Float32Array;
}

/** The tables of a rotation. */
export interface Rotation {
  /** The seed that it was made from. */
  readonly seed: number;
  /** How many dimensions it turns. */
  readonly length: number;
  /** Sizes of the blocks, powers of two, that follow each other. */
  readonly blocks: readonly number[];
  /** One where there is one block, else two. */
  readonly rounds: readonly Round[];
}

/** Random 32-bit numbers (splitmix32): a counter, and a mixer of its bits. */
export function randomWords(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

/** Makes the tables of a rotation of `length` dimensions, a multiple of 32. */
export function makeRotation(length: number, seed: number): Rotation {
  const blocks = powersOf(length);
  const random = randomWords(seed);
  const count = blocks.length === 1 ? 1 : 2;
  const rounds = Array.from({ length: count }, (_, round) => {
    const order = Uint32Array.from({ length }, (_, i) => i);
    if (round > 0) shuffle(order, random);
    const factors = new Float32Array(length);
    let at = 0;
    for (const block of blocks) {
      const factor = 1 / Math.sqrt(block);
      for (const end = at + block; at < end; at++) {
        factors[at] = random() < 0x80000000 ? factor : -factor;
      }
    }
    return { order, factors };
  });
  return { seed, length, blocks, rounds };
}

/** The binary digits of a length, the largest first. */
function powersOf(length: number): number[] {
  const powers: number[] = [];
  for (let rest = length; rest > 0; rest -= powers.at(-1)!) {
    powers.push(2 ** (31 - Math.clz32(rest)));
  }
  return powers;
}

/** Fisher and Yates. */
function shuffle(order: Uint32Array, random: () => number): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() / 2 ** 32 * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
}

/**
 * Turns a vector.
 *
 * @param rotation The tables.
 * @param values What is turned, in place.
 */
export function rotate(rotation: Rotation, values: Float32Array): void {
  const turned = new Float32Array(rotation.length);
  for (const { order, factors } of rotation.rounds) {
    for (let i = 0; i < turned.length; i++) {
      turned[i] = values[order[i]] * factors[i];
    }
    let at = 0;
    for (const block of rotation.blocks) {
      hadamard(turned.subarray(at, at + block));
      at += block;
    }
    values.set(turned);
  }
}

/**
 * Turns a vector back.
 *
 * @param rotation The tables.
 * @param values What is turned, in place.
 */
export function rotateBack(rotation: Rotation, values: Float32Array): void {
  for (const { order, factors } of rotation.rounds.toReversed()) {
    const turned = values.slice();
    let at = 0;
    for (const block of rotation.blocks) {
      hadamard(turned.subarray(at, at + block));
      at += block;
    }
    for (let i = 0; i < turned.length; i++) {
      values[order[i]] = turned[i] * factors[i];
    }
  }
}

/** Sums and differences at distances 1, 2, 4 …; storing rounds each to float32. */
function hadamard(values: Float32Array): void {
  for (let distance = 1; distance < values.length; distance *= 2) {
    for (let start = 0; start < values.length; start += 2 * distance) {
      for (let i = start; i < start + distance; i++) {
        const a = values[i], b = values[i + distance];
        values[i] = a + b;
        values[i + distance] = a - b;
      }
    }
  }
}
