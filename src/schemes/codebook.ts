/**
 * Schemes on an uneven grid: `s·g`, the scale being the largest magnitude of a
 * block, and a code the entry of the grid that is nearest to the value over it.
 * As bitsandbytes does it: its arithmetic, with scales that may be quantized to
 * 8 bits in turn.
 *
 * ```text
 * scale   = max |x|
 * code    = nearest(x · (1 / max(scale, 1e-38))), a tie to the lower value
 * value   = grid[code] · scale, rounded to the compute dtype
 * nested:   scale = map[q] · nestedScale + offset
 * ```
 *
 * The last block, where it is not a full one, divides in place of multiplying
 * with the inverse, and its scale is 1e-38 at least.
 *
 * @module
 */
import { midpoints, nearest } from "../numeric/codebooks.ts";
import type {
  ComputeDtype,
  EncodeContext,
  Grid,
  Prepass,
  Scheme,
} from "../words/scheme.ts";
import {
  everywhere,
  type FieldPlans,
  type Fields,
  type Span,
  type Tile,
} from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import {
  decodeGroups,
  encodeRanks,
  magnitudesOfGroups,
  type Thresholds,
} from "./tiles.ts";

const { fround } = Math;

/** What scales are at least when values are divided by them. */
const LEAST_SCALE = fround(1e-38);

/** The largest float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** A table that codes are looked up in when values are dequantized, and found by when they are quantized. */
export interface Codebook {
  /** What the codes stand for. */
  readonly values: Float32Array;
  /** The codes by ascending value. */
  readonly ascending: Uint8Array;
  /** Between the values of neighbours in `ascending`: what is beyond belongs to the higher one. */
  readonly thresholds: Float32Array;
}

/**
 * Makes a codebook of the entries of a table, whatever their order. Of equal
 * ones that come first in the table is the lower.
 *
 * @param entries What the codes stand for.
 * @param thresholds Where they are not the midpoints of neighbours.
 */
export function codebookOf(
  entries: ArrayLike<number>,
  thresholds?: Float32Array,
): Codebook {
  const values = Float32Array.from(entries);
  const ascending = Uint8Array.from(values, (_, code) => code)
    .sort((a, b) => values[a] - values[b] || a - b);
  return {
    values,
    ascending,
    thresholds: thresholds ??
      midpoints(Float32Array.from(ascending, (code) => values[code])),
  };
}

/** Scales in 8 bits. */
export interface NestedPlan {
  /** What they are quantized to: 256 values from −1 to 1. */
  readonly codebook: Codebook;
  /** How many scales share one in turn. */
  readonly blocks: number;
}

/** What makes one scheme different from another. */
export interface CodebookPlan {
  /** The tensor as one row. */
  readonly matrix: Matrix;
  /** What codes stand for. */
  readonly grid: Grid;
  /** The same as a table; a file may bring its own. */
  readonly codebook: Codebook;
  /** How many values share a scale. */
  readonly blockSize: number;
  /** How scales are quantized, where they are. */
  readonly nested?: NestedPlan;
  /** What values are rounded to. */
  readonly computeDtype: ComputeDtype;
}

/**
 * Makes a scheme.
 *
 * Its fields: `scale` for each block; `table`, what codes stand for. Nested:
 * `scaleCode` in place of `scale` is an index into `nestedTable`, and `nestedScale`
 * (for each {@linkcode NestedPlan.blocks}) and `offset` make a scale of what stands there.
 */
export function codebookScheme(plan: CodebookPlan): Scheme {
  const { grid, computeDtype, nested, codebook } = plan;
  const thresholds: Thresholds = {
    at: codebook.thresholds,
    codes: codebook.ascending,
    of: "product",
  };
  return {
    grid,
    form: "s·g",
    fields: fieldsOf(plan),
    groupedBy: nested ? "scaleCode" : "scale",
    computeDtype,
    prepass: nested && (() => meanScale(plan.blockSize)),
    encode: (values, tile, context) =>
      encode(plan, thresholds, values, tile, context),
    decode: (tile, out) => decode(plan, tile, out),
  };
}

function fieldsOf({ matrix, blockSize, nested }: CodebookPlan): FieldPlans {
  const scale: Span = { rows: 1, columns: blockSize };
  const table = (length: number) => ({
    span: everywhere(matrix),
    length,
    shared: true,
    between: [-1, 1] as const,
  });
  const magnitude = [0, LARGEST] as const;
  if (!nested) {
    return { scale: { span: scale, between: magnitude }, table: table(16) };
  }
  return {
    scaleCode: { span: scale },
    table: table(16),
    nestedScale: {
      span: { rows: 1, columns: blockSize * nested.blocks },
      between: magnitude,
    },
    nestedTable: table(256),
    offset: { span: everywhere(matrix), shared: true },
  };
}

