/**
 * Packing, unpacking and one-code-per-byte int4 in plain JS.
 *
 * @module
 */
import { settleNaNs } from "../../numeric/nan.ts";

/** Twin of `nibbles_pack`; 1 where a value is outside of −8 … 7. */
export function pack(n: number, src: Int8Array, dst: Uint8Array): number {
  let seen = 0, i = 0;
  for (; i + 1 < n; i += 2) {
    const low = src[i], high = src[i + 1];
    seen |= (low + 8) | (high + 8);
    dst[i >> 1] = (low & 15) | (high << 4);
  }
  if (i < n) {
    seen |= src[i] + 8;
    dst[i >> 1] = src[i] & 15;
  }
  return (seen & ~15) === 0 ? 0 : 1;
}

/** Twin of `nibbles_unpack`. */
export function unpack(n: number, src: Uint8Array, dst: Int8Array): number {
  let i = 0;
  for (; i + 1 < n; i += 2) {
    const byte = src[i >> 1];
    dst[i] = byte << 28 >> 28;
    dst[i + 1] = byte << 24 >> 28;
  }
  if (i < n) dst[i] = src[i >> 1] << 28 >> 28;
  return 0;
}

// See int4.ts for both of these.
const ROUND = 6755399441055744;
const wide = new Float64Array(1);
const word = new Int32Array(wide.buffer);

/** Twin of `int8_quantize`. */
export function quantizeInt8(
  n: number,
  src: Float32Array,
  dst: Int8Array,
  scale: number,
): number {
  const r = 1 / scale;
  for (let i = 0; i < n; i++) {
    const t = Math.fround(src[i] * r);
    wide[0] = (t < -8 ? -8 : t > 7 ? 7 : t) + ROUND;
    dst[i] = word[0];
  }
  return 0;
}

/** Twin of `int8_dequantize`. */
export function dequantizeInt8(
  n: number,
  src: Int8Array,
  out: Float32Array,
  scale: number,
  zeroPoint: number,
): number {
  for (let i = 0; i < n; i++) out[i] = Math.fround(src[i] - zeroPoint) * scale;
  if (!Number.isFinite(scale) || !Number.isFinite(zeroPoint)) {
    settleNaNs(out, 0, n);
  }
  return 0;
}
