/**
 * bfloat16 (`BF16`): the upper half of a float32, 8 exponent bits and 7 mantissa bits.
 *
 * @module
 */

const scratch = /* @__PURE__ */ new Float32Array(1);
const scratchBits = /* @__PURE__ */ new Uint32Array(scratch.buffer);

/** Encodes the float32 whose bits are `bits`. */
function encodeBits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) {
    return ((bits >>> 16) & 0x8000) | 0x7fc0;
  }
  // Half to even: just under half a step, plus one where the kept part is odd.
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/**
 * Encodes a number as bfloat16: rounded to float32 first, then half to even.
 *
 * What rounds beyond the largest finite value becomes an infinity; subnormals
 * are kept; a NaN becomes the quiet NaN 0x7FC0 with its sign.
 *
 * @param x The number.
 * @returns The sixteen bits.
 *
 * @example
 * ```ts
 * import { f32ToBf16 } from "./bf16.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(f32ToBf16(1), 0x3f80);
 * ```
 */
export function f32ToBf16(x: number): number {
  scratch[0] = x;
  return encodeBits(scratchBits[0]);
}

/**
 * Decodes a bfloat16; exact.
 *
 * @param bits The sixteen bits; higher bits are ignored.
 * @returns The number.
 *
 * @example
 * ```ts
 * import { bf16ToF32 } from "./bf16.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bf16ToF32(0xc000), -2);
 * ```
 */
export function bf16ToF32(bits: number): number {
  scratchBits[0] = bits << 16;
  return scratch[0];
}

/**
 * Decodes as many bfloat16 as `out` has room for elements of `bits`; NaN payloads are kept.
 *
 * @param bits The encoded values.
 * @param out Receives one float32 for each; of the same length.
 */
export function decodeBf16(bits: Uint16Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  const length = Math.min(bits.length, words.length);
  for (let i = 0; i < length; i++) words[i] = bits[i] << 16;
}

/**
 * Encodes float32 values as bfloat16, each as {@linkcode f32ToBf16} does.
 *
 * @param values The values.
 * @param out Receives their bits; of the same length.
 */
export function encodeBf16(values: Float32Array, out: Uint16Array): void {
  const words = new Uint32Array(
    values.buffer,
    values.byteOffset,
    values.length,
  );
  const length = Math.min(words.length, out.length);
  for (let i = 0; i < length; i++) out[i] = encodeBits(words[i]);
}
