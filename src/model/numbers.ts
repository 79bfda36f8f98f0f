/**
 * What to say of a number in a part that no writer puts there.
 *
 * @module
 */

/**
 * An error that names part and place of a number.
 *
 * @param format The format.
 * @param part The part.
 * @param index Where in the part.
 * @param seen The number.
 * @param wanted What it must be, to go after "it must be".
 */
export function badNumber(
  format: string,
  part: string,
  index: number,
  seen: number,
  wanted: string,
): RangeError {
  const shown = Object.is(seen, -0) ? "-0" : String(seen);
  return new RangeError(
    `Cannot dequantize ${format}: part "${part}" is ${shown} at index ${index}, ` +
      `it must be ${wanted}; the tensor is damaged or of another format`,
  );
}
