/**
 * Values of groups that have a byte each, by a table for every byte, in plain JS.
 *
 * @module
 */

/** Twin of `table_planes`, which leaves tables as they are. */
export function takeTables(
  n: number,
  floats: Float32Array,
  tables: Uint32Array,
): number {
  // Bits stay as they are, those of NaNs too.
  tables.set(new Uint32Array(floats.buffer, floats.byteOffset, 16 * n));
  return 0;
}

/**
 * Twin of `table_decode`.
 *
 * @param n How many values: whole groups.
 * @param packed Two codes to a byte, the first in its lower half.
 * @param bytes One for each group.
 * @param out One float for each value.
 * @param tables The bits of sixteen floats for each byte.
 * @param group How many values share a byte.
 */
export function decodeByTables(
  n: number,
  packed: Uint8Array,
  bytes: Uint8Array,
  out: Float32Array,
  tables: Uint32Array,
  group: number,
): number {
  const bits = new Uint32Array(out.buffer, out.byteOffset, n);
  for (let i = 0, g = 0; i < n; g++) {
    const table = bytes[g] << 4;
    for (const end = i + group; i < end; i += 2) {
      const two = packed[i >> 1];
      bits[i] = tables[table | two & 15];
      bits[i + 1] = tables[table | two >> 4];
    }
  }
  return 0;
}
