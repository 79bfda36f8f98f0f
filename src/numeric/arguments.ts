/**
 * What a caller passed, checked by kind.
 *
 * Nothing here asks `instanceof`: an array of another realm (an iframe, a `vm`
 * context, a test runner) is as good as one of this realm. Every function names
 * the argument in what it throws: a TypeError for a wrong kind, a RangeError for
 * a wrong value of the right kind.
 *
 * @module
 */
import { checkShape } from "./shape.ts";

/** The typed arrays by name, as far as this module takes and gives them. */
export interface TypedArrays {
  /** Signed bytes. */
  readonly Int8Array: Int8Array;
  /** Bytes. */
  readonly Uint8Array: Uint8Array;
  /** 16-bit integers, or the bits of 16-bit floats. */
  readonly Uint16Array: Uint16Array;
  /** Signed 32-bit integers. */
  readonly Int32Array: Int32Array;
  /** 32-bit integers. */
  readonly Uint32Array: Uint32Array;
  /** Signed 64-bit integers. */
  readonly BigInt64Array: BigInt64Array;
  /** 32-bit floats. */
  readonly Float32Array: Float32Array;
  /** 64-bit floats. */
  readonly Float64Array: Float64Array;
}

/** The name of a typed array. */
export type TypedArrayKind = keyof TypedArrays;

type Constructor = new (
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
) => ArrayBufferView;

const CONSTRUCTORS: Readonly<Record<TypedArrayKind, Constructor>> = {
  Int8Array,
  Uint8Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  Float32Array,
  Float64Array,
};

const typedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype);

/** The getter behind `%TypedArray%.prototype[Symbol.toStringTag]`: it looks at the array itself, so no realm and no subclass misleads it. */
const tagOf = Object.getOwnPropertyDescriptor(
  typedArrayPrototype,
  Symbol.toStringTag,
)!.get!;

/** The name of the typed array that `value` is, of whatever realm; undefined for anything else. */
export function typedArrayKind(value: unknown): string | undefined {
  return tagOf.call(value);
}

/** Whether the memory behind a typed array is gone: its buffer detached, or shrunk so that the array no longer fits. */
function isGone(array: ArrayBufferView): boolean {
  try {
    // Looks at no element, but refuses an array without memory.
    typedArrayPrototype.keys.call(array);
    return false;
  } catch {
    return true;
  }
}

/** Says of any value what it is, in few words: `null`, `the string "12"`, `a Uint8Array of 18`. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  switch (typeof value) {
    case "string": {
      const shown = value.length > 40 ? `${value.slice(0, 40)}…` : value;
      return `the string ${JSON.stringify(shown)}`;
    }
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    case "object":
      return describeObject(value);
    default:
      return `the ${typeof value} ${value}`;
  }
}

function describeObject(value: object): string {
  const kind = typedArrayKind(value);
  if (kind !== undefined) {
    const array = value as ArrayBufferView & ArrayLike<number>;
    return isGone(array)
      ? `a ${kind} whose buffer is detached or too short`
      : `a ${kind} of ${array.length}`;
  }
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  return tag === "Object" ? "an object" : `an object of type ${tag}`;
}

/** What to throw where an argument is of another kind than `wanted`. */
export function wrongKind(
  name: string,
  wanted: string,
  value: unknown,
): TypeError {
  return new TypeError(
    `Cannot use ${name}: it must be ${wanted}, not ${describe(value)}`,
  );
}

/** What to throw where an argument is not `wanted`, though it may be of one of these kinds, as `typeof` tells them. */
export function notAllowed(
  name: string,
  wanted: string,
  value: unknown,
  kinds: readonly string[],
): TypeError | RangeError {
  const error = wrongKind(name, wanted, value);
  return kinds.includes(typeof value) ? new RangeError(error.message) : error;
}

