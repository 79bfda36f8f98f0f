/**
 * Arrays that share memory: what is read must not change while results are written.
 *
 * @module
 */

/** Whether two arrays have a byte in common. */
export function overlap(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength;
}

/**
 * An array to read from while results are written: the array itself, or a copy
 * where it shares memory with one of them.
 *
 * @param array What is read.
 * @param written Where results go.
 */
export function apartFrom<Input extends ArrayBufferView & { slice(): Input }>(
  array: Input,
  written: readonly ArrayBufferView[],
): Input {
  return written.some((result) => overlap(array, result))
    ? array.slice()
    : array;
}

/**
 * Throws a RangeError that names two results that share memory: one would be
 * written over by the other.
 *
 * @param results The parts where results go, by name.
 */
export function rejectOverlap(
  results: Readonly<Record<string, { readonly data: ArrayBufferView }>>,
): void {
  const names = Object.keys(results);
  for (let i = 1; i < names.length; i++) {
    for (let k = 0; k < i; k++) {
      if (!overlap(results[names[k]].data, results[names[i]].data)) continue;
      throw new RangeError(
        `Cannot use into: its parts "${names[k]}" and "${
          names[i]
        }" share memory; give each its own`,
      );
    }
  }
}
