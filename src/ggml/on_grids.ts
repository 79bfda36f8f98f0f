/**
 * Types of one to three bits whose codes are indices of points of a grid: 4 or 8 values at
 * a time. See `grids.ts`.
 *
 * Source: ggml-org/ggml, src/ggml-quants.c at d99724f: `dequantize_row_iq2_xxs` and so on.
 *
 * @module
 */

import { f16ToF32 } from "../numeric/f16.ts";
import { loadF16 } from "../numeric/f16_bytes.ts";
import type { DecodeBlock } from "./decoders.ts";
import { evenSigns, iq1s, iq2s, iq2xs, iq2xxs, iq3s, iq3xxs } from "./grids.ts";

/** Values that share a scale. */
const GROUP = 32;
const GROUPS = 8;

function load16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

/** Little-endian, as a signed number: only its bits are asked for. */
function load32(bytes: Uint8Array, at: number): number {
  return load16(bytes, at) | (load16(bytes, at + 2) << 16);
}

/** Writes points of four values, scaled and signed: bit k of `signs` is the sign of value k. */
function four(
  grid: Int8Array,
  index: number,
  scale: number,
  signs: number,
  out: Float32Array,
  to: number,
): void {
  for (let j = 0; j < 4; j++) {
    const value = scale * grid[4 * index + j];
    out[to + j] = (signs >> j) & 1 ? -value : value;
  }
}

/** The same of eight values. */
function eight(
  grid: Int8Array,
  index: number,
  scale: number,
  signs: number,
  out: Float32Array,
  to: number,
): void {
  four(grid, 2 * index, scale, signs, out, to);
  four(grid, 2 * index + 1, scale, signs >> 4, out, to + 4);
}

/**
 * `IQ2_XXS`: f16 d, then for each 32 values four indices of a byte, and 32 bits: four times
 * seven signs, and a scale of four bits. d · (scale + ½) / 4 · point.
 */
export const decodeIQ2_XXS: DecodeBlock = (blocks, at, out, outAt) => {
  const grid = iq2xxs();
  const d = loadF16(blocks, at);
  for (let g = 0; g < GROUPS; g++) {
    const from = at + 2 + 8 * g;
    const bits = load32(blocks, from + 4);
    const scale = d * (0.5 + (bits >>> 28)) * 0.25;
    for (let l = 0; l < 4; l++) {
      const signs = evenSigns((bits >>> (7 * l)) & 127);
      eight(grid, blocks[from + l], scale, signs, out, outAt + 32 * g + 8 * l);
    }
  }
};

/** The scale of the l-th eight of 32 values: nibbles of a byte, for 16 values each. */
function nibbleScale(d: number, byte: number, l: number): number {
  return d * (0.5 + (l < 2 ? byte & 15 : byte >> 4)) * 0.25;
}

/**
 * `IQ2_XS`: f16 d, 32 times 16 bits (an index of nine, seven signs), 8 bytes of scales.
 */
export const decodeIQ2_XS: DecodeBlock = (blocks, at, out, outAt) => {
  const grid = iq2xs();
  const d = loadF16(blocks, at);
  for (let k = 0; k < GROUP; k++) {
    const bits = load16(blocks, at + 2 + 2 * k);
    const scale = nibbleScale(d, blocks[at + 66 + (k >> 2)], k & 3);
    const signs = evenSigns(bits >> 9);
    eight(grid, bits & 511, scale, signs, out, outAt + 8 * k);
  }
};

/**
 * `IQ2_S`: f16 d, 32 bytes with the low eight bits of the indices, 32 with the signs, 8
 * with the two high bits of four indices each, 8 of scales.
 */
export const decodeIQ2_S: DecodeBlock = (blocks, at, out, outAt) => {
  const grid = iq2s();
  const d = loadF16(blocks, at);
  for (let k = 0; k < GROUP; k++) {
    const l = k & 3, g = k >> 2;
    const high = (blocks[at + 66 + g] >> (2 * l)) & 3;
    const scale = nibbleScale(d, blocks[at + 74 + g], l);
    const index = blocks[at + 2 + k] | (high << 8);
    eight(grid, index, scale, blocks[at + 34 + k], out, outAt + 8 * k);
  }
};

