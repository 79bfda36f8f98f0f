/**
 * Bytes at regular distances: taken together, put apart.
 *
 * @module
 */
import type { StridedRange } from "../words/layout.ts";
import { copyPieces, type Pieces } from "./copy_pieces.ts";

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
  if (areShort(range)) return copyPieces(from, to, wholeRuns(range), false);
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
  if (areShort(range)) return copyPieces(to, from, wholeRuns(range), true);
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

function areShort({ length, count }: StridedRange): boolean {
  return count > 1 && length <= SHORT_BYTES;
}

/** Runs in one piece each. */
function wholeRuns({ offset, length, stride, count }: StridedRange): Pieces {
  return { at: offset, stride, count, length, piece: length, apart: 0 };
}
