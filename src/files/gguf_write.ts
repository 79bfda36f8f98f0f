/**
 * Lays out a GGUF of version 3: the header's bytes, and where the data of each tensor goes.
 *
 * The layout is that of ggml and of its Python package: what they wrote and {@linkcode openGguf} read comes out
 * with the same bytes.
 *
 * @module
 */
import { ggmlLayouts, strangerId } from "../ggml/table.ts";
import type { ByteWriter } from "../stream/bytes.ts";
import { quote } from "./errors.ts";
import type { TensorEntry } from "./tensors.ts";
import {
  GGUF_HEADER_BYTES,
  GGUF_KEY_BYTES,
  GGUF_NAME_BYTES,
  GGUF_RANK,
  GGUF_VALUE_COUNT,
  TENSOR_COUNT,
} from "./limits.ts";
import {
  checkAlignment,
  ggmlByteLength,
  ggufDefaultAlignment,
  padTo,
} from "./gguf_types.ts";
import { ggufTypeId, type GgufValue } from "./gguf_value.ts";

/** How messages begin. */
const where = "Cannot write GGUF";

/** A tensor to be written. */
export interface GgufTensor {
  /** At most 63 bytes of UTF-8. */
  readonly name: string;
  /** A name of {@linkcode ggmlLayouts}: F32, Q4_0 …; or what {@linkcode strangerName} makes of a number. */
  readonly dtype: string;
  /** Bytes of a tensor of a type that is not known; for others they are computed. */
  readonly byteLength?: number;
  /** One to four dimensions, slowest first; none for a single value. */
  readonly shape: readonly number[];
}

/** Where everything of a GGUF goes. */
export interface GgufPlan {
  /** The bytes before the data, padding included. */
  readonly header: Uint8Array;
  /** The tensors with their absolute offsets and sizes. */
  readonly tensors: readonly TensorEntry[];
  /** What tensor data is aligned to. */
  readonly alignment: number;
  /** The size of the file, the padding of the last tensor included. */
  readonly size: number;
}

/**
 * Lays out a file.
 *
 * @param values Metadata in the order in which it is written; `general.alignment` (u32) sets the alignment.
 * @param tensors Tensors in the order in which their data is laid out.
 * @returns The header, and an offset for each tensor.
 * @throws {RangeError} If the file would be one that {@linkcode openGguf} or ggml refuses; names
 * the key or the tensor.
 */
export function planGguf(
  values: ReadonlyMap<string, GgufValue>,
  tensors: readonly GgufTensor[],
): GgufPlan {
  if (values.size > GGUF_VALUE_COUNT) {
    throw new RangeError(
      `${where}: ${values.size} metadata values are above the limit of ${GGUF_VALUE_COUNT}`,
    );
  }
  if (tensors.length > TENSOR_COUNT) {
    throw new RangeError(
      `${where}: ${tensors.length} tensors are above the limit of ${TENSOR_COUNT}`,
    );
  }
  const declared = values.get("general.alignment");
  const alignment = declared === undefined
    ? ggufDefaultAlignment
    : checkAlignment(where, declared);
  const records = encodeRecords(tensors, alignment);
  const header = joinHeader(
    encodeValues(values),
    values.size,
    records,
    alignment,
  );
  return {
    header,
    alignment,
    tensors: records.map(({ entry }) => ({
      ...entry,
      offset: header.length + entry.offset,
    })),
    size: records.reduce(
      (end, { entry }) => end + padTo(entry.byteLength, alignment),
      header.length,
    ),
  };
}

/**
 * Writes all of a plan but the tensors: the header and the zeros behind each tensor.
 *
 * @param sink Where to.
 * @param plan What {@linkcode planGguf} returned.
 */
export async function writeGgufFrame(
  sink: ByteWriter,
  plan: GgufPlan,
): Promise<void> {
  await sink.write(0, plan.header);
  const zeros = new Uint8Array(plan.alignment);
  for (const { offset, byteLength } of plan.tensors) {
    const end = offset + byteLength;
    const padding = padTo(end, plan.alignment) - end;
    if (padding > 0) await sink.write(end, zeros.subarray(0, padding));
  }
}

const encoder = new TextEncoder();

