/**
 * The bytes of a GGUF that is nowhere: a header in memory, and tensors that are read
 * from where they are.
 *
 * @module
 */
import type { ByteSource } from "../files/bytes.ts";
import type { GgufPlan } from "../files/gguf_write.ts";
import type { Contents } from "./contents.ts";

/**
 * Makes the bytes of a plan readable.
 *
 * @param from What the tensors are read from; closed with the result, and named as it.
 * @param plan Header and places.
 * @param contents The bytes of each tensor of the plan.
 * @returns The bytes of the whole, zeros between tensors included.
 */
export function ggufSource(
  from: ByteSource,
  { header, tensors, size }: GgufPlan,
  contents: readonly Contents[],
): ByteSource {
  const ends = [
    header.length,
    ...tensors.map(({ offset, byteLength }) => offset + byteLength),
  ];
  const pieces: readonly Contents[] = [
    { read: (at, into) => copy(header, at, into) },
    ...contents,
  ];
  const starts = [0, ...tensors.map(({ offset }) => offset)];
  return {
    name: from.name,
    size,
    close: () => from.close(),
    async read(offset, into) {
      if (!(offset >= 0 && offset + into.length <= size)) {
        throw new RangeError(
          `Cannot read ${from.name} at byte ${offset}: ${into.length} bytes are not all there`,
        );
      }
      let filled = 0;
      while (filled < into.length) {
        const at = offset + filled, no = lastAtOrBefore(starts, at);
        const isPadding = at >= ends[no];
        const end = isPadding ? starts[no + 1] ?? size : ends[no];
        const part = into.subarray(filled, filled + end - at);
        if (isPadding) part.fill(0);
        else await pieces[no].read(at - starts[no], part);
        filled += part.length;
      }
    },
  };
}

function copy(
  bytes: Uint8Array,
  at: number,
  into: Uint8Array,
): Promise<void> {
  into.set(bytes.subarray(at, at + into.length));
  return Promise.resolve();
}

/** The number of the last start that is not behind a place. */
function lastAtOrBefore(starts: readonly number[], at: number): number {
  let low = 0, high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= at) low = middle;
    else high = middle;
  }
  return low;
}
