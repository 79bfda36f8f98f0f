/**
 * GGUF, versions 2 and 3, of either byte order: the header is read in small steps, tensors stay in the file.
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
import { GgufCursor, type Label } from "./gguf_cursor.ts";
import { littleEndianSource, swapValue } from "./gguf_endian.ts";
import { readTensors } from "./gguf_tensors.ts";
import { checkAlignment, ggufDefaultAlignment } from "./gguf_types.ts";
import {
  type GgufElementType,
  ggufFixedSize,
  GgufValue,
  type GgufValueType,
  ggufValueTypes,
} from "./gguf_value.ts";
import {
  GGUF_ARRAY_LENGTH,
  GGUF_KEY_BYTES,
  GGUF_VALUE_COUNT,
  TENSOR_COUNT,
} from "./limits.ts";
import type { TensorFile } from "./tensors.ts";

/** An opened and checked GGUF file. */
export interface GgufFile extends TensorFile {
  /** Which container it is. */
  readonly container: "gguf";
  /** 2 or 3. */
  readonly version: number;
  /** Whether the file is big-endian; its values, and what its source gives of tensors, are not. */
  readonly bigEndian: boolean;
  /** What tensor data is aligned to. */
  readonly alignment: number;
  /** The metadata in file order. */
  readonly values: ReadonlyMap<string, GgufValue>;
}

/** Whether an opened file is a GGUF, with typed metadata. */
export function isGguf(file: TensorFile): file is GgufFile {
  return file.container === "gguf";
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
export async function openGguf(source: ByteSource): Promise<GgufFile> {
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
  const tensors = await readTensors(cursor, tensorCount, alignment);
  return {
    container: "gguf",
    source: cursor.bigEndian ? littleEndianSource(source, tensors) : source,
    version,
    bigEndian: cursor.bigEndian,
    alignment,
    values,
    tensors,
    metadata: new Map(),
  };
}

async function readVersion(cursor: GgufCursor): Promise<number> {
  await cursor.need(8, () => "its signature");
  const magic = cursor.u32();
  // "GGUF" read as a little-endian word; big-endian files have the same four bytes.
  if (magic !== 0x46554747) {
    throw cursor.malformed(`it starts with 0x${hex(magic)}, not with "GGUF"`);
  }
  let version = cursor.u32();
  if (version === 0) {
    throw cursor.malformed("it declares version 0; GGUF starts at 1");
  }
  // A version that small has its bytes the other way round.
  if ((version & 0xffff) === 0) {
    cursor.takeBigEndian();
    version = reversed(version);
  }
  if (version === 1) {
    throw cursor.refused(
      "it is a GGUF of version 1, which has 32-bit lengths; convert it to version 3",
    );
  }
  if (version > 3) {
    throw cursor.refused(
      `it is a GGUF of version ${version}; versions 2 and 3 are read`,
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
  await cursor.need(8, () => `its number of ${what}`);
  const count = cursor.i64();
  if (count < 0n) throw cursor.malformed(`it declares ${count} ${what}`);
  const room = Math.floor(cursor.remaining / smallest);
  if (count > BigInt(room)) {
    throw cursor.malformed(
      `it declares ${count} ${what}; the ${cursor.remaining} bytes that follow hold at most ${room}`,
    );
  }
  if (count > BigInt(limit)) {
    throw cursor.refused(
      `it declares ${count} ${what}; at most ${limit} are read`,
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
    const key = await cursor.text(() => `metadata key ${i}`, GGUF_KEY_BYTES);
    if (key === "") throw cursor.malformed(`metadata key ${i} is empty`);
    if (values.has(key)) {
      throw cursor.malformed(
        `metadata key ${quote(key)} occurs twice`,
      );
    }
    values.set(key, await readValue(cursor, () => `metadata ${quote(key)}`));
  }
  return values;
}

async function readValue(
  cursor: GgufCursor,
  where: Label,
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
      await valueBytes(cursor, start, type, type),
    );
  }
  await cursor.need(12, where);
  const elementType = readType(cursor, where);
  if (elementType === "array") {
    throw cursor.refused(
      `${where()} is an array of arrays; ggml reads arrays of one level, so flatten it`,
    );
  }
  const length = cursor.u64();
  const smallest = elementType === "string" ? 8 : ggufFixedSize(elementType);
  if (length > BigInt(Math.floor(cursor.remaining / smallest))) {
    throw cursor.malformed(
      `${where()} declares ${length} elements of ${elementType}; ${cursor.remaining} bytes follow`,
    );
  }
  if (length > BigInt(GGUF_ARRAY_LENGTH)) {
    throw cursor.refused(
      `${where()} declares ${length} elements; at most ${GGUF_ARRAY_LENGTH} are read`,
    );
  }
  await skipElements(cursor, where, elementType, Number(length));
  return new GgufValue(
    "array",
    elementType,
    Number(length),
    await valueBytes(cursor, start, type, elementType),
  );
}

/** The bytes of a value that the cursor has passed, little-endian. */
async function valueBytes(
  cursor: GgufCursor,
  start: number,
  type: GgufValueType,
  elementType: GgufElementType,
): Promise<Uint8Array> {
  const bytes = await cursor.bytes(start, cursor.position);
  if (cursor.bigEndian) swapValue(type, elementType, bytes);
  return bytes;
}

function readType(cursor: GgufCursor, where: Label): GgufValueType {
  const id = cursor.u32();
  const type = ggufValueTypes[id];
  if (type === undefined) {
    throw cursor.malformed(
      `${where()} has type ${id}; GGUF has 0 to ${ggufValueTypes.length - 1}`,
    );
  }
  return type;
}

/** Moves past elements without keeping them: their bytes are fetched once their end is known. */
async function skipElements(
  cursor: GgufCursor,
  where: Label,
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
        `${where()} declares a string of ${length} bytes; ${cursor.remaining} follow`,
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
    : checkAlignment(cursor.where, value);
}

/** The number whose four bytes are the other way round. */
function reversed(word: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, word, true);
  return view.getUint32(0, false);
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
