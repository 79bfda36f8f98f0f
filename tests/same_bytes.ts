/**
 * Equality of large arrays by their bytes. `assertEquals` walks typed arrays
 * like any object, which takes minutes over a whole suite.
 *
 * @module
 */
import { assertEquals, fail } from "@std/assert";

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Fails, naming the first byte that differs, unless two arrays have the same bytes. */
export function assertSameBytes(
  actual: ArrayBufferView,
  expected: ArrayBufferView,
  message = "arrays",
): void {
  const a = bytesOf(actual), b = bytesOf(expected);
  assertEquals(a.length, b.length, `${message}: length in bytes`);
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) {
      fail(`${message}: byte ${i} is ${a[i]}, expected ${b[i]}`);
    }
  }
}
