/**
 * Largest magnitude and range of a run of floats, in plain JS.
 *
 * @module
 */

const INFINITY_BITS = 0x7f800000;

const float = /* @__PURE__ */ new Float32Array(1);
const floatBits = /* @__PURE__ */ new Int32Array(float.buffer);

function intsOf(src: Float32Array): Int32Array {
  return new Int32Array(src.buffer, src.byteOffset, src.length);
}

/** Magnitude bits of `src[from]` … `src[to - 1]`: integers compare faster than floats, and NaN comes out on top. */
function largestBits(ints: Int32Array, from: number, to: number): number {
  let a = 0, b = 0, c = 0, d = 0, i = from;
  for (const body = from + ((to - from) & ~3); i < body; i += 4) {
    const p = ints[i] & 0x7fffffff, q = ints[i + 1] & 0x7fffffff;
    const r = ints[i + 2] & 0x7fffffff, s = ints[i + 3] & 0x7fffffff;
    if (p > a) a = p;
    if (q > b) b = q;
    if (r > c) c = r;
    if (s > d) d = s;
  }
  for (; i < to; i++) a = Math.max(a, ints[i] & 0x7fffffff);
  return Math.max(a, b, c, d);
}

/** Largest magnitude of a stretch; NaN or Infinity where a value is one. */
export function magnitudeOf(
  src: Float32Array,
  from: number,
  to: number,
): number {
  floatBits[0] = largestBits(intsOf(src), from, to);
  return float[0];
}

/** Smallest and largest value of a stretch that starts with `[low, high]`. */
export function rangeOf(
  src: Float32Array,
  from: number,
  to: number,
  low: number,
  high: number,
): [number, number] {
  for (let i = from; i < to; i++) {
    const x = src[i];
    if (x < low) low = x;
    if (x > high) high = x;
  }
  return [low, high];
}

/** Twin of the kernel `magnitude`: state is the bits of the largest magnitude so far. */
export function magnitude(
  n: number,
  src: Float32Array,
  state: Int32Array,
): number {
  state[0] = Math.max(state[0], largestBits(intsOf(src), 0, n));
  return state[0] >= INFINITY_BITS ? 1 : 0;
}

/** Twin of the kernel `range`: state is min, max and the largest magnitude so far. */
export function range(
  n: number,
  src: Float32Array,
  state: Float32Array,
): number {
  const top = magnitudeOf(src, 0, n);
  [state[0], state[1]] = rangeOf(src, 0, n, state[0], state[1]);
  if (!(top <= state[2])) state[2] = top;
  return Number.isFinite(top) ? 0 : 1;
}
