/**
 * A metadata value of GGUF: a type and the bytes that follow it in the file.
 *
 * The bytes are kept as they are and decoded on demand, so that a copy is exact (a NaN's payload, a
 * string that is no UTF-8) and a vocabulary of a hundred megabytes is not turned into strings
 * by someone who only copies it.
 *
 * ```text
 *   scalar   the value, little-endian (bool: one byte)
 *   string   u64 length, UTF-8
 *   array    u32 element type, u64 count, the elements
 * ```
 *
 * @module
 */
import { quote } from "./errors.ts";

/** The thirteen value types; a type's place is its number in the file. */
export const ggufValueTypes = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "bool",
  "string",
  "array",
  "u64",
  "i64",
  "f64",
] as const;

/** The type of a metadata value. */
export type GgufValueType = (typeof ggufValueTypes)[number];

/** The type of an array's elements: arrays do not nest, because ggml does not read them. */
export type GgufElementType = Exclude<GgufValueType, "array">;

/** The types whose values all have one size. */
export type GgufFixedType = Exclude<GgufElementType, "string">;

/** One decoded value: u64 and i64 are bigint, so that they are exact. */
export type GgufScalar = number | bigint | boolean | string;

interface Codec {
  readonly size: number;
  /** Smallest and largest value of an integer type. */
  readonly range?: readonly [bigint, bigint];
  get(view: DataView, at: number): GgufScalar;
  put(view: DataView, at: number, value: GgufScalar): void;
}

const codecs: Readonly<Record<GgufFixedType, Codec>> = {
  u8: {
    size: 1,
    range: [0n, 0xffn],
    get: (v, at) => v.getUint8(at),
    put: (v, at, x) => v.setUint8(at, Number(x)),
  },
  i8: {
    size: 1,
    range: [-0x80n, 0x7fn],
    get: (v, at) => v.getInt8(at),
    put: (v, at, x) => v.setInt8(at, Number(x)),
  },
  u16: {
    size: 2,
    range: [0n, 0xffffn],
    get: (v, at) => v.getUint16(at, true),
    put: (v, at, x) => v.setUint16(at, Number(x), true),
  },
  i16: {
    size: 2,
    range: [-0x8000n, 0x7fffn],
    get: (v, at) => v.getInt16(at, true),
    put: (v, at, x) => v.setInt16(at, Number(x), true),
  },
  u32: {
    size: 4,
    range: [0n, 0xffff_ffffn],
    get: (v, at) => v.getUint32(at, true),
    put: (v, at, x) => v.setUint32(at, Number(x), true),
  },
  i32: {
    size: 4,
    range: [-0x8000_0000n, 0x7fff_ffffn],
    get: (v, at) => v.getInt32(at, true),
    put: (v, at, x) => v.setInt32(at, Number(x), true),
  },
  u64: {
    size: 8,
    range: [0n, (1n << 64n) - 1n],
    get: (v, at) => v.getBigUint64(at, true),
    put: (v, at, x) => v.setBigUint64(at, BigInt(x), true),
  },
  i64: {
    size: 8,
    range: [-(1n << 63n), (1n << 63n) - 1n],
    get: (v, at) => v.getBigInt64(at, true),
    put: (v, at, x) => v.setBigInt64(at, BigInt(x), true),
  },
  f32: {
    size: 4,
    get: (v, at) => v.getFloat32(at, true),
    put: (v, at, x) => v.setFloat32(at, Number(x), true),
  },
  f64: {
    size: 8,
    get: (v, at) => v.getFloat64(at, true),
    put: (v, at, x) => v.setFloat64(at, Number(x), true),
  },
  bool: {
    size: 1,
    get: (v, at) => v.getUint8(at) !== 0,
    put: (v, at, x) => v.setUint8(at, x ? 1 : 0),
  },
};

const encoder = new TextEncoder();
// A byte order mark is part of a token; without ignoreBOM the decoder would drop it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** How many bytes an element of this type takes. */
export function ggufFixedSize(type: GgufFixedType): number {
  return codecs[type].size;
}

/** The number that stands for a type in the file. */
export function ggufTypeId(type: GgufValueType): number {
  return ggufValueTypes.indexOf(type);
}

/** A metadata value as the file has it, decoded on demand. */
export class GgufValue {
  /** Its type. */
  readonly type: GgufValueType;
  /** The type of its elements if it is an array, else its own. */
  readonly elementType: GgufElementType;
  /** How many elements an array has; 1 for anything else. */
  readonly length: number;
  /** What follows the type in the file. */
  readonly bytes: Uint8Array;

