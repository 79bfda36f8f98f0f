/**
 * What to do about NaN and infinity in the input.
 *
 * @module
 */

/** Index of the first value that is NaN or infinite, or −1. */
export function firstNonFinite(
  values: ArrayLike<number>,
  from = 0,
  to: number = values.length,
): number {
  for (let i = from; i < to; i++) {
    // x - x is 0 for every finite x and NaN for the others.
    if (values[i] - values[i] !== 0) return i;
  }
  return -1;
}

/** Index of the first number that is not from `min` to `max`, as a NaN is not, or −1. */
export function firstOutside(
  numbers: Float32Array,
  min: number,
  max: number,
): number {
  for (let i = 0; i < numbers.length; i++) {
    if (!(numbers[i] >= min && numbers[i] <= max)) return i;
  }
  return -1;
}

/** Throws a RangeError that names the index of the first NaN or infinity between `from` and `to`. */
export function rejectNonFinite(
  values: ArrayLike<number>,
  from = 0,
  to: number = values.length,
): void {
  const index = firstNonFinite(values, from, to);
  if (index < 0) return;
  throw new RangeError(
    `Cannot quantize ${
      values[index]
    } at index ${index}: nonFinite: "clamp" of quantize() takes NaN as 0 ` +
      "and an infinity as the largest magnitude of its group",
  );
}

/** What schemes throw that find a value which is not finite; who has the whole tensor says which. */
export class NonFinite extends Error {}

/** Finite values whose scale is not finite in the type that it is stored in. */
export class ScaleOverflow extends RangeError {
  /** Index of the group. */
  readonly group: number;
  /** Index of its first value. */
  readonly first: number;
  /** The type of the scale, in words. */
  readonly stored: string;

  /** Tells which group, from which value on, has a scale that this type cannot hold. */
  constructor(group: number, first: number, stored: string) {
    super(
      `Cannot quantize group ${group}, from index ${first} on: its scale overflows ${stored}; ` +
        'pass nonFinite: "clamp" to cut its values to what it can hold',
    );
    this.name = "RangeError";
    this.group = group;
    this.first = first;
    this.stored = stored;
  }
}

/**
 * Runs work on a stretch of a tensor, and tells of an overflow in it by the
 * numbers of the whole tensor.
 *
 * @param group Number of the stretch's first group.
 * @param first Index of its first value.
 * @param work What to run.
 */
export function within<T>(group: number, first: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ScaleOverflow)) throw error;
    throw new ScaleOverflow(
      error.group + group,
      error.first + first,
      error.stored,
    );
  }
}

/** What to do where finite values have a scale that is not: refuse, cut the values, or keep it as the reference does. */
export type Overflow = "throw" | "clamp" | "keep";

/** Bisections of float32 bits: the cut is within 2^-8 of the largest magnitude that does. */
const BISECTIONS = 16;

/**
 * Cuts finite values to the largest magnitude, or a little less, at which their scale is finite.
 *
 * @param values The values of a group whose scale overflows.
 * @param overflows Quantizes what it is given; says whether the scale overflows.
 * It is called with the result last, and has quantized that.
 */
export function clipToScale(
  values: Float32Array,
  overflows: (clipped: Float32Array) => boolean,
): void {
  const limit = new Float32Array(1), bits = new Uint32Array(limit.buffer);
  const clipped = new Float32Array(values.length);
  const overflowsAt = (bitsOfLimit: number): boolean => {
    bits[0] = bitsOfLimit;
    for (let i = 0; i < values.length; i++) {
      clipped[i] = Math.max(-limit[0], Math.min(limit[0], values[i]));
    }
    return overflows(clipped);
  };
  limit[0] = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  // Zeros have a finite scale, the values themselves have not.
  let low = 0, high = bits[0];
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) >>> 1;
    if (overflowsAt(middle)) high = middle;
    else low = middle;
  }
  overflowsAt(low);
}

/**
 * A copy in which NaN is 0 and an infinity is the largest finite magnitude of its
 * group (with its sign), or the values themselves where all are finite.
 *
 * Groups are `group` values long and start anew in each row of `row` values.
 */
export function clampNonFinite(
  values: Float32Array,
  row: number,
  group: number,
): Float32Array {
  if (firstNonFinite(values) < 0) return values;
  const copy = values.slice();
  for (let start = 0; start < copy.length; start += row) {
    const rowEnd = Math.min(start + row, copy.length);
    for (let from = start; from < rowEnd; from += group) {
      clampGroup(copy.subarray(from, Math.min(from + group, rowEnd)));
    }
  }
  return copy;
}

function clampGroup(group: Float32Array): void {
  let largest = 0;
  for (const x of group) {
    if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
  }
  for (let i = 0; i < group.length; i++) {
    if (Number.isNaN(group[i])) group[i] = 0;
    else if (!Number.isFinite(group[i])) {
      group[i] = Math.sign(group[i]) * largest;
    }
  }
}
