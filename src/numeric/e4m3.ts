/**
 * E4M3 without infinities (`F8_E4M3`): 1 sign bit, 4 exponent bits (bias 7), 3
 * mantissa bits. Largest 448 (0x7E), smallest subnormal 2^-9; 0x7F and 0xFF are NaN.
 *
 * @module
 */
/** The largest value. */
export const LARGEST_E4M3 = 448;

const scratch = /* @__PURE__ */ new Float32Array(1);
const scratchBits = /* @__PURE__ */ new Int32Array(scratch.buffer);

const VALUES = /* @__PURE__ */ Float32Array.from({ length: 256 }, (_, byte) => {
  const sign = byte & 0x80 ? -1 : 1;
  const exponent = byte >> 3 & 15, mantissa = byte & 7;
  if (exponent === 15 && mantissa === 7) return NaN;
  return exponent === 0
    ? sign * mantissa * 2 ** -9
    : sign * (8 + mantissa) * 2 ** (exponent - 10);
});

/** Decodes a byte; exact. */
export function decodeE4M3(byte: number): number {
  return VALUES[byte];
}

/** The bits of float32's 448, 2^-6 and infinity; below 2^-6 steps are 2^-9. */
const LARGEST = 0x43e00000, SMALLEST_NORMAL = 0x3c800000, INFINITE = 0x7f800000;
/** Difference of the exponent biases, 127 − 7, in front of three bits of mantissa. */
const REBIAS = 120 << 3;

/** Encodes a float32, half to even; magnitudes beyond 448 saturate, a NaN becomes 0x7F. */
export function encodeE4M3(x: number): number {
  scratch[0] = x;
  return encodeE4M3Bits(scratchBits[0], 0x7f);
}

/**
 * The same by the bits of the float32, whole numbers all the way.
 *
 * @param bits The bits.
 * @param nan What a NaN becomes.
 */
export function encodeE4M3Bits(bits: number, nan: number): number {
  // What is an E4M3 already, normal and positive, as most scales are.
  if (bits >= SMALLEST_NORMAL && bits <= LARGEST && (bits & 0xfffff) === 0) {
    return (bits >> 20) - REBIAS;
  }
  const sign = bits >>> 24 & 0x80, magnitude = bits & 0x7fffffff;
  if (magnitude >= LARGEST) return magnitude > INFINITE ? nan : sign | 0x7e;
  // Half to even: just under half a step, plus one where the kept part is odd.
  if (magnitude >= SMALLEST_NORMAL) {
    // A carry to the next power of two lands where it belongs: fields are adjacent.
    const rounded = magnitude + 0x7ffff + (magnitude >>> 20 & 1);
    return sign | (rounded >>> 20) - REBIAS;
  }
  const mantissa = magnitude & 0x7fffff | 0x800000;
  const cut = 141 - (magnitude >>> 23);
  if (cut > 24) return sign; // less than half a step
  return sign |
    mantissa + (1 << cut - 1) - 1 + (mantissa >>> cut & 1) >>> cut;
}
