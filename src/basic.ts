/**
 * The four basic operations of the original Python module, bit for bit.
 *
 * @module
 */
import { measureMagnitude, measureRange } from "./kernels/grouped.ts";
import { type Kernel, type Operand, run } from "./kernels/engine.ts";
import {
  dequantizeInt8,
  pack,
  quantizeInt8,
  unpack,
} from "./kernels/js/nibbles.ts";
import { floatValues } from "./numeric/arguments.ts";
import type { FloatValues } from "./numeric/floats.ts";
import { scaleOf } from "./formats/int4.ts";

const QUANTIZE: Kernel = { name: "int8_quantize", js: quantizeInt8 };
const DEQUANTIZE: Kernel = { name: "int8_dequantize", js: dequantizeInt8 };
const PACK: Kernel = { name: "nibbles_pack", js: pack };
const UNPACK: Kernel = { name: "nibbles_unpack", js: unpack };

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
 * far from zero. `"absmax"`: max |x| / 7. A scale of 0 becomes 1.
 * @throws {RangeError} On a NaN or an infinity (the index is named), or an unknown scale method.
 * @throws {TypeError} When `values` is no array of floats.
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
  if (scaleMethod !== "minmax" && scaleMethod !== "absmax") {
    throw new RangeError(
      `Unknown scaleMethod "${scaleMethod}": use "minmax" or "absmax"`,
    );
  }
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
  requireInt8("dequantize", quantized);
  const out = new Float32Array(quantized.length);
  const numbers = [Math.fround(scale), Math.fround(zeroPoint)];
  stream(DEQUANTIZE, quantized.length, { array: quantized, bits: 8 }, {
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
 *
 * @example
 * ```ts
 * import { packInt4ToInt8 } from "@nibblewise/nibblewise";
 *
 * console.log(packInt4ToInt8(Int8Array.of(1, -1, 7))); // Int8Array [-15, 7]
 * ```
 */
export function packInt4ToInt8(values: Int8Array): Int8Array {
  requireInt8("pack", values);
  const packed = new Int8Array(Math.ceil(values.length / 2));
  const reject = () => {
    const index = values.findIndex((code) => code < -8 || code > 7);
    throw new RangeError(
      `Cannot pack ${
        values[index]
      } at index ${index}: an int4 is one of -8 to 7`,
    );
  };
  stream(
    PACK,
    values.length,
    { array: values, bits: 8 },
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
 * @throws {RangeError} When the bytes hold fewer codes than `length`.
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
  length: number = packed.length * 2,
): Int8Array {
  if (!(packed instanceof Int8Array || packed instanceof Uint8Array)) {
    throw new TypeError(
      "Cannot unpack: pass an Int8Array or a Uint8Array of packed codes",
    );
  }
  if (
    !Number.isSafeInteger(length) || length < 0 || length > packed.length * 2
  ) {
    throw new RangeError(
      `Cannot unpack ${length} codes from ${packed.length} bytes: they hold ${
        packed.length * 2
      }`,
    );
  }
  const codes = new Int8Array(length);
  const bytes = bytesOf(packed).subarray(0, Math.ceil(length / 2));
  stream(
    UNPACK,
    length,
    { array: bytes, bits: 4 },
    { array: codes, bits: 8 },
    [],
  );
  return codes;
}

function requireInt8(operation: string, codes: Int8Array): void {
  if (codes instanceof Int8Array) return;
  throw new TypeError(
    `Cannot ${operation}: pass an Int8Array of codes, one to a byte`,
  );
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
