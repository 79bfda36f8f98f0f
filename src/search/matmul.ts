/**
 * Products of quantized weights, without unpacking them.
 *
 * @module
 */
import { backend } from "../kernels/engine.ts";
import { floatValues } from "../numeric/arguments.ts";
import { firstNonFinite } from "../numeric/finite.ts";
import type { FloatValues } from "../numeric/floats.ts";
import {
  type Activations,
  BLOCK,
  factBytes,
  packActivations,
  writeFacts,
} from "./activations.ts";
import { intoOf } from "./call.ts";
import { compile, type Kernels, PAGE } from "./wasm_memory.ts";
import {
  type BlockFacts,
  type MultipliableTensor,
  type Weights,
  weightsOf,
} from "./weights.ts";

const { fround } = Math;

/**
 * Multiplies quantized weights with activations: `out[b][r] = Σ weights[r][c] · activations[b][c]`.
 *
 * Activations are rounded to whole numbers, 16 bits for each block of 32, so a
 * product is off by at most Σ |weight| · (largest activation of its block) / 65534,
 * and what float32 loses in adding one number a block: less than 2^-24 · blocks of
 * Σ |weight · activation|. Results are the same bits on every runtime and backend.
 *
 * @param weights `int4` in groups of a multiple of 32 (or a scale a row, or one),
 * `q4_0` or `q4_k`; the last dimension is multiplied.
 * @param activations One vector or several, one after another.
 * @param options `into`: an array of the right length to write to.
 * @returns One number for each row of weights, for one vector after another.
 * @throws {RangeError} If the format or shape cannot be multiplied, an activation
 * is not finite, or they do not divide into vectors.
 *
 * @example
 * ```ts
 * import { quantize } from "@nibblewise/nibblewise";
 * import { matmul } from "@nibblewise/nibblewise/search";
 *
 * const weights = Float32Array.from({ length: 4 * 256 }, (_, i) => Math.sin(i * i));
 * const q = quantize(weights, { format: "q4_k", shape: [4, 256] });
 * const activations = Float32Array.from({ length: 256 }, (_, i) => Math.cos(i));
 * console.log(matmul(q, activations).length); // 4
 * ```
 */
export function matmul(
  weights: MultipliableTensor,
  activations: FloatValues,
  options: { into?: Float32Array } = {},
): Float32Array {
  const own = weightsOf("the weights", weights);
  const values = floatValues(activations, "activations"),
    count = values.length / own.columns;
  if (!Number.isInteger(count)) {
    throw new RangeError(
      `Cannot multiply ${values.length} activations: rows of the weights have ${own.columns} values, and ${values.length} is no multiple of that`,
    );
  }
  const bad = firstNonFinite(values);
  if (bad >= 0) {
    throw new RangeError(
      `Cannot multiply ${
        values[bad]
      } at index ${bad} of the activations: values must be finite`,
    );
  }
  const out = intoOf(options.into, count * own.rows);
  const vectors = Array.from({ length: count }, (_, i) => {
    const vector = values.subarray(i * own.columns, (i + 1) * own.columns);
    return packActivations(vector, own.order);
  });
  if (vectors.length === 0 || own.rows === 0) return out;
  if (backend() === "wasm") multiplyTiles(own, vectors, out);
  else {
    vectors.forEach((vector, i) => {
      const from = i * own.rows;
      multiplyPlain(own, vector, out.subarray(from, from + own.rows));
    });
  }
  return out;
}

/** The twin of the kernels: exact sums of blocks, then float32 in four lanes. */
export function multiplyPlain(
  weights: Weights,
  { numbers, steps, sums, totals, blocks }: Activations,
  out: Float32Array,
): void {
  const codes = new Uint8Array(BLOCK), { order } = weights;
  const facts: BlockFacts = { scale: 0, zero: 0, minimum: 0 };
  const lanes = new Float32Array(4);
  for (let row = 0; row < out.length; row++) {
    lanes.fill(0);
    for (let b = 0; b < blocks; b++) {
      weights.read(row, b, codes, facts);
      let sum = -facts.zero * sums[b];
      for (let i = 0; i < BLOCK; i++) {
        sum += codes[i] * numbers[b * BLOCK + order[i]];
      }
      lanes[b & 3] += fround(fround(sum) * fround(facts.scale * steps[b]));
      if (weights.kernel === "multiply_q4_k") {
        lanes[b & 3] -= fround(facts.minimum * totals[b]);
      }
    }
    out[row] = fround(lanes[0] + lanes[1]) + fround(lanes[2] + lanes[3]);
  }
}

/** Bytes of weights that are copied in at a time: they stay in a core's cache. */
const TILE_BYTES = 128 * 1024;

let instance: { memory: WebAssembly.Memory; kernels: Kernels } | undefined;

/** A memory for tiles, with room for `bytes` behind the kernels' constants. */
function tiles(
  bytes: number,
): { memory: WebAssembly.Memory; kernels: Kernels; start: number } {
  if (!instance) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGE });
    const { exports } = new WebAssembly.Instance(compile(false), {
      env: { memory, abort: () => {} },
    });
    instance = { memory, kernels: exports as unknown as Kernels };
  }
  const { memory, kernels } = instance;
  const start = Math.ceil(kernels.scratch_start() / 64) * 64;
  const missing = start + bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
  return { memory, kernels, start };
}

