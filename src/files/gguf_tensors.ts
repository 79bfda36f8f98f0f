/**
 * The tensor records of a GGUF header, and where they put the data.
 *
 * @module
 */
import {
  type GgmlLayout,
  ggmlLayoutsById,
  removedGgmlTypes,
} from "../ggml/table.ts";
import { quote } from "./errors.ts";
import type { GgufCursor, Label } from "./gguf_cursor.ts";
import { ggmlByteLength, padTo } from "./gguf_types.ts";
import { GGUF_NAME_BYTES, GGUF_RANK } from "./limits.ts";
import type { TensorEntry } from "./tensors.ts";

/** A tensor as the header declares it. */
interface TensorRecord {
  readonly name: string;
  readonly type: GgmlLayout;
  readonly shape: readonly number[];
  readonly byteLength: number;
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
  const type = readTensorType(cursor, where);
  const byteLength = ggmlByteLength(
    () => `${cursor.where}: ${where()}`,
    type,
    shape,
  );
  return { name, type, shape, byteLength, offset: cursor.u64() };
}

function readTensorType(cursor: GgufCursor, where: Label): GgmlLayout {
  const id = cursor.u32();
  const type = ggmlLayoutsById.get(id);
  if (type !== undefined) return type;
  const removed = removedGgmlTypes.get(id);
  if (removed !== undefined) {
    throw cursor.refused(
      `${where()} is of type ${id} (${removed}), which ggml has removed; quantize the model anew`,
    );
  }
  throw cursor.refused(
    `${where()} is of type ${id}, which is no known ggml type`,
  );
}

function placeTensors(
  cursor: GgufCursor,
  records: readonly TensorRecord[],
  dataStart: number,
  alignment: number,
): TensorEntry[] {
  const size = cursor.position + cursor.remaining;
  let next = 0;
  return records.map(({ name, type, shape, byteLength, offset }) => {
    const where = () => `tensor ${quote(name)}`;
    // ggml wants each tensor right behind the padding of the one before: no holes, no overlaps.
    if (offset !== BigInt(next)) {
      throw cursor.malformed(
        `${where()} starts at ${offset} of the data; ${next} was expected`,
      );
    }
    const end = dataStart + next + byteLength;
    if (end > size) {
      throw cursor.malformed(
        `${where()} ends at byte ${end}, but the file has ${size}; it is cut off, fetch it again`,
      );
    }
    const entry = {
      name,
      dtype: type.name,
      shape,
      offset: dataStart + next,
      byteLength,
    };
    next += padTo(byteLength, alignment);
    return entry;
  });
}
