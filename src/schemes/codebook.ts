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
 * with the inverse, and its scale is 1e-38 at least. onnxruntime always multiplies
 * with the inverse of the scale, 0 for a scale of 0.
 *
 * @module
 */
import {
  FP4_VALUES,
  midpoints,
  nearest,
  nearestFp4,
} from "../numeric/codebooks.ts";
import { roundTo } from "../numeric/compute.ts";
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
  type Run,
  runs,
  type Span,
  type Tile,
} from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";

const { fround } = Math;

/** What scales are at least when values are divided by them. */
const LEAST_SCALE = fround(1e-38);

/** The largest float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** A table that codes are looked up in when values are dequantized, and found by when they are quantized. */
export interface Codebook {
  /** What the codes stand for. */
  readonly values: Float32Array;
  /** The code of a value over its scale. */
  code(x: number): number;
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
  const bounds = thresholds ??
    midpoints(Float32Array.from(ascending, (code) => values[code]));
  return { values, code: (x) => ascending[nearest(bounds, x)] };
}

/** The codebook of FP4, whose two zeros are told apart by the sign of a value. */
export const FP4_CODEBOOK: Codebook = { values: FP4_VALUES, code: nearestFp4 };

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
  /** Whose arithmetic finds scales and codes; that of bitsandbytes by default. With onnxruntime's there is no field for the table. */
  readonly arithmetic?: Arithmetic;
}

/** A library that quantizes to a codebook. */
export type Arithmetic = "bitsandbytes" | "onnxruntime";

/**
 * Makes a scheme.
 *
 * Its fields: `scale` for each block; `table`, what codes stand for, where files
 * tell it. Nested:
 * `scaleCode` in place of `scale` is an index into `nestedTable`, and `nestedScale`
 * (for each {@linkcode NestedPlan.blocks}) and `offset` make a scale of what stands there.
 */
export function codebookScheme(plan: CodebookPlan): Scheme {
  const { grid, computeDtype, nested } = plan;
  return {
    grid,
    form: "s·g",
    fields: fieldsOf(plan),
    ...(plan.arithmetic === "onnxruntime" &&
      { constants: { table: grid.values } }),
    groupedBy: nested ? "scaleCode" : "scale",
    computeDtype,
    prepass: nested && (() => meanScale(plan.blockSize)),
    encode: (values, tile, context) => encode(plan, values, tile, context),
    decode: (tile, out) => decode(plan, tile, out),
  };
}

function fieldsOf(
  { matrix, blockSize, nested, arithmetic }: CodebookPlan,
): FieldPlans {
  const scale: Span = { rows: 1, columns: blockSize };
  const table = (length: number) => ({
    span: everywhere(matrix),
    length,
    shared: true,
    between: [-1, 1] as const,
  });
  const magnitude = [0, LARGEST] as const;
  if (arithmetic === "onnxruntime") {
    return { scale: { span: scale, between: magnitude } };
  }
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
  values: Float32Array,
  tile: Tile,
  { known }: EncodeContext,
): void {
  const { codebook, blockSize, nested } = plan, { fields } = tile;
  const scales = nested ? fields.scaleCode : fields.scale;
  fields.table?.set(codebook.values);
  for (const run of runs(tile, { rows: 1, columns: blockSize })) {
    const block = values.subarray(run.first, run.first + run.count);
    if (plan.arithmetic === "onnxruntime") {
      const scale = largestOf(block);
      scales[run.area] = scale;
      multiplyBlock(codebook, block, scale, tile.codes, run.first);
      continue;
    }
    const scale = scaleOf(block, blockSize);
    scales[run.area] = scale;
    encodeBlock(codebook, block, scale, blockSize, tile.codes, run.first);
  }
  if (nested) encodeScales(nested, fields, known?.offset ?? 0);
}

/** The scale of a block; that of a short one, the last, is never 0. */
function scaleOf(block: Float32Array, blockSize: number): number {
  const largest = largestOf(block);
  return block.length < blockSize ? Math.max(LEAST_SCALE, largest) : largest;
}

function largestOf(block: Float32Array): number {
  return block.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

/** Codes for values times the inverse of their scale, whatever that is. */
function multiplyBlock(
  codebook: Codebook,
  block: Float32Array,
  scale: number,
  codes: Uint8Array,
  at: number,
): void {
  const inverse = scale === 0 ? 0 : fround(1 / scale);
  for (let i = 0; i < block.length; i++) {
    codes[at + i] = codebook.code(fround(block[i] * inverse));
  }
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
    codes[at + i] = codebook.code(scaled);
  }
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

function decode(plan: CodebookPlan, tile: Tile, out: Float32Array): void {
  const round = roundTo(plan.computeDtype);
  const { table = plan.codebook.values } = tile.fields;
  for (const run of runs(tile, { rows: 1, columns: plan.blockSize })) {
    const scale = scaleAt(plan, tile, run);
    for (let i = run.first; i < run.first + run.count; i++) {
      out[i] = round(fround(table[tile.codes[i]] * scale));
    }
  }
}

/** The scale of a block. Windows start at whole nested blocks, so both are counted from the start of the tile. */
function scaleAt(
  { nested }: CodebookPlan,
  { fields }: Tile,
  { area }: Run,
): number {
  if (!nested) return fields.scale[area];
  const { scaleCode, nestedTable, nestedScale, offset } = fields;
  const outer = nestedScale[Math.floor(area / nested.blocks)];
  return fround(fround(nestedTable[scaleCode[area]] * outer) + offset[0]);
}
