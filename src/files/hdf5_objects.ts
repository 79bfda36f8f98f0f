/**
 * Objects of HDF5 files: the messages of their headers, as h5py writes them by default.
 *
 * ```text
 * header     u8 1  u8  u16 messages  u32 links  u32 bytes  4 more; then the messages
 * message    u16 type  u16 bytes  u8 flags  3 more, and its data
 *  1 space   u8 1  u8 rank  u8 flags  5 more  u64 dimension …
 *  3 type    u8 class, version  3 bytes of bits  u32 bytes of an element, more by class
 *  8 layout  u8 3  u8 class (0 here, 1 one stretch, 2 chunks)  u64 place  u64 bytes
 * 12 text    u8 1  u8  u16 u16 u16 bytes of name, type and space, each filled up to 8
 * 16 more    u64 place  u64 bytes of further messages
 * 17 group   u64 tree  u64 heap
 * ```
 *
 * Source: HDF5 File Format Specification 3.0, version 1 of object headers.
 *
 * @module
 */
import type { Hdf5Bytes, Record } from "./hdf5_bytes.ts";
import { HDF5_TEXT_BYTES, TENSOR_RANK } from "./limits.ts";
import { countElements } from "./shapes.ts";

/** What a dataset holds, and where. */
export interface Dataset {
  /** Its element type; `TEXT` and the like where nothing here reads it. */
  readonly dtype: string;
  /** Dimensions, slowest first. */
  readonly shape: readonly number[];
  /** Where its bytes start. */
  readonly offset: number;
  /** How many they are. */
  readonly byteLength: number;
}

/** Where the members of a group are. */
export interface GroupPlace {
  readonly tree: number;
  readonly heap: number;
}

/** An object: a group or a dataset. */
export interface Hdf5Object {
  readonly group?: GroupPlace;
  readonly dataset?: Dataset;
  /** Its attributes that are texts. */
  readonly texts: ReadonlyMap<string, string>;
}

const PREFIX_BYTES = 16, MESSAGE_BYTES = 8;
const SPACE = 1, LINK_INFO = 2, TYPE = 3, LINK = 6, EXTERNAL = 7, LAYOUT = 8;
const ATTRIBUTE = 12, CONTINUATION = 16, GROUP = 17;
/** A message that lies elsewhere. */
const SHARED = 2;

/**
 * Reads an object.
 *
 * @param file The file.
 * @param at Where its header is.
 * @param what The object, for messages.
 * @returns What it is; undefined where it is neither group nor dataset.
 */
export async function readObject(
  file: Hdf5Bytes,
  at: number,
  what: string,
): Promise<Hdf5Object | undefined> {
  file.visit(at, what);
  const found = new Map<number, Record>();
  const texts = new Map<string, string>();
  for await (const [type, data] of messagesOf(file, at, what)) {
    if (type === ATTRIBUTE) {
      const text = await textOf(file, data);
      if (text) texts.set(...text);
    } else found.set(type, data);
  }
  const group = found.get(GROUP);
  if (group) {
    const place = { tree: group.size(0), heap: group.size(8) };
    return { group: place, texts };
  }
  if (found.has(LINK_INFO) || found.has(LINK)) {
    throw new RangeError(
      `${what} lists its members in the way of HDF5 1.8 and later, which is not read: write it with h5py's default libver`,
    );
  }
  const [space, type, layout] = [SPACE, TYPE, LAYOUT].map((t) => found.get(t));
  if (!space || !type || !layout) return undefined;
  if (found.has(EXTERNAL)) throw new RangeError(`${what} lies in other files`);
  const shape = shapeOf(space);
  const element = { dtype: dtypeOf(type, texts), bytes: type.u32(4) };
  const byteLength = countElements([...shape, element.bytes]);
  const offset = placeOf(file, layout, byteLength);
  const { dtype } = element;
  return { dataset: { dtype, shape, offset, byteLength }, texts };
}

/** The messages of a header, and of what continues it. */
async function* messagesOf(
  file: Hdf5Bytes,
  at: number,
  what: string,
): AsyncGenerator<[type: number, data: Record], void> {
  const called = `the header of ${what}`;
  const prefix = await file.record(at, PREFIX_BYTES, called);
  if (prefix.u8(0) !== 1) {
    throw new RangeError(
      `${called} is of version ${
        prefix.u8(0)
      }, and only 1 is read: write it with h5py's default libver`,
    );
  }
  let left = prefix.u16(2);
  const blocks = [[at + PREFIX_BYTES, prefix.u32(8)]];
  for (let block = blocks.shift(); block && left > 0; block = blocks.shift()) {
    const messages = await file.record(block[0], block[1], called);
    let next = 0;
    while (left > 0 && next + MESSAGE_BYTES <= messages.length) {
      const type = messages.u16(next), size = messages.u16(next + 2);
      const flags = messages.u8(next + 4);
      const data = messages.part(next + MESSAGE_BYTES, size, `${what}`);
      next += MESSAGE_BYTES + size;
      left--;
      if (type === CONTINUATION) blocks.push([data.size(0), data.size(8)]);
      else if (flags & SHARED && [SPACE, TYPE, LAYOUT].includes(type)) {
        throw new RangeError(`${what} shares a message, which is not read`);
      } else yield [type, data];
    }
  }
}

