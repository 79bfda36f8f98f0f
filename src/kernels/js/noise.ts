/**
 * The sums behind a signal-to-noise ratio in plain JS.
 *
 * @module
 */

/** Twin of `noise_sums`. Stretches of extreme values, whose squares leave float32, are left to {@linkcode addNoise}. */
export function noiseSums(
  n: number,
  expected: Float32Array,
  actual: Float32Array,
  state: Float64Array,
): number {
  const { fround } = Math;
  let signal0 = 0, signal1 = 0, noise0 = 0, noise1 = 0;
  const body = n & ~15;
  for (let i = 0; i < body; i += 16) {
    for (let lane = i; lane < i + 4; lane++) {
      const a = expected[lane], b = expected[lane + 4];
      const c = expected[lane + 8], d = expected[lane + 12];
      const p = fround(a - actual[lane]), q = fround(b - actual[lane + 4]);
      const r = fround(c - actual[lane + 8]), s = fround(d - actual[lane + 12]);
      const x = fround(
        fround(fround(a * a) + fround(b * b)) +
          fround(fround(c * c) + fround(d * d)),
      );
      const e = fround(
        fround(fround(p * p) + fround(q * q)) +
          fround(fround(r * r) + fround(s * s)),
      );
      if ((lane & 1) === 0) {
        signal0 += x;
        noise0 += e;
      } else {
        signal1 += x;
        noise1 += e;
      }
    }
  }
  const rest = [noise0 + noise1, signal0 + signal1];
  addNoise(expected.subarray(body, n), actual.subarray(body, n), rest);
  const [ee, xx] = rest;
  // Squares below 1e-38 vanish in float32, and above 3e38 they are infinite.
  if (!(xx > 1e-24 && xx < 1e30 && ee < 1e30)) return 1;
  state[0] += ee;
  state[1] += xx;
  return 0;
}

/** The same in float64 throughout, one value at a time. */
export function addNoise(
  expected: Float32Array,
  actual: Float32Array,
  state: number[] | Float64Array,
): void {
  for (let i = 0; i < expected.length; i++) {
    const error = expected[i] - actual[i];
    state[0] += error * error;
    state[1] += expected[i] * expected[i];
  }
}
