/**
 * One field of many records, read as if its values lay together.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";

/** Where a field is. */
export interface RecordField {
  /** Where the first record starts. */
  readonly first: number;
  /** How many records there are. */
  readonly count: number;
  /** Bytes of a record. */
  readonly stride: number;
  /** Where the field starts in its record. */
  readonly from: number;
  /** Bytes of the field. */
  readonly length: number;
}

/** Bytes that are read at a time, or one record where that is longer. */
const CHUNK_BYTES = 256 * 1024;

/**
 * The field of all records, one after another.
 *
 * @param source Where the records are; it is not closed with the result.
 * @param field Which bytes of them.
 * @returns The field.
 */
export function recordsSource(
  source: ByteSource,
  { first, count, stride, from, length }: RecordField,
): ByteSource {
  const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / stride));
  const size = count * length;
  return {
    name: source.name,
    size,
    async read(offset, into): Promise<void> {
      if (!(offset >= 0 && offset + into.length <= size)) {
        throw new RangeError(
          `Cannot read ${source.name} at byte ${offset} of a field: ${into.length} bytes are not all there`,
        );
      }
      for (let filled = 0; filled < into.length;) {
        const record = Math.floor((offset + filled) / length);
        const last = Math.floor((offset + into.length - 1) / length);
        const records = Math.min(perChunk, last - record + 1);
        const chunk = new Uint8Array(records * stride);
        await source.read(first + record * stride, chunk);
        for (let r = 0; r < records; r++) {
          const skip = Math.max(0, offset - (record + r) * length);
          const start = r * stride + from + skip;
          const bytes = Math.min(length - skip, into.length - filled);
          into.set(chunk.subarray(start, start + bytes), filled);
          filled += bytes;
        }
      }
    },
    close: () => Promise.resolve(),
  };
}
