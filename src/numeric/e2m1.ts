/**
 * E2M1, the 4-bit float: 0, 0.5, 1, 1.5, 2, 3, 4, 6; code + 8 negates.
 *
 * @module
 */

const { abs, fround } = Math;

/** Twice the value of each code, so that all are integers. Code 8 is ggml's, +0 in place of −0. */
export const E2M1_DOUBLED: Int8Array = /* @__PURE__ */ Int8Array.of(
  ...[0, 1, 2, 3, 4, 6, 8, 12],
  ...[0, -1, -2, -3, -4, -6, -8, -12],
);

/**
 * The first code whose value is nearest to a number: ties go toward zero, and
 * code 8 is never the answer.
 *
 * @param x A float32.
 * @param halfScale Half the scale of the block.
 * @returns The code.
 */
export function nearestE2M1(x: number, halfScale: number): number {
  let best = 0;
  let least = abs(x);
  for (let code = 1; code < 16; code++) {
    const error = abs(fround(fround(E2M1_DOUBLED[code] * halfScale) - x));
    if (error < least) {
      best = code;
      least = error;
    }
  }
  return best;
}

/** Halfway between the magnitudes of neighbouring codes. */
const TIES: readonly number[] = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5];

/**
 * The same with ties toward zero.
 *
 * @param magnitude A number that is not negative.
 * @returns The code, 0 … 7.
 */
export function lowE2M1(magnitude: number): number {
  let code = 0;
  while (code < 7 && magnitude > TIES[code]) code++;
  return code;
}

/**
 * The code whose value is nearest to a number, sign included: ties go to the even
 * code, and what has the sign of −0 has code 8 at least.
 *
 * @param x A number.
 * @returns The code, 0 … 15.
 */
export function signedE2M1(x: number): number {
  return evenE2M1(abs(x)) | (x < 0 || Object.is(x, -0) ? 8 : 0);
}

/**
 * The code whose value is nearest to a magnitude: ties go to the even code, what
 * is beyond 6 becomes 6.
 *
 * @param magnitude A number that is not negative.
 * @returns The code, 0 … 7; 7 for NaN.
 */
export function evenE2M1(magnitude: number): number {
  let code = 0;
  while (
    code < 7 &&
    !(code % 2 === 0 ? magnitude <= TIES[code] : magnitude < TIES[code])
  ) code++;
  return code;
}
