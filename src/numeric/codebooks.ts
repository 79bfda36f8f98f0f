/**
 * Codebooks: the values that the sixteen codes stand for.
 *
 * @module
 */

const { fround } = Math;

/** The floats that bits stand for. */
function floatsOf(bits: readonly number[]): Float32Array {
  return new Float32Array(Uint32Array.from(bits).buffer);
}

/** The non-linear grid of ggml's IQ4_NL and IQ4_XS (`kvalues_iq4nl`). */
export const IQ4_VALUES: Int8Array = /* @__PURE__ */ Int8Array.of(
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

/** The values of bitsandbytes' NF4: quantiles of a normal distribution, with a zero. */
export const NF4_VALUES: Float32Array = /* @__PURE__ */ floatsOf([
  ...[0xbf800000, 0xbf3239b1, 0xbf066b30, 0xbeca32a0],
  ...[0xbe91a24d, 0xbe3d353f, 0xbdba7871, 0x00000000],
  ...[0x3da2faff, 0x3e24cae3, 0x3e7c04dd, 0x3ead033a],
  ...[0x3ee1a4b8, 0x3f1007ab, 0x3f3913b3, 0x3f800000],
]);

/**
 * The values of bitsandbytes' FP4: a sign and three bits, by twelfths of the
 * largest. Code 8 is +0.
 */
export const FP4_VALUES: Float32Array = /* @__PURE__ */ floatsOf([
  ...[0x00000000, 0x3baaaaab, 0x3f2aaaab, 0x3f800000],
  ...[0x3eaaaaab, 0x3f000000, 0x3e2aaaab, 0x3e800000],
  ...[0x00000000, 0xbbaaaaab, 0xbf2aaaab, 0xbf800000],
  ...[0xbeaaaaab, 0xbf000000, 0xbe2aaaab, 0xbe800000],
]);

/** Where the CUDA kernels of bitsandbytes, and onnxruntime, part the magnitudes of FP4: a few ulp beside the midpoints. */
export const FP4_THRESHOLDS: Float32Array = /* @__PURE__ */ Float32Array.of(
  ...[0.00260417, 0.0859375, 0.20833333, 0.29166667],
  ...[0.4166667, 0.583333, 0.8333333],
);

/** The codes of FP4 by ascending magnitude. */
export const FP4_ASCENDING: readonly number[] = [0, 1, 6, 7, 4, 5, 2, 3];

/** Where onnxruntime parts the values of NF4: all but four are the midpoints. */
export const NF4_ORT_THRESHOLDS: Float32Array = /* @__PURE__ */ (() => {
  const thresholds = midpoints(NF4_VALUES);
  const bits = new Uint32Array(thresholds.buffer);
  bits[0] = 0xbf591cd9;
  bits[8] = 0x3df64863;
  bits[12] = 0x3f006d03;
  bits[14] = 0x3f5c89d9;
  return thresholds;
})();

/**
 * What bitsandbytes quantizes scales to: 256 values from −1 to 1 in ascending
 * order, evenly spaced within each of seven decades, 1 to 64 of either sign.
 */
export function dynamicMap(): Float32Array {
  const values = [0, 1];
  // Written out: powers are not exactly defined in JavaScript.
  [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1].forEach((decade, i) => {
    for (const mean of midpoints(tenthToOne(2 ** i + 1))) {
      const value = fround(fround(decade) * mean);
      values.push(value, -value);
    }
  });
  return Float32Array.from(values).sort();
}

/** Evenly spaced numbers from 0.1 to 1, each half counted from its own end, as torch does. */
function tenthToOne(count: number): Float32Array {
  const first = fround(0.1), step = fround(fround(1 - first) / (count - 1));
  return Float32Array.from(
    { length: count },
    (_, k) => k < count >> 1 ? first + step * k : 1 - step * (count - 1 - k),
  );
}

/** The float32 between each two neighbours of an ascending table. */
export function midpoints(ascending: Float32Array): Float32Array {
  return Float32Array.from(
    { length: ascending.length - 1 },
    (_, i) => fround(ascending[i] + ascending[i + 1]) / 2,
  );
}

/**
 * How many thresholds a number is above: the place of the nearest entry of an
 * ascending table whose {@linkcode midpoints} they are, a tie going to the lower.
 *
 * @param thresholds In ascending order.
 * @param x Any number but NaN.
 */
export function nearest(thresholds: Float32Array, x: number): number {
  let low = 0, high = thresholds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x > thresholds[middle]) low = middle + 1;
    else high = middle;
  }
  return low;
}
