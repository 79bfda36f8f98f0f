/**
 * The scale of a tensor, by what libraries store of it: the scale, the number whose
 * inverse it is, or the largest magnitude of which it is the 2688th part.
 *
 * @module
 */

/** The largest E4M3 number times the largest E2M1 number: 448 · 6. */
const LARGEST = 2688;

/** What each role says of the scale, as a fraction. */
const FRACTIONS: Readonly<
  Record<string, (x: number) => readonly [numerator: number, divisor: number]>
> = {
  tensorScale: (x) => [x, 1],
  tensorDivisor: (x) => [1, x],
  tensorAbsmax: (x) => [x, LARGEST],
};

/** The roles. */
export const TENSOR_SCALES: readonly string[] = /* @__PURE__ */ Object.keys(
  FRACTIONS,
);

/**
 * The number of one role by that of another.
 *
 * @param role What is wanted.
 * @param numbers Numbers by role; one of them is the scale of the tensor.
 * @returns The number, a float32.
 * @throws {RangeError} Where no float32 is just that.
 */
export function asTensorScale(
  role: string,
  numbers: Readonly<Record<string, number | ArrayLike<number>>>,
): number {
  const from = TENSOR_SCALES.find((other) => other in numbers)!;
  const given = numbers[from];
  const x = typeof given === "number" ? given : given[0];
  const [a, b] = FRACTIONS[from](x);
  const found = Math.fround(
    role === "tensorDivisor"
      ? b / a
      : role === "tensorAbsmax"
      ? a * LARGEST / b
      : a / b,
  );
  const [c, d] = FRACTIONS[role](found);
  // Products of two float32 are exact.
  if (a * d === c * b && found < Infinity) return found;
  throw new RangeError(
    `Cannot repack: ${from} ${x} is no ${role} that is a float32; ` +
      "quantize anew from the dequantized values instead",
  );
}
