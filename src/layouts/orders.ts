/**
 * Nibble orders: where each value of a unit has its code. Nibble 2k is the low
 * half of byte k, nibble 2k + 1 its high half.
 *
 * @module
 */

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, k) => k);
}

/** The first of two values in the low nibble. */
export function lowFirst(n: number): number[] {
  return upTo(n);
}

/** The first of two values in the high nibble. */
export function highFirst(n: number): number[] {
  return upTo(n).map((k) => k ^ 1);
}

/** Of each run of `run` values the first half in low nibbles, the second half in high nibbles. */
export function halves(n: number, run: number): number[] {
  return upTo(n).map((k) => {
    const start = k - k % run, at = k % run, half = run / 2;
    return at < half ? start + 2 * at : start + 2 * (at - half) + 1;
  });
}

/** AutoAWQ's order of eight values in a word. */
export const AWQ_ORDER: readonly number[] = [0, 4, 1, 5, 2, 6, 3, 7];
