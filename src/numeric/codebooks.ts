/**
 * Codebooks: the values that the sixteen codes stand for.
 *
 * @module
 */

const { fround } = Math;

/** The non-linear grid of ggml's IQ4_NL and IQ4_XS (`kvalues_iq4nl`). */
export const IQ4_VALUES: Int8Array = Int8Array.of(
  ...[-127, -104, -83, -65, -49, -35, -22, -10],
  ...[1, 13, 25, 38, 53, 69, 89, 113],
);

/**
 * The code whose value in {@linkcode IQ4_VALUES} is nearest; a tie goes to the higher one.
 *
 * @param x A float32.
 * @returns The code; 15 for NaN.
 */
export function nearestIq4(x: number): number {
  if (x <= IQ4_VALUES[0]) return 0;
  let upper = 1;
  while (upper < 15 && !(x < IQ4_VALUES[upper])) upper++;
  const below = fround(x - IQ4_VALUES[upper - 1]);
  return below < fround(IQ4_VALUES[upper] - x) ? upper - 1 : upper;
}
