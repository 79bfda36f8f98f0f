/**
 * GGUF, versions 2 and 3, little-endian: the header is read in small steps, tensors stay in the file.
 *
 * ```text
 *   "GGUF"  u32 version  i64 tensors  i64 values
 *   values × { string key, u32 type, value }
 *   tensors × { string name, u32 n, u64 dimension[n] (fastest first), u32 ggml type, u64 offset }
 *   zeros up to a multiple of the alignment
 *   tensor data, each tensor padded to the alignment; offsets count from here
 * ```
 *
 * Source: docs/gguf.md and src/gguf.cpp of ggml. What ggml refuses is refused here.
 *
 * @module
 */
import type { ByteSource } from "./bytes.ts";
import { quote } from "./errors.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";
import {
  GGUF_ALIGNMENT,
  GGUF_ARRAY_LENGTH,
  GGUF_KEY_BYTES,
  GGUF_NAME_BYTES,
  GGUF_RANK,
  GGUF_VALUE_COUNT,
  TENSOR_COUNT,
} from "./limits.ts";
import { GgufCursor } from "./gguf_cursor.ts";
import {
  ggmlByteLength,
  type GgmlType,
  ggmlTypesById,
  ggufDefaultAlignment,
  padTo,
  removedGgmlTypes,
} from "./gguf_types.ts";
import {
  type GgufElementType,
  ggufFixedSize,
  GgufValue,
  type GgufValueType,
  ggufValueTypes,
} from "./gguf_value.ts";

/** An opened and checked GGUF file. */
export interface GgufFile extends TensorFile {
  /** Which container it is. */
  readonly container: "gguf";
  /** 2 or 3. */
  readonly version: number;
  /** What tensor data is aligned to. */
  readonly alignment: number;
  /** The metadata in file order. */
  readonly values: ReadonlyMap<string, GgufValue>;
}

/** The smallest metadata value: a length, a key of one byte, a type, a byte. */
const smallestValue = 8 + 1 + 4 + 1;
/** The smallest tensor record: an empty name, no dimensions, a type, an offset. */
const smallestTensor = 8 + 4 + 4 + 8;

/**
 * Reads and checks the header of a GGUF file.
 *
 * @param source The file, read by ranges; the caller closes it.
 * @returns Metadata, and where each tensor is.
 * @throws {SyntaxError} If the bytes are no GGUF.
 * @throws {RangeError} If they declare what cannot be, or what a limit forbids.
 */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  const cursor = new GgufCursor(source);
  const version = await readVersion(cursor);
  const tensorCount = await readCount(
    cursor,
    "tensors",
    smallestTensor,
    TENSOR_COUNT,
  );
  const valueCount = await readCount(
    cursor,
    "metadata values",
    smallestValue,
    GGUF_VALUE_COUNT,
  );
  const values = await readValues(cursor, valueCount);
  const alignment = readAlignment(cursor, values);
  const records = await readRecords(cursor, tensorCount);
  const tensors = placeTensors(
    source,
    records,
    padTo(cursor.position, alignment),
    alignment,
  );
  return {
    container: "gguf",
    source,
    version,
    alignment,
    values,
    tensors,
    metadata: new Map(),
  };
}

async function readVersion(cursor: GgufCursor): Promise<number> {
  await cursor.need(8, "its magic and version");
  const magic = cursor.u32();
  // "GGUF" read as a little-endian word; big-endian files have the same four bytes.
  if (magic !== 0x46554747) {
    throw cursor.malformed(`starts with 0x${hex(magic)}, not with "GGUF"`);
  }
  const version = cursor.u32();
  if (version === 0) {
    throw cursor.malformed("declares version 0; GGUF starts at 1");
  }
  if ((version & 0xffff) === 0) {
    throw cursor.refused(
      "is a big-endian GGUF; only little-endian files are read, convert it with gguf-py first",
    );
  }
  if (version === 1) {
    throw cursor.refused(
      "is a GGUF of version 1, which has 32-bit lengths; convert it to version 3",
    );
  }
  if (version > 3) {
    throw cursor.refused(
      `is a GGUF of version ${version}; versions 2 and 3 are read`,
    );
  }
  return version;
}

async function readCount(
  cursor: GgufCursor,
  what: string,
  smallest: number,
  limit: number,
): Promise<number> {
  await cursor.need(8, `its number of ${what}`);
  const count = cursor.i64();
  if (count < 0n) throw cursor.malformed(`declares ${count} ${what}`);
  const room = Math.floor(cursor.remaining / smallest);
  if (count > BigInt(room)) {
    throw cursor.malformed(
      `declares ${count} ${what}; the ${cursor.remaining} bytes that follow hold at most ${room}`,
    );
  }
  if (count > BigInt(limit)) {
    throw cursor.refused(
      `declares ${count} ${what}; at most ${limit} are read`,
    );
  }
  return Number(count);
}

async function readValues(
  cursor: GgufCursor,
  count: number,
): Promise<Map<string, GgufValue>> {
  const values = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = await cursor.text(`metadata key ${i}`, GGUF_KEY_BYTES);
    if (key === "") throw cursor.malformed(`metadata key ${i} is empty`);
    if (values.has(key)) {
      throw cursor.malformed(
        `metadata key ${quote(key)} occurs twice`,
      );
    }
    values.set(key, await readValue(cursor, `metadata ${quote(key)}`));
  }
  return values;
}