/** Chunks of the header, one for each value: key, type, and the value's own bytes, not copied. */
function encodeValues(values: ReadonlyMap<string, GgufValue>): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (const [key, value] of values) {
    const name = encodeName("metadata key", key, GGUF_KEY_BYTES);
    if (key === "") {
      throw new RangeError(
        `${where}: a metadata key is empty; give each value a name such as general.name`,
      );
    }
    const type = new Uint8Array(4);
    new DataView(type.buffer).setUint32(0, ggufTypeId(value.type), true);
    chunks.push(name, type, value.bytes);
  }
  return chunks;
}

interface EncodedRecord {
  readonly bytes: Uint8Array;
  /** The tensor, its offset counted from the start of the data. */
  readonly entry: TensorEntry;
}

function encodeRecords(
  tensors: readonly GgufTensor[],
  alignment: number,
): EncodedRecord[] {
  const names = new Set<string>();
  let offset = 0;
  return tensors.map(({ name, dtype, shape, byteLength: given }) => {
    const tensor = () => `${where}: tensor ${quote(name)}`;
    if (names.has(name)) {
      throw new RangeError(`${tensor()} occurs twice; rename one of them`);
    }
    names.add(name);
    const encodedName = encodeName("tensor name", name, GGUF_NAME_BYTES);
    const type = ggmlLayouts.get(dtype);
    const id = type?.id ??
      (given === undefined ? undefined : strangerId(dtype));
    if (id === undefined) {
      throw new RangeError(
        `${tensor()} has dtype ${dtype}, which GGUF does not have; convert it to F32`,
      );
    }
    if (shape.length > GGUF_RANK) {
      throw new RangeError(
        `${tensor()} has ${shape.length} dimensions; GGUF has at most ${GGUF_RANK}`,
      );
    }
    const byteLength = type ? ggmlByteLength(tensor, type, shape) : given!;
    const entry = { name, dtype, shape, offset, byteLength };
    const bytes = encodeRecord(encodedName, id, shape, offset);
    offset += padTo(byteLength, alignment);
    if (offset > Number.MAX_SAFE_INTEGER) {
      throw new RangeError(
        `${tensor()} ends beyond 2^53 bytes; no file is that large`,
      );
    }
    return { bytes, entry };
  });
}

function encodeRecord(
  name: Uint8Array,
  typeId: number,
  shape: readonly number[],
  offset: number,
): Uint8Array {
  const bytes = new Uint8Array(name.length + 16 + 8 * shape.length);
  const view = new DataView(bytes.buffer);
  bytes.set(name);
  let at = name.length;
  view.setUint32(at, shape.length, true);
  at += 4;
  for (const dimension of shape.toReversed()) {
    view.setBigUint64(at, BigInt(dimension), true);
    at += 8;
  }
  view.setUint32(at, typeId, true);
  view.setBigUint64(at + 4, BigInt(offset), true);
  return bytes;
}

/** A key or a name with its length before it. */
function encodeName(what: string, name: string, limit: number): Uint8Array {
  const text = encoder.encode(name);
  if (text.length > limit) {
    throw new RangeError(
      `${where}: ${what} ${
        quote(name)
      } has ${text.length} bytes; at most ${limit} are allowed`,
    );
  }
  if (text.includes(0)) {
    throw new RangeError(`${where}: ${what} ${quote(name)} holds a NUL`);
  }
  if (!name.isWellFormed()) {
    throw new RangeError(
      `${where}: ${what} ${quote(name)} holds half a surrogate pair`,
    );
  }
  const bytes = new Uint8Array(8 + text.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

function joinHeader(
  values: readonly Uint8Array[],
  valueCount: number,
  records: readonly EncodedRecord[],
  alignment: number,
): Uint8Array {
  const chunks = [...values, ...records.map(({ bytes }) => bytes)];
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 24);
  if (length > GGUF_HEADER_BYTES) {
    throw new RangeError(
      `${where}: a header of ${length} bytes is above the limit of ${GGUF_HEADER_BYTES}`,
    );
  }
  const header = new Uint8Array(padTo(length, alignment));
  const view = new DataView(header.buffer);
  header.set(encoder.encode("GGUF"));
  view.setUint32(4, 3, true);
  view.setBigUint64(8, BigInt(records.length), true);
  view.setBigUint64(16, BigInt(valueCount), true);
  let at = 24;
  for (const chunk of chunks) {
    header.set(chunk, at);
    at += chunk.length;
  }
  return header;
}
