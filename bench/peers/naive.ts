/**
 * The loop that everybody writes first: the same results as `int4` with one
 * scale per tensor, nothing done for speed.
 *
 * @module
 */

/** Half to even, as numpy rounds. */
function round(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Finds the scale by absmax, quantizes, and packs two codes to a byte. */
export function naiveQuantize(
  values: Float32Array,
  packed: Uint8Array,
): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    largest = Math.max(largest, Math.abs(values[i]));
  }
  const scale = Math.fround(largest / 7) || 1;
  for (let i = 0; i < values.length; i++) {
    const code = Math.max(
      -8,
      Math.min(7, round(Math.fround(values[i] / scale))),
    );
    if (i % 2 === 0) packed[i >> 1] = code & 15;
    else packed[i >> 1] |= (code & 15) << 4;
  }
  return scale;
}

/** Unpacks, extends the sign and scales. */
export function naiveDequantize(
  packed: Uint8Array,
  scale: number,
  values: Float32Array,
): void {
  for (let i = 0; i < values.length; i++) {
    const nibble = i % 2 === 0 ? packed[i >> 1] & 15 : packed[i >> 1] >> 4;
    values[i] = (nibble > 7 ? nibble - 16 : nibble) * scale;
  }
}
