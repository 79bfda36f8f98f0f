/**
 * int4 kernels in plain JS, for where WebAssembly is forbidden.
 *
 * @module
 */
import { settleNaNs } from "../../numeric/nan.ts";
import { magnitudeOf, rangeOf } from "./reduce.ts";

// Scale rules, as src/families/grouped.ts numbers them.
const ABSMAX = 0;
const AFFINE = 2;

// Adding 1.5 * 2^52 to a float64 rounds it half to even and leaves the integer
// in the low word. The words are read through a view: cheaper than converting.
const ROUND = 6755399441055744;
const wide = new Float64Array(8);
const words = new Int32Array(wide.buffer);

// fround(x * (1 / s)) with the product in float64 equals the float32 quotient:
// a quotient of two float32 is never close enough to a tie for float64 to miss it.
// Eight codes are joined for one store; written out, since V8 leaves a loop a loop.
function quantizeWords(
  src: Float32Array,
  i: number,
  n: number,
  out: Uint32Array,
  at: number,
  scale: number,
): void {
  const r = 1 / scale, fround = Math.fround;
  for (const end = i + n; i < end; i += 8) {
    wide[0] = fround(src[i] * r) + ROUND;
    wide[1] = fround(src[i + 1] * r) + ROUND;
    wide[2] = fround(src[i + 2] * r) + ROUND;
    wide[3] = fround(src[i + 3] * r) + ROUND;
    wide[4] = fround(src[i + 4] * r) + ROUND;
    wide[5] = fround(src[i + 5] * r) + ROUND;
    wide[6] = fround(src[i + 6] * r) + ROUND;
    wide[7] = fround(src[i + 7] * r) + ROUND;
    out[at++] = words[0] & 15 | (words[2] & 15) << 4 | (words[4] & 15) << 8 |
      (words[6] & 15) << 12 | (words[8] & 15) << 16 | (words[10] & 15) << 20 |
      (words[12] & 15) << 24 | words[14] << 28;
  }
}

/** The code of one value, with bounds and zero point, as an integer of −8 … 7. */
function codeOf(
  x: number,
  r: number,
  low: number,
  high: number,
  zeroPoint: number,
): number {
  wide[0] = Math.min(Math.max(Math.fround(x * r), low), high) + ROUND;
  return words[0] + zeroPoint;
}

const SMALLEST_NORMAL = 2 ** -126;

/**
 * `n` values from `src[from]` to the nibbles from `nibble` on of the codes that
 * start at byte `at`. Only codes that `saturate` need their bounds looked at, and
 * those of a subnormal scale, which may be rounded far from max |x| / 7.
 */
export function quantizeRun(
  src: Float32Array,
  from: number,
  n: number,
  codes: Uint8Array,
  at: number,
  nibble: number,
  scale: number,
  zeroPoint: number,
  saturate: boolean,
): void {
  at += nibble >> 1;
  nibble &= 1;
  let i = 0;
  if (nibble === 0 && (at & 3) === 0 && !saturate && scale > SMALLEST_NORMAL) {
    i = n & ~7;
    const out = new Uint32Array(
      codes.buffer,
      codes.byteOffset,
      codes.length >> 2,
    );
    quantizeWords(src, from, i, out, at >> 2, scale);
    at += i >> 1;
  }
  const r = 1 / scale, low = -8 - zeroPoint, high = 7 - zeroPoint;
  if (nibble === 0) {
    for (; i + 1 < n; i += 2) {
      codes[at++] = codeOf(src[from + i], r, low, high, zeroPoint) & 15 |
        codeOf(src[from + i + 1], r, low, high, zeroPoint) << 4;
    }
  }
  for (; i < n; i++) {
    const code = codeOf(src[from + i], r, low, high, zeroPoint) & 15;
    if (nibble === 0) codes[at] = code;
    else codes[at++] |= code << 4;
    nibble ^= 1;
  }
}

/** Twin of `int4_quantize`. */
export function quantizeInt4(
  n: number,
  src: Float32Array,
  codes: Uint8Array,
  scale: number,
  zeroPoint: number,
  saturate: number,
): number {
  quantizeRun(src, 0, n, codes, 0, 0, scale, zeroPoint, saturate !== 0);
  return 0;
}

const orOne = (scale: number) => scale === 0 ? 1 : scale;

