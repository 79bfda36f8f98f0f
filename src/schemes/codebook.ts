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
import { Room } from "../kernels/room.ts";
import {
  FP4_ASCENDING,
  FP4_THRESHOLDS,
  FP4_VALUES,
  midpoints,
  nearest,
} from "../numeric/codebooks.ts";
import { NonFinite, rejectNonFinite } from "../numeric/finite.ts";
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
  runs,
  type Span,
  type Tile,
  tileOf,
} from "../words/tile.ts";
import type { Matrix } from "../words/window.ts";
import { encodeRanks, type Thresholds } from "./tile_codes.ts";
import { decodeGroups } from "./tile_values.ts";
import { magnitudesOfGroups } from "./tiles.ts";

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

/** The float32 next to a negative number, further from zero. */
function beyond(x: number): number {
  const float = Float32Array.of(x), bits = new Int32Array(float.buffer);
  bits[0]++;
  return float[0];
}

/** The codebook of FP4: magnitudes by its thresholds, and 8 for the sign of what is below 0, however near. */
export const FP4_CODEBOOK: Codebook = /* @__PURE__ */ (() => {
  const above = [...FP4_THRESHOLDS];
  // A magnitude that equals a threshold does not exceed it, of either sign.
  const below = above.map((threshold) => beyond(-threshold)).reverse();
  const magnitudes = [...FP4_ASCENDING];
  return {
    values: FP4_VALUES,
    ascending: Uint8Array.of(
      ...magnitudes.map((code) => code | 8).reverse(),
      ...magnitudes,
    ),
    thresholds: Float32Array.of(...below, -(2 ** -149), ...above),
  };
})();

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
  const { grid, computeDtype, nested, codebook } = plan;
  const thresholds = thresholdsOf(codebook);
  return {
    grid,
    form: "s·g",
    fields: fieldsOf(plan),
    ...(plan.arithmetic === "onnxruntime" &&
      { constants: { table: grid.values } }),
    groupedBy: nested ? "scaleCode" : "scale",
    computeDtype,
    checks: true,
    prepass: nested && (() => meanScale(plan.blockSize)),
    encode: (values, tile, context) =>
      encode(plan, thresholds, values, tile, context),
    decode: (tile, out) => decode(plan, tile, out),
  };
}

const known = /* @__PURE__ */ new WeakMap<Codebook, Thresholds>();

/** The thresholds of a codebook: the same ones each time, for what kernels know of them. */
function thresholdsOf(codebook: Codebook): Thresholds {
  let thresholds = known.get(codebook);
  if (!thresholds) {
    thresholds = { at: codebook.thresholds, codes: codebook.ascending };
    known.set(codebook, thresholds);
  }
  return thresholds;
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
  thresholds: Thresholds,
  values: Float32Array,
  tile: Tile,
  { known }: EncodeContext,
): void {
  const { codebook, blockSize, nested } = plan, { fields } = tile;
  const scales = nested ? fields.scaleCode : fields.scale;
  const span = { rows: 1, columns: blockSize };
  fields.table?.set(codebook.values);
  if (!magnitudesOfGroups(values, tile, span, scales)) throw new NonFinite();
  if (plan.arithmetic === "onnxruntime") {
    return multiply(codebook, thresholds, values, tile, span);
  }
  const inverses = tile.memory(scales.length);
  for (let i = 0; i < scales.length; i++) {
    inverses[i] = 1 / Math.max(scales[i], LEAST_SCALE);
  }
  encodeRanks(values, tile, span, inverses, thresholds);
  const short = values.length % blockSize;
  if (short > 0) {
    const at = values.length - short, block = values.subarray(at);
    const scale = scaleOf(values, at, blockSize);
    scales[scales.length - 1] = scale;
    encodeBlock(codebook, block, scale, blockSize, tile.codes, at);
  }
  if (nested) encodeScales(nested, fields, known?.offset ?? 0);
}

/** Codes for values times the inverse of their scale, whatever that is. */
function multiply(
  codebook: Codebook,
  thresholds: Thresholds,
  values: Float32Array,
  tile: Tile,
  span: Span,
): void {
  const { scale } = tile.fields, inverses = tile.memory(scale.length);
  for (let i = 0; i < scale.length; i++) {
    inverses[i] = scale[i] === 0 ? 0 : 1 / scale[i];
  }
  encodeRanks(values, tile, span, inverses, thresholds);
  for (const { first, count, area } of runs(tile, span)) {
    // An infinite inverse times 0 is NaN, which exceeds nothing: code 0.
    for (let i = first; inverses[area] === Infinity && i < first + count; i++) {
      tile.codes[i] = values[i] === 0
        ? 0
        : codeOf(codebook, values[i] * Infinity);
    }
  }
}

/** The scale of the block that starts at an index; that of a short one, the last, is never 0. */
function scaleOf(values: Float32Array, at: number, blockSize: number): number {
  const end = Math.min(at + blockSize, values.length);
  let scale = end - at < blockSize ? LEAST_SCALE : 0;
  for (let i = at; i < end; i++) {
    const magnitude = Math.abs(values[i]);
    if (magnitude > scale) scale = magnitude;
  }
  return scale;
}

