/**
 * The halves of bytes, and which values have their codes there.
 *
 * @module
 */

/** Which value of a unit has its code in which half of each byte. */
export interface Halves {
  /** In the low halves. */
  readonly low: Uint16Array;
  /** In the high halves. */
  readonly high: Uint16Array;
  /** Which of two neighbours is in the low half, where that says it all. */
  readonly first?: "low" | "high";
  /** Whether values lie in fours: those of four bytes follow each other, in the low halves and in the high ones. */
  readonly inFours: boolean;
}

const known = new WeakMap<readonly number[], Halves>();

/** The halves of an order of nibbles; worked out once for each array. */
export function halvesOf(nibbles: readonly number[]): Halves {
  let halves = known.get(nibbles);
  if (!halves) known.set(nibbles, halves = invert(nibbles));
  return halves;
}

function invert(nibbles: readonly number[]): Halves {
  const low = new Uint16Array(nibbles.length / 2), high = low.slice();
  nibbles.forEach((nibble, k) => (nibble & 1 ? high : low)[nibble >> 1] = k);
  const first = nibbles.every((nibble, k) => nibble === k)
    ? "low"
    : nibbles.every((nibble, k) => nibble === (k ^ 1))
    ? "high"
    : undefined;
  const inFours = low.length % 4 === 0 &&
    [low, high].every((half) =>
      half.every((k, byte) => k === half[byte & ~3] + (byte & 3)) &&
      half.every((k, byte) => byte % 4 !== 0 || k % 4 === 0)
    );
  return { low, high, first, inFours };
}
