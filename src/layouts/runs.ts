/**
 * Bytes at regular distances: taken together, put apart.
 *
 * @module
 */
import type { StridedRange } from "../words/layout.ts";

/** Bytes of all runs. */
export function totalOf({ length, count }: StridedRange): number {
  return length * count;
}

/** Takes runs out of bytes; `to` has them without gaps. */
export function gather(
  from: Uint8Array,
  { offset, length, stride, count }: StridedRange,
  to: Uint8Array,
): void {
  for (let i = 0; i < count; i++) {
    const start = offset + i * stride;
    to.set(from.subarray(start, start + length), i * length);
  }
}

/** Puts runs, which `from` has without gaps, where they belong. */
export function scatter(
  from: Uint8Array,
  { offset, length, stride, count }: StridedRange,
  to: Uint8Array,
): void {
  for (let i = 0; i < count; i++) {
    to.set(
      from.subarray(i * length, (i + 1) * length),
      offset + i * stride,
    );
  }
}