function multiplyTiles(
  weights: Weights,
  vectors: readonly Activations[],
  out: Float32Array,
): void {
  const { rows, columns, rowBytes, bytes, groups } = weights;
  const tileRows = Math.max(
    1,
    Math.min(rows, Math.floor(TILE_BYTES / rowBytes)),
  );
  let end = 0;
  const room = (size: number) => {
    const at = end;
    end += Math.ceil(size / 64) * 64;
    return at;
  };
  const codesAt = room(tileRows * rowBytes);
  const scalesAt = room(tileRows * groups * 4),
    zerosAt = room(tileRows * groups);
  const outAt = room(tileRows * 4);
  const vectorBytes = Math.ceil(columns / 128) * 256;
  const numbersAt = room(vectors.length * vectorBytes);
  const facts = factBytes(columns / BLOCK);
  const factsAt = room(vectors.length * facts);
  const { memory, kernels, start } = tiles(end);
  const { buffer } = memory;
  vectors.forEach((vector, i) => {
    const at = start + numbersAt + i * vectorBytes;
    new Int16Array(buffer, at, columns).set(vector.numbers);
    writeFacts(vector, buffer, start + factsAt + i * facts);
  });
  const results = new Float32Array(buffer, start + outAt, tileRows);
  for (let row = 0; row < rows; row += tileRows) {
    const n = Math.min(tileRows, rows - row);
    copyRows(bytes, rowBytes, row, n, buffer, start + codesAt);
    const { scales, zeroPoints } = weights;
    if (scales) copyRows(scales, groups, row, n, buffer, start + scalesAt);
    if (zeroPoints) {
      copyRows(zeroPoints, groups, row, n, buffer, start + zerosAt);
    }
    for (let i = 0; i < vectors.length; i++) {
      const blocks = columns / BLOCK;
      const last = [
        start + numbersAt + i * vectorBytes,
        start + factsAt + i * facts,
        start + outAt,
      ];
      if (scales) {
        kernels.multiply_int4(
          n,
          start + codesAt,
          blocks,
          start + scalesAt,
          zeroPoints ? start + zerosAt : 0,
          blocks / groups,
          ...last,
        );
      } else {
        const units = weights.kernel === "multiply_q4_k" ? blocks / 8 : blocks;
        kernels[weights.kernel](n, start + codesAt, units, ...last);
      }
      out.set(results.subarray(0, n), i * rows + row);
    }
  }
}

function copyRows(
  from: Uint8Array | Int8Array | Float32Array,
  width: number,
  row: number,
  count: number,
  buffer: ArrayBufferLike,
  at: number,
): void {
  const some = from.subarray(row * width, (row + count) * width);
  new Uint8Array(buffer, at, some.byteLength).set(
    new Uint8Array(some.buffer, some.byteOffset, some.byteLength),
  );
}

/**
 * The dot product of two packed vectors, without unpacking them.
 *
 * Codes are multiplied as whole numbers, block by block of 32, and the blocks'
 * products added up in float64: the result is that of dequantizing both in
 * float32 and adding in float64, but for the order of roundings (2^-23 of
 * Σ |a · b|).
 *
 * @param a A tensor of one row: `int4` in groups of a multiple of 32, `q4_0` or `q4_k`.
 * @param b Another of the same length, of the same format or another of these.
 * @returns Σ a · b.
 * @throws {RangeError} If a format cannot be multiplied, one is no vector, or their lengths differ.
 *
 * @example
 * ```ts
 * import { quantize } from "@nibblewise/nibblewise";
 * import { dot } from "@nibblewise/nibblewise/search";
 *
 * const ones = quantize(new Float32Array(64).fill(1), { format: "q4_0" });
 * console.log(dot(ones, ones)); // 64
 * ```
 */
export function dot(a: MultipliableTensor, b: MultipliableTensor): number {
  const x = weightsOf("the first vector", a);
  const y = weightsOf("the second vector", b);
  for (const { rows } of [x, y]) {
    if (rows !== 1) {
      throw new RangeError(
        `Cannot take the dot product of a tensor of ${rows} rows: it is of two vectors; use matmul`,
      );
    }
  }
  if (x.columns !== y.columns) {
    throw new RangeError(
      `Cannot take the dot product of vectors of ${x.columns} and ${y.columns} values: they must be as long as each other`,
    );
  }
  const [c, d] = [new Uint8Array(BLOCK), new Uint8Array(BLOCK)];
  const [f, g] = [c, d].map((): BlockFacts => ({
    scale: 0,
    zero: 0,
    minimum: 0,
  }));
  let total = 0;
  for (let block = 0; block < x.columns / BLOCK; block++) {
    x.read(0, block, c, f);
    y.read(0, block, d, g);
    let product = 0, left = 0, right = 0;
    for (let i = 0; i < BLOCK; i++) {
      const p = c[i] - f.zero, q = d[i] - g.zero;
      product += p * q;
      left += p;
      right += q;
    }
    total += product * f.scale * g.scale - left * f.scale * g.minimum -
      right * g.scale * f.minimum + BLOCK * f.minimum * g.minimum;
  }
  return total;
}
