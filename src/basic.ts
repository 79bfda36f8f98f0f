/**
 * The four basic operations of the original Python module, bit for bit.
 *
 * @module
 */
import { measureMagnitude, measureRange } from "./kernels/grouped.ts";
import { type Kernel, type Operand, run } from "./kernels/engine.ts";
import { BASIC_KERNELS } from "./kernels/modules.ts";
import {
  dequantizeInt8,
  pack,
  quantizeInt8,
  unpack,
} from "./kernels/js/nibbles.ts";
import {
  floatValues,
  numberOf,
  oneOf,
  typedArray,
  wholeNumber,
} from "./numeric/arguments.ts";
import type { FloatValues } from "./numeric/floats.ts";
import { scaleOf } from "./schemes/int4_scale.ts";

const QUANTIZE: Kernel = {
  name: "int8_quantize",
  module: BASIC_KERNELS,
  js: quantizeInt8,
};
const DEQUANTIZE: Kernel = {
  name: "int8_dequantize",
  module: BASIC_KERNELS,
  js: dequantizeInt8,
};
const PACK: Kernel = { name: "nibbles_pack", module: BASIC_KERNELS, js: pack };
const UNPACK: Kernel = {
  name: "nibbles_unpack",
  module: BASIC_KERNELS,
  js: unpack,
};

/** Whole vectors, whole bytes. */
const STEP = 64;

/** What {@linkcode quantizeToInt4} returns. */
export interface Int4Quantization {
  /** Codes of −8 … 7, one to a byte. */
  readonly quantized: Int8Array;
  /** What a code is multiplied with; a float32 value. */
  readonly scale: number;
  /** Always 0: both scale methods are symmetric. */
  readonly zeroPoint: number;
}

/**
 * Quantizes floats to int4 codes, one to a byte, with one scale for all.
 *
 * code = clamp(round half to even(x / scale), −8, 7), in float32. Equal to the
 * original module but for one thing: where x / scale is beyond ±128 its cast to
 * int8 wraps around, and here it saturates.
 *
 * @param values The floats. Anything but float32 is rounded to float32 first.
 * @param scaleMethod `"minmax"`: (max − min) / 15, which saturates where data is
 * far from zero. `"absmax"`: max |x| / 7. A scale of 0 becomes 1; where max − min
 * is beyond float32 it is Infinity and all codes are 0, as in the original.
 * @throws {RangeError} On a NaN or an infinity (the index is named), or an unknown scale method.
 * @throws {TypeError} When `values` is no array of floats, or the scale method no string.
 *
 * @example The original module's own example
 * ```ts
 * import {
 *   dequantizeFromInt4,
 *   packInt4ToInt8,
 *   quantizeToInt4,
 *   unpackInt8ToInt4,
 * } from "@nibblewise/nibblewise";
 *
 * const values = [0.1, 0.5, -1.3, 2.7, 3.9, -0.8, 5.2, -4.7];
 * const { quantized, scale } = quantizeToInt4(values);
 * console.log(quantized); // Int8Array [0, 1, -2, 4, 6, -1, 7, -7]
 * console.log(scale); // 0.6599999666213989
 *
 * const packed = packInt4ToInt8(quantized); // 4 bytes
 * const unpacked = unpackInt8ToInt4(packed, values.length);
 * const dequantized = dequantizeFromInt4(unpacked, scale);
 * console.log(dequantized[7]); // -4.619999885559082
 * ```
 */
export function quantizeToInt4(
  values: FloatValues,
  scaleMethod: "minmax" | "absmax" = "minmax",
): Int4Quantization {
  oneOf(scaleMethod, ["minmax", "absmax"], "scaleMethod");
  const input = floatValues(values, "values"),
    quantized = new Int8Array(input.length);
  const scale = scaleMethod === "minmax"
    ? minmaxScale(input)
    : absmaxScale(input);
  stream(QUANTIZE, input.length, { array: input, bits: 32 }, {
    array: quantized,
    bits: 8,
  }, [scale]);
  return { quantized, scale, zeroPoint: 0 };
}

function minmaxScale(values: Float32Array): number {
  return scaleOf("minmax", ...measureRange(values))[0];
}

function absmaxScale(values: Float32Array): number {
  const largest = measureMagnitude(values);
  return scaleOf("absmax", -largest, largest)[0];
}