/**
 * `IQ3_XXS`: f16 d, 64 indices of a byte, then for each 32 values 32 bits: four times seven
 * signs, and a scale of four bits. d · (scale + ½) / 2 · point.
 */
export const decodeIQ3_XXS: DecodeBlock = (blocks, at, out, outAt) => {
  const grid = iq3xxs();
  const d = loadF16(blocks, at);
  for (let g = 0; g < GROUPS; g++) {
    const bits = load32(blocks, at + 66 + 4 * g);
    const scale = d * (0.5 + (bits >>> 28)) * 0.5;
    for (let k = 0; k < 8; k++) {
      const signs = evenSigns((bits >>> (7 * (k >> 1))) & 127) >> (4 * (k & 1));
      const index = blocks[at + 2 + 8 * g + k];
      four(grid, index, scale, signs, out, outAt + 32 * g + 4 * k);
    }
  }
};

/**
 * `IQ3_S`: f16 d, 64 bytes with the low eight bits of the indices, 8 with the high bit of
 * eight indices each, 32 with the signs, 4 of scales. d · (2 · scale + 1) · point.
 */
export const decodeIQ3_S: DecodeBlock = (blocks, at, out, outAt) => {
  const grid = iq3s();
  const d = loadF16(blocks, at);
  for (let k = 0; k < 64; k++) {
    const g = k >> 3;
    const both = blocks[at + 106 + (g >> 1)];
    const scale = d * (1 + 2 * (g & 1 ? both >> 4 : both & 15));
    const high = (blocks[at + 66 + g] >> (k & 7)) & 1;
    const signs = blocks[at + 74 + (k >> 1)] >> (4 * (k & 1));
    const index = blocks[at + 2 + k] | (high << 8);
    four(grid, index, scale, signs, out, outAt + 4 * k);
  }
};

/** Writes a point of the ternary grid, moved by an eighth up or down. */
function ternary(
  index: number,
  scale: number,
  delta: number,
  out: Float32Array,
  to: number,
): void {
  const grid = iq1s();
  for (let j = 0; j < 8; j++) {
    out[to + j] = scale * (grid[8 * index + j] + delta);
  }
}

/** What points of IQ1 are moved by. */
const DELTA = 0.125;

/**
 * `IQ1_S`: f16 d, 32 bytes with the low eight bits of the indices, then for each 32 values
 * 16 bits: four times the three high bits of an index, a scale of three bits, the sign of
 * the move. d · (2 · scale + 1) · (point ± ⅛).
 */
export const decodeIQ1_S: DecodeBlock = (blocks, at, out, outAt) => {
  const d = loadF16(blocks, at);
  for (let k = 0; k < GROUP; k++) {
    const bits = load16(blocks, at + 34 + 2 * (k >> 2));
    const high = (bits >> (3 * (k & 3))) & 7;
    const scale = d * (2 * ((bits >> 12) & 7) + 1);
    const delta = bits & 0x8000 ? -DELTA : DELTA;
    const index = blocks[at + 2 + k] | (high << 8);
    ternary(index, scale, delta, out, outAt + 8 * k);
  }
};

/**
 * `IQ1_M`: 32 bytes with the low eight bits of the indices; 16 with a nibble for each: the
 * three high bits and the sign of the move; four times 16 bits: four scales of three bits
 * for 16 values each, and a quarter of the f16 d, the lowest first.
 */
export const decodeIQ1_M: DecodeBlock = (blocks, at, out, outAt) => {
  const quarter = (k: number) => load16(blocks, at + 48 + 2 * k) >> 12;
  const d = f16ToF32(
    quarter(0) | (quarter(1) << 4) | (quarter(2) << 8) | (quarter(3) << 12),
  );
  for (let k = 0; k < GROUP; k++) {
    const sixteen = k >> 1;
    const scales = load16(blocks, at + 48 + 2 * (sixteen >> 2));
    const scale = d * (2 * ((scales >> (3 * (sixteen & 3))) & 7) + 1);
    const nibble = blocks[at + 32 + sixteen] >> (4 * (k & 1));
    const delta = nibble & 8 ? -DELTA : DELTA;
    const index = blocks[at + k] | ((nibble & 7) << 8);
    ternary(index, scale, delta, out, outAt + 8 * k);
  }
};
