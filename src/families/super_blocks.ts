/**
 * ggml's super-blocks with offsets: 256 values in eight groups of 32, each group with a
 * 6-bit scale and a 6-bit offset, all sharing a binary16 scale for either. How many bits a
 * code has, and where they lie, is up to the format.
 *
 * ```text
 * byte   0 1 │ 2 3  │ 4 … 15 │ 16 …
 *        d   │ dmin │ s, m   │ codes
 *        f16 │ f16  │ 6-bit  │
 * byte 4+g   (g < 4): s[g]   | (s[g+4] >> 4) << 6
 * byte 8+g   (g < 4): m[g]   | (m[g+4] >> 4) << 6
 * byte 12+g  (g < 4): s[g+4] & 15 | (m[g+4] & 15) << 4
 * value = d · s · code − dmin · m
 * ```
 *
 * @module
 */

import { nearestInt } from "../numeric/c_casts.ts";
import { loadF16, storeF16 } from "../numeric/f16_bytes.ts";
import { clamp } from "../numeric/rounding.ts";
import { type AffineSearch, searchAffine } from "./affine_search.ts";
import type { BlockSpec } from "./blocks.ts";
import { importanceWeights, sumOfSquares } from "./importance.ts";
import { searchUnsigned } from "./scale_search.ts";

const { abs, fround, max, min, sqrt } = Math;

/** Values of a super-block. */
export const SUPER_BLOCK = 256;
const GROUP = 32;
const GROUPS = SUPER_BLOCK / GROUP;
/** Bytes of scales and offsets; the codes come after them. */
export const SUPER_BLOCK_SCALES = 16;
/** The largest 6-bit scale. */
const SIX_BITS = 63;

/** What makes one format of this kind different from another. */
export interface SuperBlockSpec {
  /** Bytes of a super-block. */
  readonly bytes: number;
  /** How scales are searched without importance. */
  readonly plain: AffineSearch;
  /** How they are searched with it. */
  readonly weighted: AffineSearch;
  /** Writes 256 codes to where they lie. */
  packCodes(codes: Uint8Array, out: Uint8Array, at: number): void;
  /** Reads them. */
  unpackCodes(blocks: Uint8Array, at: number, codes: Uint8Array): void;
}

const codes = new Uint8Array(SUPER_BLOCK);
const weights = new Float32Array(GROUP);
const scales = new Float32Array(GROUPS);
const offsets = new Float32Array(GROUPS);
const weightSums = new Float32Array(GROUPS);
const s = new Uint8Array(GROUPS);
const m = new Uint8Array(GROUPS);

function fitGroup(
  search: AffineSearch,
  values: Float32Array,
  at: number,
  g: number,
): void {
  const from = g * GROUP;
  const { scale, offset } = searchAffine(
    search,
    values,
    at + from,
    GROUP,
    weights,
    0,
    codes,
    from,
  );
  scales[g] = scale;
  offsets[g] = offset;
}

/** Weights without importance: root mean square plus magnitude. */
function plainWeights(values: Float32Array, at: number): void {
  const average = fround(sqrt(fround(sumOfSquares(values, at, GROUP) / GROUP)));
  for (let j = 0; j < GROUP; j++) weights[j] = average + abs(values[at + j]);
}

/** 6-bit multiples of a common step, the largest at 63. Returns the step. */
function commonStep(from: Float32Array, to: Uint8Array): number {
  const largest = from.reduce((a, b) => max(a, b), 0);
  const inverse = largest > 0 ? fround(SIX_BITS / largest) : 0;
  for (let g = 0; g < GROUPS; g++) {
    to[g] = min(SIX_BITS, nearestInt(fround(inverse * from[g])) & 255);
  }
  return fround(largest / SIX_BITS);
}

function packScales(out: Uint8Array, at: number): void {
  for (let g = 0; g < 4; g++) {
    out[at + g] = s[g] | ((s[g + 4] >> 4) << 6);
    out[at + 4 + g] = m[g] | ((m[g + 4] >> 4) << 6);
    out[at + 8 + g] = (s[g + 4] & 15) | ((m[g + 4] & 15) << 4);
  }
}