/**
 * Turns int4 codes back into floats: (code − zeroPoint) · scale, in float32.
 *
 * @param quantized Codes, one to a byte.
 * @param scale What a code is multiplied with, rounded to float32.
 * @param zeroPoint The code that stands for 0 (any number; the original module ignores it).
 * @returns One float32 for each code. A NaN, as comes of a NaN or infinite scale, is always
 * the quiet NaN 0x7FC00000.
 * @throws {TypeError} When `quantized` is no Int8Array, or scale or zero point no number.
 *
 * @example
 * ```ts
 * import { dequantizeFromInt4 } from "@nibblewise/nibblewise";
 *
 * console.log(dequantizeFromInt4(Int8Array.of(-8, 0, 7), 0.5)); // Float32Array [-4, 0, 3.5]
 * ```
 */
export function dequantizeFromInt4(
  quantized: Int8Array,
  scale: number,
  zeroPoint = 0,
): Float32Array {
  const codes = typedArray(quantized, ["Int8Array"], "quantized");
  const out = new Float32Array(codes.length);
  const numbers = [
    Math.fround(numberOf(scale, "scale")),
    Math.fround(numberOf(zeroPoint, "zeroPoint")),
  ];
  stream(DEQUANTIZE, codes.length, { array: codes, bits: 8 }, {
    array: out,
    bits: 32,
  }, numbers);
  return out;
}

/**
 * Packs two codes to a byte, the first in the low nibble. An odd length ends in a
 * zero nibble.
 *
 * @param values Codes of −8 … 7, one to a byte.
 * @returns Half as many bytes, rounded up.
 * @throws {RangeError} When a value is outside of −8 … 7; its index is named.
 * @throws {TypeError} When `values` is no Int8Array.
 *
 * @example
 * ```ts
 * import { packInt4ToInt8 } from "@nibblewise/nibblewise";
 *
 * console.log(packInt4ToInt8(Int8Array.of(1, -1, 7))); // Int8Array [-15, 7]
 * ```
 */
export function packInt4ToInt8(values: Int8Array): Int8Array {
  const codes = typedArray(values, ["Int8Array"], "values");
  const packed = new Int8Array(Math.ceil(codes.length / 2));
  const reject = () => {
    const index = codes.findIndex((code) => code < -8 || code > 7);
    throw new RangeError(
      `Cannot pack ${
        codes[index]
      } at index ${index}: an int4 is one of -8 to 7`,
    );
  };
  stream(
    PACK,
    codes.length,
    { array: codes, bits: 8 },
    { array: bytesOf(packed), bits: 4 },
    [],
    reject,
  );
  return packed;
}

/**
 * Unpacks bytes into two codes each, the low nibble first.
 *
 * @param packed What {@linkcode packInt4ToInt8} returned.
 * @param length How many codes; both nibbles of every byte by default. One less drops the padding.
 * @throws {RangeError} When the bytes hold fewer codes than `length`, or it is not whole.
 * @throws {TypeError} When `packed` is no Int8Array or Uint8Array, or `length` no number.
 *
 * @example
 * ```ts
 * import { unpackInt8ToInt4 } from "@nibblewise/nibblewise";
 *
 * console.log(unpackInt8ToInt4(Int8Array.of(-15, 7), 3)); // Int8Array [1, -1, 7]
 * ```
 */
export function unpackInt8ToInt4(
  packed: Int8Array | Uint8Array,
  length?: number,
): Int8Array {
  const all = bytesOf(
    typedArray(packed, ["Int8Array", "Uint8Array"], "packed"),
  );
  const held = all.length * 2;
  const count = length === undefined
    ? held
    : wholeNumber(length, "length", 0, held);
  const codes = new Int8Array(count);
  const bytes = all.subarray(0, Math.ceil(count / 2));
  stream(
    UNPACK,
    count,
    { array: bytes, bits: 4 },
    { array: codes, bits: 8 },
    [],
  );
  return codes;
}

function bytesOf(array: Int8Array | Uint8Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.length);
}

type Bits = Pick<Operand, "array" | "bits">;

function stream(
  kernel: Kernel,
  count: number,
  input: Bits,
  output: Bits,
  numbers: readonly number[],
  again: () => void = () => {},
): void {
  const operands: Operand[] = [
    { ...input, access: "read" },
    { ...output, access: "write" },
  ];
  run({ kernel, count, step: STEP, operands, numbers, again });
}
