/**
 * Types of one to three bits whose codes are plain numbers, and the two of eight bits that
 * ggml makes for its products.
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `dequantize_row_q1_0` and so on.
 *
 * @module
 */

import { loadF16 } from "../numeric/f16_bytes.ts";
import { type DecodeBlock, signedByte } from "./decoders.ts";

const { fround } = Math;

/** `Q1_0`: f16 d, then a bit for each of 128 values: d where it is set, −d where not. */
export const decodeQ1_0: DecodeBlock = (blocks, at, out, outAt) => {
  const d = loadF16(blocks, at);
  for (let j = 0; j < 128; j++) {
    const bit = (blocks[at + 2 + (j >> 3)] >> (j & 7)) & 1;
    out[outAt + j] = bit ? d : -d;
  }
};

/** `Q2_0`: f16 d, then two bits for each of 64 values: (code − 1) · d. */
export const decodeQ2_0: DecodeBlock = (blocks, at, out, outAt) => {
  const d = loadF16(blocks, at);
  for (let j = 0; j < 64; j++) {
    const code = (blocks[at + 2 + (j >> 2)] >> (2 * (j & 3))) & 3;
    out[outAt + j] = (code - 1) * d;
  }
};

/**
 * `Q8_1`: f16 d, f16 s (d times the sum of the codes, which only products use), 32 signed
 * codes: code · d. ggml has no function for it.
 */
export const decodeQ8_1: DecodeBlock = (blocks, at, out, outAt) => {
  const d = loadF16(blocks, at);
  for (let j = 0; j < 32; j++) {
    out[outAt + j] = signedByte(blocks[at + 4 + j]) * d;
  }
};

const d32 = new DataView(new ArrayBuffer(4));

/** `Q8_K`: float32 d, 256 signed codes, 16 int16 sums of 16 codes: code · d. */
export const decodeQ8_K: DecodeBlock = (blocks, at, out, outAt) => {
  for (let k = 0; k < 4; k++) d32.setUint8(k, blocks[at + k]);
  const d = d32.getFloat32(0, true);
  for (let j = 0; j < 256; j++) {
    out[outAt + j] = signedByte(blocks[at + 4 + j]) * d;
  }
};

/**
 * `Q2_K`: 16 bytes with the scale (low nibble) and the offset (high) of 16 values each,
 * 64 bytes of codes, f16 d, f16 dmin: d · scale · code − dmin · offset.
 *
 * The codes lie in two halves of 32 bytes; pair p of the bits of byte l is value 32p + l.
 */
export const decodeQ2_K: DecodeBlock = (blocks, at, out, outAt) => {
  const d = loadF16(blocks, at + 80);
  const dmin = loadF16(blocks, at + 82);
  for (let g = 0; g < 16; g++) {
    const both = blocks[at + g];
    const scale = fround(d * (both & 15));
    const offset = fround(dmin * (both >> 4));
    const from = at + 16 + codesAt(g), shift = shiftOf(g), to = outAt + 16 * g;
    for (let l = 0; l < 16; l++) {
      const code = (blocks[from + l] >> shift) & 3;
      out[to + l] = fround(scale * code) - offset;
    }
  }
};

/** Where the codes of the g-th 16 values of `Q2_K` and `Q3_K` start. */
function codesAt(g: number): number {
  return 32 * (g >> 3) + 16 * (g & 1);
}

/** Which bits of their bytes they are. */
function shiftOf(g: number): number {
  return 2 * ((g >> 1) & 3);
}

/**
 * `Q3_K`: 32 bytes of highest bits (bit b of byte l is that of value 32b + l), 64 bytes of
 * codes as in `Q2_K`, 12 bytes of 6-bit scales, f16 d: d · (scale − 32) · (code − 4), with
 * 4 in the code where the highest bit is set.
 */
export const decodeQ3_K: DecodeBlock = (blocks, at, out, outAt) => {
  const d = loadF16(blocks, at + 108);
  for (let g = 0; g < 16; g++) {
    const scale = fround(d * (scaleOfQ3_K(blocks, at + 96, g) - 32));
    const from = at + 32 + codesAt(g), shift = shiftOf(g), to = outAt + 16 * g;
    const highAt = at + 16 * (g & 1), highBit = g >> 1;
    for (let l = 0; l < 16; l++) {
      const low = (blocks[from + l] >> shift) & 3;
      const high = (blocks[highAt + l] >> highBit) & 1;
      out[to + l] = scale * (low + 4 * high - 4);
    }
  }
};

/** Scale g: its low four bits are a nibble of the first eight bytes, its high two a pair of bits of the last four. */
function scaleOfQ3_K(blocks: Uint8Array, at: number, g: number): number {
  const low = blocks[at + (g & 7)] >> (g < 8 ? 0 : 4);
  const high = blocks[at + 8 + (g & 3)] >> (2 * (g >> 2));
  return (low & 15) | ((high & 3) << 4);
}

/** Writes digit n (of five, the highest first) of bytes that hold numbers to base 3 as fractions of 243. */
function ternaryDigits(
  blocks: Uint8Array,
  at: number,
  bytes: number,
  power: number,
  d: number,
  out: Float32Array,
  outAt: number,
): void {
  for (let m = 0; m < bytes; m++) {
    const rest = (blocks[at + m] * power) & 255;
    out[outAt + m] = (((rest * 3) >> 8) - 1) * d;
  }
}

const POWERS_OF_THREE = [1, 3, 9, 27, 81];

/**
 * `TQ1_0`: −1, 0 or 1 times d. 32, then 16 bytes of five digits each (value m of the n-th
 * run is digit n of byte m), 4 bytes of four digits, f16 d.
 */
export const decodeTQ1_0: DecodeBlock = (blocks, at, out, outAt) => {
  const d = loadF16(blocks, at + 52);
  POWERS_OF_THREE.forEach((power, n) => {
    ternaryDigits(blocks, at, 32, power, d, out, outAt + 32 * n);
    ternaryDigits(blocks, at + 32, 16, power, d, out, outAt + 160 + 16 * n);
    if (n === 4) return;
    ternaryDigits(blocks, at + 48, 4, power, d, out, outAt + 240 + 4 * n);
  });
};

/** `TQ2_0`: −1 … 2 times d. 64 bytes of codes as in `Q2_K`, f16 d. */
export const decodeTQ2_0: DecodeBlock = (blocks, at, out, outAt) => {
  const d = loadF16(blocks, at + 64);
  for (let g = 0; g < 16; g++) {
    const from = at + codesAt(g), shift = shiftOf(g), to = outAt + 16 * g;
    for (let l = 0; l < 16; l++) {
      out[to + l] = (((blocks[from + l] >> shift) & 3) - 1) * d;
    }
  }
};
