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
    } at index ${index}: pass nonFinite: "clamp" to take NaN as 0 ` +
      "and an infinity as the largest magnitude of its group",
  );
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