async function readValue(
  cursor: GgufCursor,
  where: string,
): Promise<GgufValue> {
  await cursor.need(4, where);
  const type = readType(cursor, where);
  const start = cursor.position;
  if (type !== "array") {
    await skipElements(cursor, where, type, 1);
    return new GgufValue(
      type,
      type,
      1,
      await cursor.bytes(start, cursor.position),
    );
  }
  await cursor.need(12, where);
  const elementType = readType(cursor, where);
  if (elementType === "array") {
    throw cursor.refused(
      `${where} is an array of arrays; ggml reads arrays of one level, so flatten it`,
    );
  }
  const length = cursor.u64();
  const smallest = elementType === "string" ? 8 : ggufFixedSize(elementType);
  if (length > BigInt(Math.floor(cursor.remaining / smallest))) {
    throw cursor.malformed(
      `${where} declares ${length} elements of ${elementType}; ${cursor.remaining} bytes follow`,
    );
  }
  if (length > BigInt(GGUF_ARRAY_LENGTH)) {
    throw cursor.refused(
      `${where} declares ${length} elements; at most ${GGUF_ARRAY_LENGTH} are read`,
    );
  }
  await skipElements(cursor, where, elementType, Number(length));
  return new GgufValue(
    "array",
    elementType,
    Number(length),
    await cursor.bytes(start, cursor.position),
  );
}

function readType(cursor: GgufCursor, where: string): GgufValueType {
  const id = cursor.u32();
  const type = ggufValueTypes[id];
  if (type === undefined) {
    throw cursor.malformed(
      `${where} has type ${id}; GGUF has 0 to ${ggufValueTypes.length - 1}`,
    );
  }
  return type;
}

/** Moves past elements without keeping them: their bytes are fetched once their end is known. */
async function skipElements(
  cursor: GgufCursor,
  where: string,
  type: GgufElementType,
  count: number,
): Promise<void> {
  if (type !== "string") return cursor.skip(count * ggufFixedSize(type), where);
  for (let i = 0; i < count; i++) {
    // Awaiting only at the window's end keeps a vocabulary of a million strings quick.
    if (!cursor.has(8)) await cursor.need(8, where);
    const length = cursor.u64();
    if (length > BigInt(cursor.remaining)) {
      throw cursor.malformed(
        `${where} declares a string of ${length} bytes; ${cursor.remaining} follow`,
      );
    }
    cursor.skip(Number(length), where);
  }
}

function readAlignment(
  cursor: GgufCursor,
  values: ReadonlyMap<string, GgufValue>,
): number {
  const value = values.get("general.alignment");
  return value === undefined
    ? ggufDefaultAlignment
    : checkAlignment(cursor.name, value);
}

/**
 * The number that `general.alignment` holds.
 *
 * @param where The file, for the message.
 * @param value The metadata value.
 * @returns A power of two.
 * @throws {RangeError} If it is no u32, no power of two or beyond the limit.
 */
export function checkAlignment(where: string, value: GgufValue): number {
  if (value.type !== "u32") {
    throw new RangeError(
      `${where}: general.alignment is of type ${value.type}; it must be u32`,
    );
  }
  const alignment = value.value as number;
  if (alignment === 0 || (alignment & (alignment - 1)) !== 0) {
    throw new RangeError(
      `${where}: general.alignment is ${alignment}, not a power of two`,
    );
  }
  if (alignment > GGUF_ALIGNMENT) {
    throw new RangeError(
      `${where}: general.alignment is ${alignment}; at most ${GGUF_ALIGNMENT} is read`,
    );
  }
  return alignment;
}

/** A tensor as the header declares it. */
interface TensorRecord {
  readonly name: string;
  readonly type: GgmlType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly offset: bigint;
}

async function readRecords(
  cursor: GgufCursor,
  count: number,
): Promise<TensorRecord[]> {
  const names = new Set<string>();
  const records: TensorRecord[] = [];
  for (let i = 0; i < count; i++) {
    const name = await cursor.text(`the name of tensor ${i}`, GGUF_NAME_BYTES);
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
  const where = `tensor ${quote(name)}`;
  await cursor.need(4, where);
  const rank = cursor.u32();
  if (rank > GGUF_RANK) {
    throw cursor.malformed(
      `${where} declares ${rank} dimensions; ggml has at most ${GGUF_RANK}`,
    );
  }
  await cursor.need(8 * rank + 12, where);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) {
    const dimension = cursor.i64();
    if (dimension < 1n || dimension > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw cursor.malformed(
        `${where} declares a dimension of ${dimension}; 1 to 2^53 - 1 is possible`,
      );
    }
    shape.unshift(Number(dimension));
  }
  const type = readTensorType(cursor, where);
  const byteLength = ggmlByteLength(`${cursor.name}: ${where}`, type, shape);
  return { name, type, shape, byteLength, offset: cursor.u64() };
}

function readTensorType(cursor: GgufCursor, where: string): GgmlType {
  const id = cursor.u32();
  const type = ggmlTypesById.get(id);
  if (type !== undefined) return type;
  const removed = removedGgmlTypes.get(id);
  if (removed !== undefined) {
    throw cursor.refused(
      `${where} is of type ${id} (${removed}), which ggml has removed; quantize the model anew`,
    );
  }
  throw cursor.refused(
    `${where} is of type ${id}, which is no known ggml type`,
  );
}

function placeTensors(
  source: ByteSource,
  records: readonly TensorRecord[],
  dataStart: number,
  alignment: number,
): TensorEntry[] {
  let next = 0;
  return records.map(({ name, type, shape, byteLength, offset }) => {
    const where = `${source.name}: tensor ${quote(name)}`;
    // ggml wants each tensor right behind the padding of the one before: no holes, no overlaps.
    if (offset !== BigInt(next)) {
      throw new SyntaxError(
        `${where} starts at ${offset} of the data; ${next} was expected`,
      );
    }
    const end = dataStart + next + byteLength;
    if (end > source.size) {
      throw new SyntaxError(
        `${where} ends at byte ${end}, but the file has ${source.size}; it is cut off, fetch it again`,
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

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
