/**
 * Rounding as the references do it.
 *
 * @module
 */

// The sum of a magnitude below 2^51 and 1.5 * 2^52 has no room for a fraction,
// so the addition itself rounds half to even.
const MAGIC = 6755399441055744;

/** Rounds half to even, for magnitudes below 2^51; larger ones are whole already. Keeps infinities, NaN and −0. */
export function roundHalfToEven(x: number): number {
  if (!(Math.abs(x) < 2251799813685248)) return x;
  const rounded = x + MAGIC - MAGIC;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

/** Rounds half away from zero, as C's roundf does. */
export function roundHalfAway(x: number): number {
  const whole = Math.trunc(x);
  return Math.abs(x - whole) < 0.5 ? whole : whole + Math.sign(x);
}

/** The nearest of low … high. */
export function clamp(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x;
}