  /** Wraps bytes whose lengths were checked; to make a value, see {@linkcode GgufValue.of}. */
  constructor(
    type: GgufValueType,
    elementType: GgufElementType,
    length: number,
    bytes: Uint8Array,
  ) {
    this.type = type;
    this.elementType = elementType;
    this.length = length;
    this.bytes = bytes;
  }

  /**
   * Makes a scalar or a string.
   *
   * @param type Its type in the file.
   * @param value The value; integers from 2^53 on as bigint.
   * @returns The encoded value.
   * @throws {TypeError} If the value is of a JavaScript type that does not fit.
   * @throws {RangeError} If an integer is out of range.
   */
  static of(type: GgufElementType, value: GgufScalar): GgufValue {
    check(type, value);
    const bytes = new Uint8Array(encodedSize(type, value));
    encode(type, value, new DataView(bytes.buffer), 0);
    return new GgufValue(type, type, 1, bytes);
  }

  /**
   * Makes an array.
   *
   * @param elementType The type of each element.
   * @param values The elements.
   * @returns The encoded array.
   * @throws {TypeError} As {@linkcode GgufValue.of}.
   * @throws {RangeError} As {@linkcode GgufValue.of}.
   */
  static array(
    elementType: GgufElementType,
    values: readonly GgufScalar[],
  ): GgufValue {
    let size = arrayHeader;
    for (const value of values) {
      check(elementType, value);
      size += encodedSize(elementType, value);
    }
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, ggufTypeId(elementType), true);
    view.setBigUint64(4, BigInt(values.length), true);
    let at = arrayHeader;
    for (const value of values) at += encode(elementType, value, view, at);
    return new GgufValue("array", elementType, values.length, bytes);
  }

  /** The decoded value; an array's elements in order. Bytes of a string that are no UTF-8 become U+FFFD. */
  get value(): GgufScalar | GgufScalar[] {
    return this.type === "array" ? this.first(this.length) : this.first(1)[0];
  }

  /** Decodes up to `count` elements from the start: what a listing shows of a large array. */
  first(count: number): GgufScalar[] {
    const view = new DataView(
      this.bytes.buffer,
      this.bytes.byteOffset,
      this.bytes.byteLength,
    );
    const elements: GgufScalar[] = [];
    let at = this.type === "array" ? arrayHeader : 0;
    for (let i = 0; i < Math.min(count, this.length); i++) {
      if (this.elementType === "string") {
        const length = Number(view.getBigUint64(at, true));
        elements.push(
          decoder.decode(this.bytes.subarray(at + 8, at + 8 + length)),
        );
        at += 8 + length;
      } else {
        const codec = codecs[this.elementType];
        elements.push(codec.get(view, at));
        at += codec.size;
      }
    }
    return elements;
  }
}

/** Bytes before the elements of an array: u32 element type, u64 count. */
const arrayHeader = 12;

function check(type: GgufElementType, value: GgufScalar): void {
  if (type === "string") {
    if (typeof value === "string") return;
    throw new TypeError(`string takes a string, not ${String(value)}`);
  }
  if (type === "bool") {
    if (typeof value === "boolean") return;
    throw new TypeError(`bool takes a boolean, not ${show(value)}`);
  }
  const { range } = codecs[type];
  if (range === undefined) {
    if (typeof value !== "number") {
      throw new TypeError(`${type} takes a number, not ${show(value)}`);
    }
    return;
  }
  if (typeof value !== "bigint" && !Number.isSafeInteger(value)) {
    throw new TypeError(
      `${type} takes an integer (a bigint from 2^53 on), not ${show(value)}`,
    );
  }
  const [low, high] = range;
  if (BigInt(value) < low || BigInt(value) > high) {
    throw new RangeError(`${type} holds ${low} to ${high}, not ${value}`);
  }
}

function show(value: unknown): string {
  return typeof value === "string" ? quote(value) : String(value);
}

function encodedSize(type: GgufElementType, value: GgufScalar): number {
  return type === "string"
    ? 8 + encoder.encode(value as string).length
    : codecs[type].size;
}

/** Returns how many bytes it wrote. */
function encode(
  type: GgufElementType,
  value: GgufScalar,
  view: DataView<ArrayBuffer>,
  at: number,
): number {
  if (type === "string") {
    const { written } = encoder.encodeInto(
      value as string,
      new Uint8Array(view.buffer, at + 8),
    );
    view.setBigUint64(at, BigInt(written), true);
    return 8 + written;
  }
  codecs[type].put(view, at, value);
  return codecs[type].size;
}
