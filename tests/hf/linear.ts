/**
 * Sums of vectors, written to be read.
 *
 * @module
 */

/** The values of a token. */
export type Vector = Float64Array<ArrayBuffer>;

/** The scalar product. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The sum. */
export function plus(a: Vector, b: ArrayLike<number>): Vector {
  return a.map((value, i) => value + b[i]);
}

/** Weights that grow with the powers of `x`, and are one in all. */
export function softmax(x: Vector): Vector {
  const most = Math.max(...x),
    powers = x.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
