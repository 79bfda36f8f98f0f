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
  range: StridedRange,
  to: Uint8Array,
): void {
  const words = wordsOf(from, range, to);
  if (words) {
    const { apart, together, stride, length } = words;
    for (let run = 0, at = 0; at < together.length; run += stride) {
      for (let i = run; i < run + length; i++, at++) together[at] = apart[i];
    }
    return;
  }
  const { offset, length, stride, count } = range;
  for (let i = 0; i < count; i++) {
    const start = offset + i * stride;
    to.set(from.subarray(start, start + length), i * length);
  }
}

/** Puts runs, which `from` has without gaps, where they belong. */
export function scatter(
  from: Uint8Array,
  range: StridedRange,
  to: Uint8Array,
): void {
  const words = wordsOf(to, range, from);
  if (words) {
    const { apart, together, stride, length } = words;
    for (let run = 0, at = 0; at < together.length; run += stride) {
      for (let i = run; i < run + length; i++, at++) apart[i] = together[at];
    }
    return;
  }
  const { offset, length, stride, count } = range;
  for (let i = 0; i < count; i++) {
    to.set(
      from.subarray(i * length, (i + 1) * length),
      offset + i * stride,
    );
  }
}

/** Runs of up to so many bytes are copied word by word: to make a view of each would take longer. */
const SHORT_BYTES = 256;

/** Short runs as words, with stride and length counted in these; undefined where runs are long or lie amid words. */
function wordsOf(
  apart: Uint8Array,
  { offset, length, stride, count }: StridedRange,
  together: Uint8Array,
) {
  const start = apart.byteOffset + offset;
  const bits = start | together.byteOffset | length | stride;
  if (count <= 1 || length > SHORT_BYTES || bits % 4 !== 0) return undefined;
  const all = (count - 1) * stride + length;
  return {
    apart: new Int32Array(apart.buffer, start, all / 4),
    together: new Int32Array(
      together.buffer,
      together.byteOffset,
      count * length / 4,
    ),
    stride: stride / 4,
    length: length / 4,
  };
}