/** "a, b or c". */
export function listed(words: readonly string[]): string {
  return words.length < 2
    ? words.join()
    : `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}

/**
 * The same memory as a typed array of this realm and of no subclass (a Node
 * Buffer becomes a Uint8Array); the value itself where it is one already.
 *
 * @param value What the caller passed.
 * @param kinds The kinds that will do.
 * @param name The argument, for the message.
 * @throws {TypeError} When it is of another kind, or its buffer is detached or too short.
 */
export function typedArray<K extends TypedArrayKind>(
  value: unknown,
  kinds: readonly K[],
  name: string,
): TypedArrays[K] {
  const kind = typedArrayKind(value);
  if (kind === undefined || !(kinds as readonly string[]).includes(kind)) {
    const wanted = listed(
      kinds.map((k) => `${/^I/.test(k) ? "an" : "a"} ${k}`),
    );
    throw wrongKind(name, wanted, value);
  }
  return here(value as TypedArrays[K], kind as K, name);
}

function here<K extends TypedArrayKind>(
  array: TypedArrays[K],
  kind: K,
  name: string,
): TypedArrays[K] {
  if (isGone(array)) {
    throw new TypeError(
      `Cannot use ${name}: the buffer of this ${kind} is detached or too short; pass an array whose memory is still there`,
    );
  }
  const constructor = CONSTRUCTORS[kind];
  if (Object.getPrototypeOf(array) === constructor.prototype) return array;
  const { buffer, byteOffset, length } = array;
  return new constructor(buffer, byteOffset, length) as TypedArrays[K];
}

/** What to do instead, for the kinds of memory that people hold floats in. */
function hintFor(value: unknown): string {
  const kind = typedArrayKind(value);
  if (kind === "Uint8Array") {
    return "; where these are the bytes of float32 values, pass new Float32Array(Uint8Array.from(bytes).buffer)";
  }
  if (kind !== undefined) {
    return "; where these numbers are the values, pass Float32Array.from(numbers)";
  }
  const tag = Object.prototype.toString.call(value);
  return tag === "[object ArrayBuffer]" || tag === "[object SharedArrayBuffer]"
    ? "; where it holds float32 values, pass new Float32Array(buffer)"
    : "";
}

/** Kinds of typed array whose elements are floats. */
const FLOAT_KINDS = ["Float32Array", "Float64Array", "Float16Array"];

/**
 * Floats as a Float32Array: the same memory where they are float32, or a copy
 * rounded to float32.
 *
 * @param value A Float32Array, Float64Array, Float16Array or array of numbers.
 * @param name The argument, for the message.
 * @throws {TypeError} For anything else, for an element that is no number, and
 * for an array whose buffer is detached or too short.
 */
export function floatValues(value: unknown, name: string): Float32Array {
  const kind = typedArrayKind(value);
  if (kind === "Float32Array") {
    return here(value as Float32Array, kind, name);
  }
  if (kind !== undefined && FLOAT_KINDS.includes(kind)) {
    const floats = value as Float64Array;
    if (isGone(floats)) {
      throw wrongKind(name, "an array whose memory is still there", value);
    }
    return new Float32Array(floats);
  }
  if (Array.isArray(value)) return new Float32Array(numbers(value, name));
  throw new TypeError(
    `Cannot use ${name}: pass a Float32Array, Float64Array, Float16Array or an array of numbers, ` +
      `not ${describe(value)}${hintFor(value)}`,
  );
}

/** An array of which every element is a number. Throws a TypeError that names the index of another. */
function numbers(array: readonly unknown[], name: string): number[] {
  // Unlike forEach, findIndex looks at holes too.
  const index = Array.prototype.findIndex.call(
    array,
    (element) => typeof element !== "number",
  );
  if (index < 0) return array as number[];
  const element = array[index];
  const nested = Array.isArray(element) || typedArrayKind(element) !== undefined
    ? "; pass one flat array, and what its axes are as shape"
    : "";
  throw new TypeError(
    `Cannot use ${name}: the element at index ${index} must be a number, not ${
      describe(element)
    }${nested}`,
  );
}

/**
 * An object of named options; none where it is undefined.
 *
 * @param value What the caller passed.
 * @param name The argument, for the message.
 * @throws {TypeError} For null, an array, a Map, a function, anything but a plain object or an instance of a class of one's own.
 */
export function plainOptions(
  value: unknown,
  name: string,
): Readonly<Record<string, unknown>> {
  if (value === undefined) return {};
  // Of no realm in particular, and no array, Map, Date or the like.
  if (Object.prototype.toString.call(value) !== "[object Object]") {
    throw wrongKind(name, "an object", value);
  }
  return value as Record<string, unknown>;
}

/**
 * One of a few words.
 *
 * @param value What the caller passed.
 * @param choices The words there are.
 * @param name The argument, for the message.
 * @throws {TypeError} When it is no string.
 * @throws {RangeError} When it is another word.
 */
export function oneOf<Word extends string>(
  value: unknown,
  choices: readonly Word[],
  name: string,
): Word {
  if ((choices as readonly unknown[]).includes(value)) return value as Word;
  const words = listed(choices.map((word) => `"${word}"`));
  if (typeof value !== "string") throw wrongKind(name, words, value);
  throw new RangeError(
    `Unknown ${name} ${JSON.stringify(value.slice(0, 40))}: use ${words}`,
  );
}

/**
 * A number.
 *
 * @param value What the caller passed; NaN and infinities are numbers.
 * @param name The argument, for the message.
 * @throws {TypeError} When it is no number.
 */
export function numberOf(value: unknown, name: string): number {
  if (typeof value !== "number") throw wrongKind(name, "a number", value);
  return value;
}

/**
 * A whole number in a range.
 *
 * @param value What the caller passed.
 * @param name The argument, for the message.
 * @param least The smallest that will do.
 * @param most The largest that will do.
 * @throws {TypeError} When it is no number.
 * @throws {RangeError} When it is not whole or out of range.
 */
export function wholeNumber(
  value: unknown,
  name: string,
  least = 0,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  const number = numberOf(value, name);
  if (Number.isSafeInteger(number) && number >= least && number <= most) {
    return number;
  }
  const range = most === Number.MAX_SAFE_INTEGER
    ? `of ${least} or more`
    : `from ${least} to ${most}`;
  throw new RangeError(
    `Cannot use ${name} ${number}: it must be a whole number ${range}`,
  );
}

/** More axes than any tensor has; without a limit a message could list a million of them. */
const MOST_AXES = 64;

/**
 * A copy of a shape, slowest dimension first.
 *
 * @param value An array of whole numbers; no axes for a scalar.
 * @param name The argument, for the message.
 * @throws {TypeError} When it is no array of numbers.
 * @throws {RangeError} When a dimension is negative or not whole, or there are too many values or axes.
 */
export function shapeOf(value: unknown, name = "shape"): number[] {
  if (!Array.isArray(value)) {
    throw wrongKind(name, "an array of whole numbers", value);
  }
  if (value.length > MOST_AXES) {
    throw new RangeError(
      `Cannot use ${name}: it has ${value.length} axes, at most ${MOST_AXES} are possible`,
    );
  }
  const shape = [...numbers(value, name)];
  checkShape(shape, name);
  return shape;
}

/**
 * The two ends of an interval, rounded to float32: what is computed with.
 *
 * @param value `[min, max]`.
 * @param name The argument, for the message.
 * @throws {TypeError} When it is no array of numbers.
 * @throws {RangeError} Unless there are two of them, finite in float32, and min <= max.
 */
export function intervalOf(
  value: unknown,
  name: string,
): [min: number, max: number] {
  if (!Array.isArray(value)) throw wrongKind(name, "[min, max]", value);
  const [min, max] = numbers(value.slice(0, 3), name).map(Math.fround);
  if (
    value.length === 2 && Number.isFinite(min) && Number.isFinite(max) &&
    min <= max
  ) return [min, max];
  throw new RangeError(
    `Cannot use ${name} [${
      value.slice(0, 3)
    }]: it must be [min, max], both finite in float32, min <= max`,
  );
}

/**
 * A format itself, not its name.
 *
 * @param value What the caller passed.
 * @throws {TypeError} For anything else.
 */
export function formatObject<Format>(value: unknown): Format {
  if (
    typeof value === "object" && value !== null && "resolve" in value &&
    "layout" in value && "quantize" in value
  ) return value as Format;
  throw wrongKind("format", "a format that was imported", value);
}