// ---- quantizing ----

function encode(
  plan: CodebookPlan,
  thresholds: Thresholds,
  values: Float32Array,
  tile: Tile,
  { known }: EncodeContext,
): void {
  const { codebook, blockSize, nested } = plan, { fields } = tile;
  const scales = nested ? fields.scaleCode : fields.scale;
  const span = { rows: 1, columns: blockSize };
  fields.table.set(codebook.values);
  magnitudesOfGroups(values, tile, span, scales);
  const inverses = tile.memory(scales.length);
  for (let i = 0; i < scales.length; i++) {
    inverses[i] = 1 / Math.max(scales[i], LEAST_SCALE);
  }
  encodeRanks(values, tile, span, inverses, thresholds);
  const short = values.length % blockSize;
  if (short > 0) {
    const at = values.length - short, block = values.subarray(at);
    const scale = scaleOf(block, blockSize);
    scales[scales.length - 1] = scale;
    encodeBlock(codebook, block, scale, blockSize, tile.codes, at);
  }
  if (nested) encodeScales(nested, fields, known?.offset ?? 0);
}

/** The scale of a block; that of a short one, the last, is never 0. */
function scaleOf(block: Float32Array, blockSize: number): number {
  let scale = block.length < blockSize ? LEAST_SCALE : 0;
  for (const x of block) scale = Math.max(scale, Math.abs(x));
  return scale;
}

/** Codes for values over their scale: times its inverse where the block is full, divided where it is not. */
function encodeBlock(
  codebook: Codebook,
  block: Float32Array,
  scale: number,
  blockSize: number,
  codes: Uint8Array,
  at: number,
): void {
  const divisor = Math.max(scale, LEAST_SCALE), inverse = fround(1 / divisor);
  const full = block.length === blockSize;
  for (let i = 0; i < block.length; i++) {
    const scaled = fround(full ? block[i] * inverse : block[i] / divisor);
    codes[at + i] = codeOf(codebook, scaled);
  }
}

/** The code whose value is nearest. */
function codeOf({ ascending, thresholds }: Codebook, x: number): number {
  return ascending[nearest(thresholds, x)];
}

/** Puts the scales of a tile, which are whole nested blocks, into 8 bits: codes take the place of scales. */
function encodeScales(
  { codebook, blocks }: NestedPlan,
  { scaleCode, nestedTable, nestedScale, offset }: Fields,
  mean: number,
): void {
  nestedTable.set(codebook.values);
  offset[0] = mean;
  const codes = new Uint8Array(blocks);
  for (let at = 0; at < scaleCode.length; at += blocks) {
    const block = scaleCode.subarray(at, at + blocks);
    for (let i = 0; i < block.length; i++) block[i] -= mean;
    const scale = scaleOf(block, blocks);
    nestedScale[at / blocks] = scale;
    encodeBlock(codebook, block, scale, blocks, codes, 0);
    block.set(codes.subarray(0, block.length));
  }
}

/**
 * A prepass that finds the mean of all scales: added in double precision from
 * first to last, divided by their number, rounded once to float32. (The library
 * adds in float32, in an order that depends on the processor.)
 */
function meanScale(blockSize: number): Prepass {
  let sum = 0, count = 0;
  return {
    add(values): void {
      for (let at = 0; at < values.length; at += blockSize) {
        sum += scaleOf(values.subarray(at, at + blockSize), blockSize);
        count++;
      }
    },
    result: () => ({ known: { offset: fround(sum / Math.max(1, count)) } }),
  };
}

// ---- dequantizing ----

function decode(
  { blockSize, computeDtype, nested }: CodebookPlan,
  tile: Tile,
  out: Float32Array,
): void {
  const { table, scale } = tile.fields;
  const scales = nested ? scalesOf(nested, tile) : scale;
  const offsets = tile.memory(scales.length).fill(0);
  decodeGroups(tile, { rows: 1, columns: blockSize }, scales, offsets, {
    values: table,
    computeDtype,
  }, out);
}

/** The scales of the blocks. Windows start at whole nested blocks, so both are counted from the start of the tile. */
function scalesOf(
  { blocks }: NestedPlan,
  { fields, memory }: Tile,
): Float32Array {
  const { scaleCode, nestedTable, nestedScale, offset } = fields;
  const scales = memory(scaleCode.length), [mean] = offset;
  for (let i = 0; i < scales.length; i++) {
    const outer = nestedScale[Math.floor(i / blocks)];
    scales[i] = fround(fround(nestedTable[scaleCode[i]] * outer) + mean);
  }
  return scales;
}
