/**
 * UE4M3: unsigned, four exponent bits (bias 7), three mantissa bits, as ggml
 * reads and writes it for the scales of NVFP4.
 *
 * @module
 */

const { fround, min, trunc } = Math;

const scratch = /* @__PURE__ */ new Float32Array(1);
const scratchBits = /* @__PURE__ */ new Uint32Array(scratch.buffer);

/** 448; the encoder gives it to everything from 256 on. */
const LARGEST = 0x7e;

/**
 * Encodes a number, half up in the last place.
 *
 * @param x A float32.
 * @returns The byte: 0 for what is not positive or NaN, 0x7E (448) from 256 on.
 */
export function encodeUE4M3(x: number): number {
  if (!(x > 0)) return 0;
  scratch[0] = x;
  const bits = scratchBits[0];
  const exponent = (bits >>> 23) - 120;
  if (exponent <= 0) return min(7, trunc(fround(fround(x * 512) + 0.5)));
  // Exponent and mantissa are adjacent: the carry of the rounding goes where it belongs.
  const byte = (exponent << 3) + ((bits >>> 20) & 7) + ((bits >>> 19) & 1);
  return byte >= 15 << 3 ? LARGEST : byte;
}

/**
 * Half of the value of a byte, for tables whose entries are doubled.
 *
 * @param byte The byte.
 * @returns The float32, exact; 0 for 0 and for 0x7F. The highest bit counts only in that comparison.
 */
export function decodeUE4M3Half(byte: number): number {
  if (byte === 0 || byte === 0x7f) return 0;
  const exponent = (byte >> 3) & 15;
  const mantissa = byte & 7;
  return exponent === 0
    ? mantissa * 2 ** -10
    : (8 + mantissa) * 2 ** (exponent - 11);
}
