/**
 * The sums behind `compare` in plain JS.
 *
 * @module
 */

/** Twin of `compare_sums`: six quantities in four columns each, added in the kernel's order. */
export function compareSums(
  n: number,
  expected: Float32Array,
  actual: Float32Array,
  state: Float64Array,
): number {
  for (let i = 0; i < n; i++) {
    const x = expected[i],
      y = actual[i],
      error = x - y,
      size = Math.abs(error),
      column = i & 3;
    state[column] += error * error;
    state[4 + column] += size;
    state[8 + column] += x * x;
    state[12 + column] += y * y;
    state[16 + column] += x * y;
    if (size > state[20 + column]) state[20 + column] = size;
  }
  return 0;
}