function shapeOf(space: Record): number[] {
  const version = space.u8(0), rank = space.u8(1);
  if (version !== 1 && version !== 2) {
    throw new RangeError(`${space.what} has dimensions of version ${version}`);
  }
  if (rank > TENSOR_RANK) {
    throw new RangeError(
      `${space.what} has ${rank} dimensions, above the limit of ${TENSOR_RANK}`,
    );
  }
  // The second version tells nothing from everything.
  if (version === 2 && space.u8(3) === 2) return [0];
  const first = version === 1 ? 8 : 4;
  return Array.from({ length: rank }, (_, i) => space.size(first + 8 * i));
}

const FIXED = 0, FLOAT = 1, STRING = 3, OPAQUE = 5, ENUM = 8, VARIABLE = 9;

/** Floats by bytes, exponent's place and bits, mantissa's bits and the bias. */
const FLOATS: Readonly<{ [key: string]: string }> = {
  "2 10 5 10 15": "F16",
  "2 7 8 7 127": "BF16",
  "4 23 8 23 127": "F32",
  "8 52 11 52 1023": "F64",
};

/** What elements are called here. */
function dtypeOf(type: Record, texts: ReadonlyMap<string, string>): string {
  const kind = type.u8(0) & 15, bits = type.u8(1), bytes = type.u32(4);
  const isBig = (bits & 1) === 1;
  if (kind === FIXED) {
    const whole = type.u16(8) === 0 && type.u16(10) === 8 * bytes;
    const known = [1, 2, 4, 8].includes(bytes) && whole;
    if (known && !(isBig && bytes > 1)) {
      return `${bits & 8 ? "I" : "U"}${8 * bytes}`;
    }
  }
  if (kind === FLOAT && !isBig) {
    const key = [bytes, type.u8(12), type.u8(13), type.u8(15), type.u32(16)];
    const dtype = FLOATS[key.join(" ")];
    if (dtype && type.u16(8) === 0 && type.u8(14) === 0) return dtype;
  }
  // What numpy has no type for; Keras says which one it is.
  if (kind === OPAQUE && bytes === 2 && texts.get("dtype") === "bfloat16") {
    return "BF16";
  }
  if (kind === ENUM && bytes === 1) return "BOOL";
  if (kind === STRING || kind === VARIABLE) return "TEXT";
  return `HDF5_${kind}`;
}

const HERE = 0, STRETCH = 1;

/** Where the bytes of a dataset start. */
function placeOf(file: Hdf5Bytes, layout: Record, byteLength: number): number {
  const { what } = layout, version = layout.u8(0), kind = layout.u8(1);
  if (version !== 3) {
    throw new RangeError(`${what} has a layout of version ${version}, not 3`);
  }
  if (kind !== HERE && kind !== STRETCH) {
    throw new RangeError(
      `${what} lies in chunks, which are not read: write it without compression and chunks`,
    );
  }
  const [at, size] = kind === HERE
    ? [layout.at + 4, layout.u16(2)]
    : [layout.u64(2), layout.size(10)];
  if (byteLength === 0) return 0;
  if (size !== byteLength) {
    throw new SyntaxError(
      `${what} takes ${byteLength} bytes by its type and shape, and ${size} by its layout`,
    );
  }
  if (at === undefined) throw new SyntaxError(`${what} was never written`);
  file.checkPlace(at, size, what);
  return at;
}

// ---- attributes ----

/** Name and value of an attribute that is one text; undefined for others. */
async function textOf(
  file: Hdf5Bytes,
  data: Record,
): Promise<[name: string, text: string] | undefined> {
  const version = data.u8(0);
  if (version < 1 || version > 3) return undefined;
  const sizes = [2, 4, 6].map((at) => data.u16(at));
  const filled = sizes.map((n) => version === 1 ? Math.ceil(n / 8) * 8 : n);
  let at = version === 3 ? 9 : 8;
  const parts: Record[] = [];
  for (const size of filled) {
    parts.push(data.part(at, size, data.what));
    at += size;
  }
  const [name, type, space] = parts;
  const called = name.text(0, sizes[0]);
  if (space.u8(1) !== 0) return undefined;
  const kind = type.u8(0) & 15, bytes = type.u32(4);
  if (kind === STRING && bytes <= HDF5_TEXT_BYTES) {
    return [called, data.part(at, bytes, data.what).text(0, bytes)];
  }
  if (kind !== VARIABLE || (type.u8(1) & 15) !== 1) return undefined;
  const [length, index] = [data.u32(at), data.u32(at + 12)];
  if (length === 0) return [called, ""];
  const text = await heapText(file, data.size(at + 4), index, length);
  return text === undefined ? undefined : [called, text];
}

const HEAP_BYTES = 16;

/** A text in a collection of texts; undefined where it is longer than any that is wanted. */
async function heapText(
  file: Hdf5Bytes,
  place: number,
  index: number,
  length: number,
): Promise<string | undefined> {
  if (length > HDF5_TEXT_BYTES) return undefined;
  const what = `the texts at ${place}`;
  const head = await file.record(place, HEAP_BYTES, what);
  head.expect("GCOL");
  const end = place + head.size(8);
  for (let at = place + HEAP_BYTES; at + HEAP_BYTES <= end;) {
    const object = await file.record(at, HEAP_BYTES, what);
    const size = object.size(8);
    if (object.u16(0) === index) {
      const bytes = Math.min(length, size);
      const text = await file.record(at + HEAP_BYTES, bytes, what);
      return text.text(0, bytes);
    }
    at += HEAP_BYTES + Math.ceil(size / 8) * 8;
  }
  throw new SyntaxError(`${what} have none of number ${index}`);
}
