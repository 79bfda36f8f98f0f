/**
 * How ggml turns the importance of columns into weights of values: importance
 * times √(σ² + x²), so that large values count more, small ones not nothing.
 *
 * @module
 */

const { fround, sqrt } = Math;

/**
 * The sum of squares, added from the first value to the last in float32.
 *
 * @param values The values.
 * @param at Index of the first.
 * @param length How many.
 * @returns The sum.
 */
export function sumOfSquares(
  values: Float32Array,
  at: number,
  length: number,
): number {
  let sum = 0;
  for (let j = at; j < at + length; j++) {
    sum = fround(sum + fround(values[j] * values[j]));
  }
  return sum;
}

/**
 * Weights of consecutive values: importance · √(σ² + x²).
 *
 * @param values The values.
 * @param at Index of the first.
 * @param length How many.
 * @param sigma2 σ².
 * @param importance One weight per column.
 * @param column The column of the first value.
 * @param weights Receives the weights, from index 0 on.
 */
export function importanceWeights(
  values: Float32Array,
  at: number,
  length: number,
  sigma2: number,
  importance: Float32Array,
  column: number,
  weights: Float32Array,
): void {
  for (let j = 0; j < length; j++) {
    const x = values[at + j];
    const magnitude = fround(sqrt(fround(sigma2 + fround(x * x))));
    weights[j] = importance[column + j] * magnitude;
  }
}

/**
 * Weights of a whole row whose σ² is the mean square of the row.
 *
 * @param row The values.
 * @param importance One weight for each.
 * @returns The weights.
 */
export function rowWeights(
  row: Float32Array,
  importance: Float32Array,
): Float32Array {
  const sigma2 = fround(sumOfSquares(row, 0, row.length) / row.length);
  const weights = new Float32Array(row.length);
  importanceWeights(row, 0, row.length, sigma2, importance, 0, weights);
  return weights;
}
