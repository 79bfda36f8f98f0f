/**
 * Big-endian GGUF, read as if it were little-endian.
 *
 * @module
 */
import { hasBigEndian, swapBlocks } from "../ggml/big_endian.ts";
import { type GgmlLayout, ggmlLayouts } from "../ggml/table.ts";
import type { ByteSource } from "./bytes.ts";
import { quote } from "./errors.ts";
import {
  type GgufElementType,
  ggufFixedSize,
  type GgufValueType,
} from "./gguf_value.ts";
import type { TensorEntry } from "./tensors.ts";

/**
 * Turns the bytes of a metadata value round, in place.
 *
 * @param type Its type.
 * @param elementType Type of its elements; the same where it is no array.
 * @param bytes The value as it lies in the file.
 */
export function swapValue(
  type: GgufValueType,
  elementType: GgufElementType,
  bytes: Uint8Array,
): void {
  let at = 0;
  if (type === "array") {
    swap(bytes, 0, 4);
    swap(bytes, 4, 8);
    at = 12;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  while (at < bytes.length) {
    if (elementType === "string") {
      swap(bytes, at, 8);
      at += 8 + Number(view.getBigUint64(at, true));
    } else {
      const size = ggufFixedSize(elementType);
      swap(bytes, at, size);
      at += size;
    }
  }
}

function swap(bytes: Uint8Array, at: number, size: number): void {
  bytes.subarray(at, at + size).reverse();
}

/** A tensor of a big-endian file. */
interface Region {
  readonly offset: number;
  readonly end: number;
  readonly layout: GgmlLayout;
}

/**
 * A source whose tensors read as those of a little-endian file; what is not a tensor is
 * left as it is.
 *
 * @param source The file.
 * @param tensors Its tensors, in its order.
 * @returns The source; closing it closes the file.
 * @throws {RangeError} If a type has no known layout in big-endian files; names the tensor.
 */
export function littleEndianSource(
  source: ByteSource,
  tensors: readonly TensorEntry[],
): ByteSource {
  const regions = tensors.map(({ name, dtype, offset, byteLength }) => {
    const layout = ggmlLayouts.get(dtype);
    if (layout && hasBigEndian(dtype)) {
      return { offset, end: offset + byteLength, layout };
    }
    throw new RangeError(
      `Cannot read ${source.name} as GGUF: it is big-endian, and tensor ${
        quote(name)
      } is of ${
        layout ? `type ${dtype}` : dtype
      }, of which no big-endian layout is known; convert it where it was made`,
    );
  });
  return {
    name: source.name,
    size: source.size,
    read: (offset, into) => readSwapped(source, regions, offset, into),
    close: () => source.close(),
  };
}

async function readSwapped(
  source: ByteSource,
  regions: readonly Region[],
  offset: number,
  into: Uint8Array,
): Promise<void> {
  await source.read(offset, into);
  const end = offset + into.length;
  for (const region of regions) {
    if (region.offset >= end || region.end <= offset) continue;
    await swapRegion(source, region, offset, into);
  }
}

/** Turns round what has been read of a tensor; a block that was read in part is read again as a whole. */
async function swapRegion(
  source: ByteSource,
  { offset: start, end, layout: { name, blockBytes } }: Region,
  offset: number,
  into: Uint8Array,
): Promise<void> {
  const from = Math.max(start, offset);
  const to = Math.min(end, offset + into.length);
  const firstWhole = start +
    Math.ceil((from - start) / blockBytes) * blockBytes;
  const lastWhole = start + Math.floor((to - start) / blockBytes) * blockBytes;
  if (firstWhole < lastWhole) {
    const whole = into.subarray(firstWhole - offset, lastWhole - offset);
    swapBlocks(name, blockBytes, whole);
  }
  const cut = new Set<number>();
  if (from < firstWhole) cut.add(firstWhole - blockBytes);
  if (to > lastWhole) cut.add(lastWhole);
  for (const at of cut) {
    const block = new Uint8Array(blockBytes);
    await source.read(at, block);
    swapBlocks(name, blockBytes, block);
    const part = block.subarray(
      Math.max(from, at) - at,
      Math.min(to, at + blockBytes) - at,
    );
    into.set(part, Math.max(from, at) - offset);
  }
}
