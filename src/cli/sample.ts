/**
 * Numbers that look like the weights of a network, the same on every machine.
 *
 * @module
 */

/** Standard deviation of most weights of a trained layer. */
const SPREAD = 0.02;
/** Every so many columns one is larger: real weights have such outliers. */
const OUTLIER_COLUMNS = 97;
const OUTLIER_FACTOR = 4;

/**
 * Makes a matrix of weights: sums of uniform numbers, which are nearly normal,
 * with some columns larger than the rest.
 *
 * @param rows How many rows.
 * @param columns How many columns.
 * @param into Where they go; a new array by default.
 * @returns The values in row-major order.
 */
export function weightLike(
  rows: number,
  columns: number,
  into: Float32Array = new Float32Array(rows * columns),
): Float32Array {
  let state = 0x2545f491;
  const uniform = () => {
    // xorshift32: only integer steps, so that all engines agree.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32 - 0.5;
  };
  for (let i = 0; i < rows * columns; i++) {
    // The sum of twelve has a variance of 1; four do, scaled by the root of 3.
    const normal = (uniform() + uniform() + uniform() + uniform()) * 1.73205;
    const factor = i % columns % OUTLIER_COLUMNS === 0 ? OUTLIER_FACTOR : 1;
    into[i] = normal * factor * SPREAD;
  }
  return into;
}
