/**
 * Orders: where each value of a unit has its code. Nibble 2k is the low half of
 * byte k, nibble 2k + 1 its high half; fewer bits are counted likewise.
 *
 * @module
 */

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, k) => k);
}

/** Orders that are kept: longer ones are as long as rows, of any number. */
const LONGEST_KEPT = 256;

/** Keeps orders by their length, since what halves.ts works out for one is kept with the array. */
function kept(
  orders: Map<number, readonly number[]>,
  n: number,
  make: () => readonly number[],
): readonly number[] {
  const known = orders.get(n);
  if (known) return known;
  const order = make();
  if (n <= LONGEST_KEPT) orders.set(n, order);
  return order;
}

const lowFirsts = /* @__PURE__ */ new Map<number, readonly number[]>();
const highFirsts = /* @__PURE__ */ new Map<number, readonly number[]>();

/** One after the other from the lowest bits on: the first of two values in the low nibble. */
export function lowFirst(n: number): readonly number[] {
  return kept(lowFirsts, n, () => upTo(n));
}

/** The first of two values in the high nibble. */
export function highFirst(n: number): readonly number[] {
  return kept(highFirsts, n, () => upTo(n).map((k) => k ^ 1));
}

/** Of each run of `run` values the first half in low nibbles, the second half in high nibbles. */
export function halves(n: number, run: number): number[] {
  return across(n, run / 2, 2);
}

/**
 * Across `bytes` bytes: one value to each, then again in their next higher bits,
 * `perByte` times; then the same in the bytes after them.
 */
export function across(n: number, bytes: number, perByte: number): number[] {
  const run = bytes * perByte;
  return upTo(n).map((k) => {
    const at = k % run;
    return k - at + (at % bytes) * perByte + Math.floor(at / bytes);
  });
}

/** AutoAWQ's order of eight values in a word. */
export const AWQ_ORDER: readonly number[] = [0, 4, 1, 5, 2, 6, 3, 7];