/** Twin of `int4_quantize_groups`. */
export function quantizeInt4Groups(
  n: number,
  src: Float32Array,
  codes: Uint8Array,
  scales: Float32Array,
  zeroPoints: Int8Array,
  row: number,
  group: number,
  rule: number,
): number {
  let at = 0, index = 0, bad = 0;
  for (let first = 0; first < n; first += row) {
    const columns = Math.min(row, n - first);
    for (let column = 0; column < columns; column += group) {
      const from = first + column, length = Math.min(group, columns - column);
      const top = magnitudeOf(src, from, from + length);
      if (!Number.isFinite(top)) bad = 1;
      let scale = orOne(Math.fround(top / 7)), zeroPoint = 0;
      if (rule !== ABSMAX) {
        const start = rule === AFFINE ? 0 : src[from];
        const [low, high] = rangeOf(src, from, from + length, start, start);
        scale = orOne(Math.fround(Math.fround(high - low) / 15));
        if (!Number.isFinite(scale)) bad = 1;
        if (rule === AFFINE) {
          zeroPoint = zeroPoints[index] = zeroPointOf(low, scale);
        }
      }
      scales[index++] = scale;
      quantizeRun(
        src,
        from,
        length,
        codes,
        at,
        column,
        scale,
        zeroPoint,
        rule !== ABSMAX,
      );
    }
    at += (columns + 1) >> 1;
  }
  return bad;
}

function zeroPointOf(low: number, scale: number): number {
  wide[0] =
    Math.max(-8, Math.min(7, Math.fround(-8 - Math.fround(low / scale)))) +
    ROUND;
  return words[0];
}

// Two floats for each byte of codes, moved as one float64. A pair is never read
// as a number, so no NaN can be altered on the way.
const pairs = new Float32Array(512);
const pairs64 = new Float64Array(pairs.buffer);

/** Runs shorter than this are not worth a table. */
const TABLE_FROM = 2048;

function dequantizeRun(
  codes: Uint8Array,
  at: number,
  nibble: number,
  n: number,
  out: Float32Array,
  from: number,
  scale: number,
  zeroPoint: number,
): void {
  at += nibble >> 1;
  nibble &= 1;
  let i = 0;
  if (nibble === 0 && n >= TABLE_FROM && (from & 1) === 0) {
    for (let byte = 0; byte < 256; byte++) {
      pairs[2 * byte] = ((byte << 28 >> 28) - zeroPoint) * scale;
      pairs[2 * byte + 1] = ((byte << 24 >> 28) - zeroPoint) * scale;
    }
    i = n & ~1;
    const out64 = new Float64Array(out.buffer, out.byteOffset, out.length >> 1);
    for (let k = from >> 1, end = k + (i >> 1); k < end; k++) {
      out64[k] = pairs64[codes[at++]];
    }
  } else if (nibble === 0) {
    for (; i + 1 < n; i += 2) {
      const byte = codes[at++];
      out[from + i] = ((byte << 28 >> 28) - zeroPoint) * scale;
      out[from + i + 1] = ((byte << 24 >> 28) - zeroPoint) * scale;
    }
  }
  for (; i < n; i++) {
    const byte = codes[at];
    out[from + i] =
      ((nibble ? byte << 24 >> 28 : byte << 28 >> 28) - zeroPoint) * scale;
    at += nibble;
    nibble ^= 1;
  }
  if (!Number.isFinite(scale)) settleNaNs(out, from, from + n);
}

/** Twin of `int4_dequantize`. */
export function dequantizeInt4(
  n: number,
  codes: Uint8Array,
  out: Float32Array,
  scale: number,
  zeroPoint: number,
): number {
  dequantizeRun(codes, 0, 0, n, out, 0, scale, zeroPoint);
  return 0;
}

/** Twin of `int4_dequantize_groups`. */
export function dequantizeInt4Groups(
  n: number,
  codes: Uint8Array,
  scales: Float32Array,
  zeroPoints: Int8Array,
  out: Float32Array,
  row: number,
  group: number,
  affine: number,
): number {
  let at = 0, index = 0;
  for (let first = 0; first < n; first += row) {
    const columns = Math.min(row, n - first);
    for (let column = 0; column < columns; column += group, index++) {
      const length = Math.min(group, columns - column),
        zeroPoint = affine ? zeroPoints[index] : 0;
      dequantizeRun(
        codes,
        at,
        column,
        length,
        out,
        first + column,
        scales[index],
        zeroPoint,
      );
    }
    at += (columns + 1) >> 1;
  }
  return 0;
}
