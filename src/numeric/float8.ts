/**
 * Floats of eight bits, decoded: every value of them is a float32.
 *
 * ```text
 * F8_E4M3   s eeee mmm   bias 7,  no infinities, NaN is s 1111 111, largest 448
 * F8_E5M2   s eeeee mm   bias 15, infinities and NaN as in IEEE 754, largest 57344
 * F8_E8M0   eeeeeeee     2^(e − 127), no sign, no zero, NaN is 255
 * ```
 *
 * A NaN becomes float32's quiet NaN 0x7FC00000 with the sign that it has,
 * whatever its mantissa: what ml_dtypes makes of it.
 *
 * Source: OCP 8-bit Floating Point Specification 1.0, OCP Microscaling Formats 1.0.
 *
 * @module
 */

/** The eight-bit floats by safetensors' names. E4M3 is the variant without infinities, E4M3FN. */
export type Float8Dtype = "F8_E4M3" | "F8_E5M2" | "F8_E8M0";

const QUIET_NAN = 0x7fc00000;

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The bits of the float32 that a byte stands for. */
const bitsOf: Readonly<Record<Float8Dtype, (byte: number) => number>> = {
  F8_E4M3: (byte) => signedBits(byte, 3, 7, (byte & 0x7f) === 0x7f),
  F8_E5M2: (byte) => signedBits(byte, 2, 15, (byte & 0x7f) > 0x7c),
  F8_E8M0: (byte) => byte === 255 ? QUIET_NAN : float32Bits(2 ** (byte - 127)),
};

function signedBits(
  byte: number,
  mantissaBits: number,
  bias: number,
  isNaN: boolean,
): number {
  const sign = (byte & 0x80) << 24;
  return (sign |
    (isNaN ? QUIET_NAN : magnitudeBits(byte, mantissaBits, bias))) >>> 0;
}

function magnitudeBits(
  byte: number,
  mantissaBits: number,
  bias: number,
): number {
  // E5M2's infinity; in E4M3 the largest exponent is one like any other.
  if (mantissaBits === 2 && (byte & 0x7f) === 0x7c) return 0x7f800000;
  const one = 1 << mantissaBits;
  const mantissa = byte & (one - 1);
  const exponent = (byte & 0x7f) >> mantissaBits;
  return float32Bits(
    exponent === 0
      ? mantissa / one * 2 ** (1 - bias)
      : (1 + mantissa / one) * 2 ** (exponent - bias),
  );
}

function float32Bits(x: number): number {
  scratch[0] = x;
  return scratchBits[0];
}

const tables = new Map<Float8Dtype, Uint32Array>();

/** The float32 bits of all 256 bytes, made once. */
function tableOf(dtype: Float8Dtype): Uint32Array {
  let table = tables.get(dtype);
  if (table === undefined) {
    table = Uint32Array.from({ length: 256 }, (_, byte) => bitsOf[dtype](byte));
    tables.set(dtype, table);
  }
  return table;
}

/**
 * Tells whether a dtype is one of eight-bit floats that can be decoded.
 *
 * @param dtype A dtype as safetensors spells it.
 * @returns Whether {@linkcode decodeFloat8} takes it.
 */
export function isFloat8(dtype: string): dtype is Float8Dtype {
  return Object.hasOwn(bitsOf, dtype);
}

/**
 * Decodes one byte; exact.
 *
 * @param byte The byte, 0 to 255.
 * @param dtype What it is.
 * @returns The number.
 *
 * @example
 * ```ts
 * import { float8ToF32 } from "./float8.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(float8ToF32(0x7e, "F8_E4M3"), 448);
 * ```
 */
export function float8ToF32(byte: number, dtype: Float8Dtype): number {
  scratchBits[0] = tableOf(dtype)[byte];
  return scratch[0];
}

/**
 * Decodes as many bytes as there are. `bytes` may lie at the end of the memory of `out`.
 *
 * @param bytes The encoded values.
 * @param dtype What they are.
 * @param out Receives one float32 for each; of the same length.
 */
export function decodeFloat8(
  bytes: Uint8Array,
  dtype: Float8Dtype,
  out: Float32Array,
): void {
  const table = tableOf(dtype);
  // Words, not floats: an engine may change the bits of a NaN that passes through a number.
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  const length = Math.min(bytes.length, words.length);
  for (let i = 0; i < length; i++) words[i] = table[bytes[i]];
}
