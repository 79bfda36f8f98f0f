/**
 * ggml's super-blocks with offsets: 256 values in eight groups of 32, each group with a
 * 6-bit scale and a 6-bit offset, all sharing a binary16 scale for either. How many bits
 * a code has is up to the format.
 *
 * `value = scale · s · code − offset · m`, s and m being the steps of the group
 *
 * @module
 */

import { nearestInt } from "../numeric/c_casts.ts";
import { roundTo } from "../numeric/compute.ts";
import { clamp } from "../numeric/rounding.ts";
import type { Tile } from "../words/tile.ts";
import { type AffineSearch, searchAffine } from "./ggml_affine_search.ts";
import { importanceWeights, sumOfSquares } from "./ggml_importance.ts";
import { searchUnsigned } from "./ggml_scale_search.ts";

const { abs, fround, max, min, sqrt } = Math;

/** Values of a super-block. */
export const SUPER_BLOCK = 256;
const GROUP = 32;
const GROUPS = SUPER_BLOCK / GROUP;
/** The largest 6-bit scale. */
const SIX_BITS = 63;

/** How the scales of a format of this kind are searched; codes go up to `levels` in both. */
export interface SuperBlockSearches {
  /** Without importance. */
  readonly plain: AffineSearch;
  /** With importance. */
  readonly weighted: AffineSearch;
}

/** Codes, and the fields `scale`, `offset` and `steps`: eight scales, then eight offsets. */
type Block = Pick<Tile, "codes" | "fields">;

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
  codes: Uint8Array,
): void {
  const from = at + g * GROUP;
  const { scale, offset } = searchAffine(
    search,
    values,
    from,
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

/** Fills the block: with the scales as stored, the codes are rounded anew. */
function fillBlock(
  levels: number,
  values: Float32Array,
  at: number,
  d: number,
  dmin: number,
  { codes, fields }: Block,
  block: number,
): void {
  const storedD = roundTo("F16")(d);
  const storedMin = roundTo("F16")(dmin);
  fields.scale[block] = storedD;
  fields.offset[block] = storedMin;
  fields.steps.set(s, block * 2 * GROUPS);
  fields.steps.set(m, block * 2 * GROUPS + GROUPS);
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(storedD * s[g]);
    if (scale === 0) continue; // the codes of the search stay
    const offset = fround(storedMin * m[g]);
    for (let j = at + g * GROUP; j < at + (g + 1) * GROUP; j++) {
      codes[j] = clamp(
        nearestInt(fround(fround(values[j] + offset) / scale)),
        0,
        levels,
      );
    }
  }
}

function encode(
  { plain }: SuperBlockSearches,
  values: Float32Array,
  at: number,
  tile: Block,
  block: number,
): void {
  for (let g = 0; g < GROUPS; g++) {
    plainWeights(values, at + g * GROUP);
    fitGroup(plain, values, at, g, tile.codes);
  }
  const d = commonStep(scales, s), dmin = commonStep(offsets, m);
  fillBlock(plain.levels, values, at, d, dmin, tile, block);
}

function encodeWeighted(
  { weighted }: SuperBlockSearches,
  values: Float32Array,
  first: number,
  importance: Float32Array,
  tile: Block,
  block: number,
): void {
  for (
    let column = 0;
    column < importance.length;
    column += SUPER_BLOCK, block++
  ) {
    const at = first + column;
    const sigma2 = fround(
      fround(2 * sumOfSquares(values, at, SUPER_BLOCK)) / SUPER_BLOCK,
    );
    for (let g = 0; g < GROUPS; g++) {
      const from = g * GROUP;
      importanceWeights(
        values,
        at + from,
        GROUP,
        sigma2,
        importance,
        column + from,
        weights,
      );
      weightSums[g] = weights.reduce((sum, weight) => fround(sum + weight), 0);
      fitGroup(weighted, values, at, g, tile.codes);
    }
    const d = searchUnsigned(scales, weightSums, SIX_BITS, s);
    const dmin = searchUnsigned(offsets, weightSums, SIX_BITS, m);
    fillBlock(weighted.levels, values, at, d, dmin, tile, block);
  }
}

function decode(
  { codes, fields }: Block,
  at: number,
  out: Float32Array,
  block: number,
): void {
  const steps = block * 2 * GROUPS;
  for (let g = 0; g < GROUPS; g++) {
    const scale = fround(fields.scale[block] * fields.steps[steps + g]);
    const offset = fround(
      fields.offset[block] * fields.steps[steps + GROUPS + g],
    );
    for (let j = at + g * GROUP; j < at + (g + 1) * GROUP; j++) {
      out[j] = fround(scale * codes[j]) - offset;
    }
  }
}

/** What is done with one super-block, or with a row of them. */
export interface SuperBlocks {
  /** Finds codes and fields of super-block number `block`, whose values start at index `at`. */
  encode(values: Float32Array, at: number, tile: Block, block: number): void;
  /** The same for a row of `importance.length` values. */
  encodeWeighted(
    values: Float32Array,
    at: number,
    importance: Float32Array,
    tile: Block,
    block: number,
  ): void;
  /** The values of super-block number `block`, which start at index `at`. */
  decode(tile: Block, at: number, out: Float32Array, block: number): void;
}

/**
 * Makes what a format of this kind does with its blocks.
 *
 * @param searches How its scales are searched.
 * @returns How to encode, without and with importance, and to decode.
 */
export function superBlocks(searches: SuperBlockSearches): SuperBlocks {
  return {
    encode: (...block) => encode(searches, ...block),
    encodeWeighted: (...row) => encodeWeighted(searches, ...row),
    decode,
  };
}
