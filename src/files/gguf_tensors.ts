/**
 * The tensor records of a GGUF header, and where they put the data.
 *
 * @module
 */
import {
  type GgmlLayout,
  ggmlLayoutsById,
  strangerName,
} from "../ggml/table.ts";
import { quote } from "./errors.ts";
import type { GgufCursor, Label } from "./gguf_cursor.ts";
import { countValues, ggmlByteLength, padTo } from "./gguf_types.ts";
import { GGUF_NAME_BYTES, GGUF_RANK } from "./limits.ts";
import type { TensorEntry } from "./tensors.ts";

/** A tensor as the header declares it. */
interface TensorRecord {
  readonly name: string;
  /** ggml's name of its type; of one that is not known, its number. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Undefined where the type is not known. */
  readonly byteLength: number | undefined;
  readonly offset: bigint;
}

/**
 * Reads the tensor records, which the cursor is at.
 *
 * @param cursor The header.
 * @param count How many there are; checked.
 * @param alignment What their data is aligned to.
 * @returns The tensors with absolute offsets, all inside the file.
 */
export async function readTensors(
  cursor: GgufCursor,
  count: number,
  alignment: number,
): Promise<TensorEntry[]> {
  const records = await readRecords(cursor, count);
  return placeTensors(
    cursor,
    records,
    padTo(cursor.position, alignment),
    alignment,
  );
}

async function readRecords(
  cursor: GgufCursor,
  count: number,
): Promise<TensorRecord[]> {
  const names = new Set<string>();
  const records: TensorRecord[] = [];
  for (let i = 0; i < count; i++) {
    const name = await cursor.text(
      () => `the name of tensor ${i}`,
      GGUF_NAME_BYTES,
    );
    if (names.has(name)) {
      throw cursor.malformed(`tensor ${quote(name)} occurs twice`);
    }
    names.add(name);
    records.push(await readRecord(cursor, name));
  }
  return records;
}

async function readRecord(
  cursor: GgufCursor,
  name: string,
): Promise<TensorRecord> {
  const where = () => `tensor ${quote(name)}`;
  await cursor.need(4, where);
  const rank = cursor.u32();
  if (rank > GGUF_RANK) {
    throw cursor.malformed(
      `${where()} declares ${rank} dimensions; ggml has at most ${GGUF_RANK}`,
    );
  }
  await cursor.need(8 * rank + 12, where);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) {
    const dimension = cursor.i64();
    if (dimension < 1n || dimension > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw cursor.malformed(
        `${where()} declares a dimension of ${dimension}; 1 to 2^53 - 1 is possible`,
      );
    }
    shape.unshift(Number(dimension));
  }
  const id = cursor.u32();
  const type = ggmlLayoutsById.get(id);
  return {
    name,
    dtype: type?.name ?? strangerName(id),
    shape,
    byteLength: byteLengthOf(() => `${cursor.where}: ${where()}`, type, shape),
    offset: cursor.u64(),
  };
}

function byteLengthOf(
  where: () => string,
  type: GgmlLayout | undefined,
  shape: readonly number[],
): number | undefined {
  if (type) return ggmlByteLength(where, type, shape);
  countValues(where, shape);
  return undefined;
}

function placeTensors(
  cursor: GgufCursor,
  records: readonly TensorRecord[],
  dataStart: number,
  alignment: number,
): TensorEntry[] {
  const size = cursor.position + cursor.remaining;
  let next = 0;
  return records.map(({ name, dtype, shape, byteLength, offset }, i) => {
    const where = () => `tensor ${quote(name)}`;
    // ggml wants each tensor right behind the padding of the one before: no holes, no overlaps.
    if (offset !== BigInt(next)) {
      throw cursor.malformed(
        `${where()} starts at ${offset} of the data; ${next} was expected`,
      );
    }
    const start = dataStart + next;
    const length = byteLength ??
      lengthOfStranger(
        cursor,
        where,
        next,
        records[i + 1]?.offset ?? BigInt(Math.max(next, size - dataStart)),
      );
    const end = start + length;
    if (end > size) {
      throw cursor.malformed(
        `${where()} ends at byte ${end}, but the file has ${size}; it is cut off, fetch it again`,
      );
    }
    next += padTo(length, alignment);
    return { name, dtype, shape, offset: start, byteLength: length };
  });
}

/** A tensor of a type that is not known reaches to the next one, or to the end of the file; padding counts as its own. */
function lengthOfStranger(
  cursor: GgufCursor,
  where: Label,
  start: number,
  end: bigint,
): number {
  if (end >= BigInt(start) && end <= BigInt(Number.MAX_SAFE_INTEGER)) {
    return Number(end) - start;
  }
  throw cursor.malformed(
    `${where()} starts at ${start} of the data, but the next one at ${end}`,
  );
}