function unpackScales(blocks: Uint8Array, at: number): void {
  for (let g = 0; g < 4; g++) {
    s[g] = blocks[at + g] & 63;
    m[g] = blocks[at + 4 + g] & 63;
    s[g + 4] = (blocks[at + 8 + g] & 15) | ((blocks[at + g] >> 6) << 4);
    m[g + 4] = (blocks[at + 8 + g] >> 4) | ((blocks[at + 4 + g] >> 6) << 4);
  }
}

/** Writes the block: with the scales as stored, the codes are rounded anew. */
function writeBlock(
  spec: SuperBlockSpec,
  values: Float32Array,
  at: number,
  d: number,
  dmin: number,
  out: Uint8Array,
  outAt: number,
): void {
  storeF16(d, out, outAt);
  storeF16(dmin, out, outAt + 2);
  packScales(out, outAt + 4);
  const storedD = loadF16(out, outAt);
  const storedMin = loadF16(out, outAt + 2);
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(storedD * s[g]);
    if (scale === 0) continue; // the codes of the search stay
    const offset = fround(storedMin * m[g]);
    for (let j = g * GROUP; j < (g + 1) * GROUP; j++) {
      codes[j] = clamp(
        nearestInt(fround(fround(values[at + j] + offset) / scale)),
        0,
        spec.plain.levels,
      );
    }
  }
  spec.packCodes(codes, out, outAt + SUPER_BLOCK_SCALES);
}

function encode(
  spec: SuperBlockSpec,
  values: Float32Array,
  at: number,
  out: Uint8Array,
  outAt: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    plainWeights(values, at + g * GROUP);
    fitGroup(spec.plain, values, at, g);
  }
  writeBlock(
    spec,
    values,
    at,
    commonStep(scales, s),
    commonStep(offsets, m),
    out,
    outAt,
  );
}

function encodeWeighted(
  spec: SuperBlockSpec,
  row: Float32Array,
  importance: Float32Array,
  out: Uint8Array,
): void {
  const { bytes, weighted } = spec;
  for (
    let at = 0, outAt = 0;
    at < row.length;
    at += SUPER_BLOCK, outAt += bytes
  ) {
    const sigma2 = fround(
      fround(2 * sumOfSquares(row, at, SUPER_BLOCK)) / SUPER_BLOCK,
    );
    for (let g = 0; g < GROUPS; g++) {
      const from = at + g * GROUP;
      importanceWeights(row, from, GROUP, sigma2, importance, from, weights);
      weightSums[g] = weights.reduce((sum, weight) => fround(sum + weight), 0);
      fitGroup(weighted, row, at, g);
    }
    const d = searchUnsigned(scales, weightSums, SIX_BITS, s);
    const dmin = searchUnsigned(offsets, weightSums, SIX_BITS, m);
    writeBlock(spec, row, at, d, dmin, out, outAt);
  }
}

function decode(
  spec: SuperBlockSpec,
  blocks: Uint8Array,
  at: number,
  out: Float32Array,
  outAt: number,
): void {
  const d = loadF16(blocks, at);
  const dmin = loadF16(blocks, at + 2);
  unpackScales(blocks, at + 4);
  spec.unpackCodes(blocks, at + SUPER_BLOCK_SCALES, codes);
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(d * s[g]);
    const offset = fround(dmin * m[g]);
    for (let j = g * GROUP; j < (g + 1) * GROUP; j++) {
      out[outAt + j] = fround(scale * codes[j]) - offset;
    }
  }
}

/** The reference of one super-block, as a format of this kind needs it. */
export type SuperBlocks = Required<
  Pick<BlockSpec<string>, "encode" | "encodeWeighted" | "decode">
>;

/**
 * Makes the reference of a format of this kind.
 *
 * @param spec What makes it different from the others.
 * @returns How to encode, without and with importance, and to decode.
 */
export function superBlocks(spec: SuperBlockSpec): SuperBlocks {
  return {
    encode: (values, at, out, outAt) => encode(spec, values, at, out, outAt),
    encodeWeighted: (row, importance, out) =>
      encodeWeighted(spec, row, importance, out),
    decode: (blocks, at, out, outAt) => decode(spec, blocks, at, out, outAt),
  };
}
