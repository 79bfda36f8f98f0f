/**
 * One NaN for all. Which NaN an operation makes of what differs between
 * processors (∞·0 is negative on x86 and positive on ARM), between engines (they
 * may change a NaN whenever it is stored as a float) and between backends. Where
 * values can be NaN their bits are set, as integers.
 *
 * @module
 */

/** The bits of every NaN that a dequantizer gives: quiet, positive, without payload. */
const NAN_BITS = 0x7fc00000;

/**
 * Gives all NaNs of a stretch the same bits.
 *
 * @param values The values.
 * @param from Index of the first.
 * @param to Index beyond the last.
 */
export function settleNaNs(
  values: Float32Array,
  from = 0,
  to: number = values.length,
): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = from; i < to; i++) {
    if (Number.isNaN(values[i])) bits[i] = NAN_BITS;
  }
}

/** The product of two numbers of at most this magnitude and an entry of a grid is finite: a NaN takes others. */
export const SURELY_FINITE = 2 ** 60;

/** Whether a value that is made of such numbers can be a NaN: it takes some that are not finite, or products that overflow. */
export function mayMakeNaNs(
  fields: Readonly<Record<string, Float32Array>>,
): boolean {
  for (const field of Object.values(fields)) {
    for (let i = 0; i < field.length; i++) {
      if (!(Math.abs(field[i]) <= SURELY_FINITE)) return true;
    }
  }
  return false;
}
