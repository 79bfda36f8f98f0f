/**
 * Reading safetensors.
 *
 * ```text
 * u64 LE   N, bytes of the header
 * N bytes  UTF-8 JSON: { "__metadata__"?: { string: string },
 *                        name: { "dtype", "shape", "data_offsets": [begin, end] } … }
 *          spaces may pad it
 * rest     the tensors, little-endian, row-major, without holes or overlaps
 * ```
 *
 * Source: https://github.com/huggingface/safetensors (README, `tensor.rs`).
 *
 * @module
 */
import { dtypes } from "../numeric/dtypes.ts";
import type { ByteSource } from "./bytes.ts";
import { printable, quote } from "./errors.ts";
import { type Json, parseFields } from "./json.ts";
import {
  METADATA_COUNT,
  SAFETENSORS_HEADER_BYTES,
  TENSOR_COUNT,
  TENSOR_VALUES,
} from "./limits.ts";
import { countElements } from "./shapes.ts";
import type { TensorEntry, TensorFile } from "./tensors.ts";

/** The key of the file's own texts. */
export const METADATA = "__metadata__";
/** Bytes of the length at the start. */
export const LENGTH_BYTES = 8;

/**
 * Reads and checks the header of a safetensors file.
 *
 * @param source The file.
 * @returns Its tensors in the order of their bytes, and its metadata.
 * @throws {SyntaxError} If the header is malformed or lies about the file.
 */
export async function openSafetensors(source: ByteSource): Promise<TensorFile> {
  try {
    const header = await readHeader(source);
    const dataStart = LENGTH_BYTES + header.length;
    const { metadata, tensors } = parseHeader(decodeUtf8(header), dataStart);
    placeTensors(tensors, dataStart, source.size);
    return { container: "safetensors", source, tensors, metadata };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) {
      throw error;
    }
    const message =
      `Cannot read ${source.name} as safetensors: ${error.message}`;
    throw new SyntaxError(message, { cause: error });
  }
}

async function readHeader(source: ByteSource): Promise<Uint8Array> {
  if (source.size < LENGTH_BYTES) {
    throw new SyntaxError(
      `it has ${source.size} bytes, less than the ${LENGTH_BYTES} of a length`,
    );
  }
  const prefix = new Uint8Array(LENGTH_BYTES);
  await source.read(0, prefix);
  const declared = new DataView(prefix.buffer).getBigUint64(0, true);
  const available = Math.min(
    SAFETENSORS_HEADER_BYTES,
    source.size - LENGTH_BYTES,
  );
  if (declared > BigInt(available)) {
    throw new SyntaxError(
      declared > BigInt(SAFETENSORS_HEADER_BYTES)
        ? `its header of ${declared} bytes is above the limit of ${SAFETENSORS_HEADER_BYTES}`
        : `its header of ${declared} bytes ends beyond the file of ${source.size}`,
    );
  }
  const header = new Uint8Array(Number(declared));
  await source.read(LENGTH_BYTES, header);
  if (header[0] !== 0x7b) {
    throw new SyntaxError("its header does not start with {");
  }
  return header;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes,
    );
  } catch (error) {
    throw new SyntaxError("its header is not UTF-8", { cause: error });
  }
}

/** Every number in a header counts something: bytes or elements. */
function toOffset(literal: string): number {
  const value = /^[0-9]+$/.test(literal) ? Number(literal) : NaN;
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(
      `${printable(literal)} is no integer from 0 to 2^53 - 1`,
    );
  }
  return value;
}

interface Header {
  metadata: ReadonlyMap<string, string>;
  tensors: TensorEntry[];
}

/** Every entry is checked as soon as it is read: a hostile header costs no more than its first fault. */
function parseHeader(text: string, dataStart: number): Header {
  const header: Header = { metadata: new Map(), tensors: [] };
  parseFields(text, {
    toNumber: toOffset,
    limitOf: (key) => key === METADATA ? METADATA_COUNT + 1 : TENSOR_VALUES,
    take(key, value) {
      if (key === METADATA) header.metadata = readMetadata(value);
      else if (header.tensors.length < TENSOR_COUNT) {
        header.tensors.push(readEntry(key, value, dataStart));
      } else {
        throw new SyntaxError(
          `more tensors than the limit of ${TENSOR_COUNT}`,
        );
      }
    },
  });
  return header;
}

function readMetadata(metadata: Json): ReadonlyMap<string, string> {
  if (!(metadata instanceof Map)) {
    throw new SyntaxError(`${METADATA} is no object`);
  }
  for (const [key, value] of metadata) {
    if (typeof value !== "string") {
      throw new SyntaxError(`${METADATA} ${quote(key)} is no string`);
    }
  }
  return metadata as Map<string, string>;
}

/** Sorts tensors by their place and checks that they fill the file behind the header. */
function placeTensors(
  entries: TensorEntry[],
  dataStart: number,
  fileBytes: number,
): void {
  entries.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const { name, offset, byteLength } of entries) {
    if (offset !== end) {
      const what = offset > end
        ? "leaves a hole before"
        : "overlaps what lies before";
      throw new SyntaxError(
        `tensor ${quote(name)} starts at ${
          offset - dataStart
        } and ${what} it (${end - dataStart})`,
      );
    }
    end += byteLength;
  }
  if (end !== fileBytes) {
    throw new SyntaxError(
      `its tensors take ${end - dataStart} bytes, but ${
        fileBytes - dataStart
      } follow the header`,
    );
  }
}

function readEntry(name: string, value: Json, dataStart: number): TensorEntry {
  const fail = (reason: string): never => {
    throw new SyntaxError(`tensor ${quote(name)} ${reason}`);
  };
  if (!(value instanceof Map)) return fail("is no object");
  for (const key of value.keys()) {
    if (key !== "dtype" && key !== "shape" && key !== "data_offsets") {
      fail(`has an unknown key ${quote(key)}`);
    }
  }
  const dtype = value.get("dtype");
  if (typeof dtype !== "string") return fail("has no dtype");
  const shape = integers(value.get("shape")) ??
    fail("has no shape of integers");
  const offsets = integers(value.get("data_offsets"));
  if (offsets?.length !== 2) return fail("has no data_offsets of two integers");
  const byteLength = sizeInBytes(`tensor ${quote(name)}`, dtype, shape);
  const [begin, end] = offsets;
  if (end - begin !== byteLength) {
    fail(
      `takes ${byteLength} bytes by shape and dtype, but its data_offsets are ${begin}, ${end}`,
    );
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength };
}

function integers(value: Json | undefined): number[] | undefined {
  // Numbers that are no proper integers never came through the parser.
  if (!Array.isArray(value) || value.some((item) => typeof item !== "number")) {
    return undefined;
  }
  return value as number[];
}

/** Bytes of a tensor; a RangeError says `what` cannot be and why. */
export function sizeInBytes(
  what: string,
  dtype: string,
  shape: readonly number[],
): number {
  const bits = dtypes.get(dtype)?.bits;
  if (bits === undefined) {
    throw new RangeError(`${what} has an unknown dtype ${quote(dtype)}`);
  }
  try {
    const size = countElements([countElements(shape), bits]) / 8;
    if (Number.isInteger(size)) return size;
    throw new RangeError("the shape does not fill whole bytes");
  } catch (error) {
    const message = `${what}: ${(error as Error).message}`;
    throw new RangeError(message, { cause: error });
  }
}