/** Codes for values over their scale. */
function encodeBlock(
  codebook: Codebook,
  block: Float32Array,
  scale: number,
  blockSize: number,
  codes: Uint8Array,
  at: number,
): void {
  const scaled = block.slice();
  scaleBlock(scaled, scale, blockSize);
  for (let i = 0; i < block.length; i++) {
    codes[at + i] = codeOf(codebook, scaled[i]);
  }
}

/** Puts values over their scale: times its inverse where the block is full, divided where it is not. */
function scaleBlock(
  block: Float32Array,
  scale: number,
  blockSize: number,
): void {
  const divisor = Math.max(scale, LEAST_SCALE), inverse = fround(1 / divisor);
  const full = block.length === blockSize;
  for (let i = 0; i < block.length; i++) {
    block[i] = full ? block[i] * inverse : block[i] / divisor;
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
  const { ascending, thresholds } = codebook, starts = startsOf(thresholds);
  for (let at = 0; at < scaleCode.length; at += blocks) {
    const block = scaleCode.subarray(at, at + blocks);
    for (let i = 0; i < block.length; i++) block[i] -= mean;
    const scale = scaleOf(block, 0, blocks);
    nestedScale[at / blocks] = scale;
    scaleBlock(block, scale, blocks);
    const bits = new Int32Array(block.buffer, block.byteOffset, block.length);
    for (let i = 0; i < block.length; i++) {
      const x = block[i];
      let rank = starts[bits[i] >>> START_SHIFT];
      while (x > thresholds[rank]) rank++;
      block[i] = ascending[rank];
    }
  }
}

/** Bits of a float32 that do not tell where a search for it starts: all but a few of its fraction. */
const START_SHIFT = 20;

const knownStarts = /* @__PURE__ */ new WeakMap<Float32Array, Uint8Array>();

/** How many thresholds all numbers exceed whose upper bits are the same, by these bits; 0 for those of NaNs. */
function startsOf(thresholds: Float32Array): Uint8Array {
  let starts = knownStarts.get(thresholds);
  if (starts) return starts;
  const bits = new Int32Array(1), number = new Float32Array(bits.buffer);
  starts = Uint8Array.from({ length: 2 ** (32 - START_SHIFT) }, (_, upper) => {
    const isNegative = upper >> (31 - START_SHIFT) === 1;
    // The least of them: of negative numbers that of the largest magnitude.
    bits[0] = (isNegative ? upper + 1 : upper) * 2 ** START_SHIFT -
      Number(isNegative);
    return Number.isNaN(number[0]) ? 0 : nearest(thresholds, number[0]);
  });
  knownStarts.set(thresholds, starts);
  return starts;
}

/**
 * A prepass that finds the mean of all scales: added in double precision from
 * first to last, divided by their number, rounded once to float32. (The library
 * adds in float32, in an order that depends on the processor.)
 */
function meanScale(blockSize: number): Prepass {
  let sum = 0, count = 0;
  return {
    checks: true,
    add(values): void {
      eachStretch(values, blockSize, (scales) => {
        for (let i = 0; i < scales.length; i++) sum += scales[i];
        count += scales.length;
      });
    },
    result: () => ({ known: { offset: fround(sum / Math.max(1, count)) } }),
  };
}

/** Values that are measured at a time. */
const MOST_VALUES = 65536;

const room = /* @__PURE__ */ new Room();

/** Gives the scales of the blocks of some values, in order. Throws a RangeError that names the index of a NaN or infinity. */
function eachStretch(
  values: Float32Array,
  blockSize: number,
  take: (scales: Float32Array) => void,
): void {
  const { length } = values, span = { rows: 1, columns: blockSize };
  const step = Math.max(1, Math.floor(MOST_VALUES / blockSize)) * blockSize;
  room.open(values);
  for (let at = 0; at < length; at += step) {
    room.clear();
    const own = values.subarray(at, at + step), columns = own.length;
    const window = { row: 0, rows: 1, column: 0, columns };
    const matrix = { rows: 1, columns };
    // No codes: there is only room beside them.
    const tile = tileOf(matrix, window, {}, room.bytes(0), room.floats);
    const scales = room.floats(Math.ceil(columns / blockSize));
    const input = room.here(own);
    if (!magnitudesOfGroups(input, tile, span, scales)) {
      rejectNonFinite(values, at, at + columns);
    }
    if (columns % blockSize > 0) {
      const last = scales.length - 1;
      scales[last] = Math.max(scales[last], LEAST_SCALE);
    }
    take(scales);
  }
}

// ---- dequantizing ----

function decode(
  { blockSize, computeDtype, nested, codebook }: CodebookPlan,
  tile: Tile,
  out: Float32Array,
): void {
  const { table = codebook.values, scale } = tile.fields;
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
  const scales = memory(scaleCode.length), { length } = scales, [mean] = offset;
  for (let block = 0, i = 0; i < length; block++) {
    const outer = nestedScale[block], end = Math.min(i + blocks, length);
    for (; i < end; i++) {
      scales[i] = scaleOfCode(nestedTable, scaleCode[i], outer, mean);
    }
  }
  return scales;
}

/** The scale that a code stands for, by a nested scale and the mean of all scales. */
export function scaleOfCode(
  table: Float32Array,
  code: number,
  nestedScale: number,
  mean: number,
): number {
  return fround(fround(table[code] * nestedScale) + mean);
}
