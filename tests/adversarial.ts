/**
 * The values that break quantizers, made the same way on every runtime.
 *
 * Everything here is deterministic: a linear congruential generator and
 * arithmetic that IEEE 754 defines exactly (no `Math.sin`, no `Math.log`), so
 * that the sets are equal bit for bit in Deno, Node, Bun and browsers, and
 * hashes of what is computed from them can be compared across runtimes.
 *
 * @module
 */

const { fround, imul } = Math;

/** A deterministic source of numbers in [0, 1), each a multiple of 2⁻³². */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

/** A deterministic source of integers in [low, high]. */
export function randomInteger(
  next: () => number,
  low: number,
  high: number,
): number {
  return low + Math.floor(next() * (high - low + 1));
}

/**
 * The bits of each float32, on a copy: comparing them tells −0 from 0 and one ulp
 * from equal. Every NaN counts as the same: which one an operation makes is not defined.
 */
export function bits(values: Float32Array): Uint32Array {
  const words = new Uint32Array(values.slice().buffer);
  values.forEach((value, i) => {
    if (Number.isNaN(value)) words[i] = 0x7fc00000;
  });
  return words;
}

/** Moves a float32 by whole units in the last place, away from zero when positive. */
export function nudge(value: number, ulps: number): number {
  const view = new Int32Array(1);
  const float = new Float32Array(view.buffer);
  float[0] = value;
  if (float[0] === 0 && ulps < 0) return 0;
  view[0] += ulps;
  return float[0];
}

/** A weight-like value: the sum of twelve uniforms, close enough to a normal distribution. */
function normal(next: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += next();
  return sum;
}

function fill(length: number, value: (index: number) => number): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = value(i);
  return values;
}

/** Halves and integers with the group's maximum at the head of every 32: ties with a scale of exactly `unit`. */
function ties(
  length: number,
  next: () => number,
  steps: number,
  unit: number,
): Float32Array {
  return fill(
    length,
    (i) =>
      i % 32 === 0
        ? fround(steps * unit)
        : fround(unit * randomInteger(next, -2 * steps, 2 * steps) / 2),
  );
}

/** Values `ulps` or fewer from a rounding boundary, with a new scale every `group` values. */
function nearTies(
  length: number,
  next: () => number,
  ulps: number,
  group: number,
  levels: number,
): Float32Array {
  let unit = fround(0.7312);
  return fill(length, (i) => {
    if (i % group === 0) {
      unit = fround(next() * 10 + 0.01);
      return fround(unit * levels) * (next() < 0.5 ? -1 : 1);
    }
    const tie = fround(unit * (randomInteger(next, -levels, levels - 1) + 0.5));
    return nudge(tie, randomInteger(next, -ulps, ulps));
  });
}

/**
 * Named data sets of one length, each an argument that some quantizer somewhere got wrong.
 *
 * All values are finite float32. A new generator seeds each set, so that a set
 * does not change when another is added.
 */
export function adversarial(length: number): Record<string, Float32Array> {
  const next = [...Array(24).keys()].map((seed) => random(seed * 7919 + 1));
  const sign = (n: () => number) => n() < 0.5 ? -1 : 1;
  return {
    gauss: fill(length, () => normal(next[0])),
    weights: fill(length, () => normal(next[1]) * 0.02),
    offset: fill(length, () => 5 + normal(next[2]) * 0.01),
    ties7: ties(length, next[3], 7, 1),
    ties8: ties(length, next[4], 8, -1),
    tiesInexact: ties(length, next[5], 7, fround(0.3)),
    near1ulp: nearTies(length, next[6], 1, 32, 7),
    near2ulp: nearTies(length, next[7], 2, 32, 7),
    near2ulpSigned: nearTies(length, next[8], 2, 32, 8),
    near2ulpOneScale: nearTies(length, next[9], 2, Infinity, 7),
    plusMinusMax: fill(
      length,
      () => sign(next[10]) * (next[10]() < 0.2 ? 4 : next[10]() * 4),
    ),
    zero: new Float32Array(length),
    negativeZero: fill(length, (i) => i % 2 === 0 ? -0 : 0),
    zeroGroups: fill(length, (i) => (i >> 5) % 2 === 0 ? 0 : normal(next[11])),
    subnormal: fill(length, () => (next[12]() - 0.5) * 1e-38),
    smallestSubnormals: fill(
      length,
      () => randomInteger(next[13], -20, 20) * 2 ** -149,
    ),
    tiny: fill(length, () => (next[14]() - 0.5) * 1e-6),
    huge: fill(length, () => (next[15]() - 0.5) * 6e38),
    mixedMagnitudes: fill(
      length,
      () =>
        sign(next[16]) * next[16]() * 2 ** randomInteger(next[16], -140, 126),
    ),
    constant: fill(length, () => 1.7),
    constantNegative: fill(length, () => -0.3),
    positive: fill(length, () => next[17]() * 3),
    negative: fill(length, () => -next[18]() * 3),
    sparse: fill(length, () => next[19]() < 0.02 ? next[19]() - 0.5 : 0),
    oneOutlier: fill(
      length,
      (i) => i === length >> 1 ? -1000 : normal(next[20]),
    ),
    powersOfTwo: fill(
      length,
      () => sign(next[21]) * 2 ** randomInteger(next[21], -12, 12),
    ),
    integers: fill(length, () => randomInteger(next[22], -8, 7)),
  };
}

/** One view of a sweep: the values and where they came from, for messages. */
export interface SweepView {
  /** The values, at `offset` elements into a larger buffer: 4-byte but rarely 16-byte aligned. */
  readonly values: Float32Array;
  /** How many elements into the buffer it starts. */
  readonly offset: number;
}

/** Lengths around every boundary a kernel has: lanes of 4, vectors of 16, groups of 32, 64, 128, 256. */
export const sweepLengths: readonly number[] = [
  ...Array(70).keys(),
  ...[96, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1000, 1024, 1027],
];

/** Element offsets that cover every alignment of a 16-byte vector, and one beyond. */
export const sweepOffsets: readonly number[] = [0, 1, 2, 3, 4, 5];

/**
 * Slides over `source`: every length × every offset that fits.
 *
 * The values around a view are NaN in a private copy, so a kernel that reads
 * past either end is found out.
 */
export function* sweep(
  source: Float32Array,
  lengths: readonly number[] = sweepLengths,
  offsets: readonly number[] = sweepOffsets,
): Generator<SweepView> {
  for (const length of lengths) {
    if (length > source.length) continue;
    for (const offset of offsets) {
      yield { values: unaligned(source.subarray(0, length), offset), offset };
    }
  }
}

/** A copy of `values` that starts `offset` elements into its buffer, with NaN on both sides. */
export function unaligned(values: Float32Array, offset: number): Float32Array {
  const buffer = new Float32Array(values.length + offset + 16).fill(NaN);
  buffer.set(values, offset);
  return buffer.subarray(offset, offset + values.length);
}

/** A copy of bytes that starts `offset` bytes into its buffer, with 0xAA on both sides. */
export function unalignedBytes(values: Uint8Array, offset: number): Uint8Array {
  const buffer = new Uint8Array(values.length + offset + 16).fill(0xAA);
  buffer.set(values, offset);
  return buffer.subarray(offset, offset + values.length);
}
