// Codes to floats by a table of sixteen, for any grid whose values are exact in
// bfloat16: both bytes are looked up apart and interleaved above two zero bytes.

import { bytesHigh, bytesLow, wordsHigh, wordsLow } from "./common";

// Sixteen codes, one a byte, to sixteen scaled floats.
@inline export function storeScaled(out: usize, codes: v128, upper: v128, lower: v128, scale: v128, z: v128): void {
  const u = i8x16.swizzle(upper, codes), l = i8x16.swizzle(lower, codes);
  const a = bytesLow(l, u), b = bytesHigh(l, u);
  v128.store(out, f32x4.mul(wordsLow(z, a), scale));
  v128.store(out, f32x4.mul(wordsHigh(z, a), scale), 16);
  v128.store(out, f32x4.mul(wordsLow(z, b), scale), 32);
  v128.store(out, f32x4.mul(wordsHigh(z, b), scale), 48);
}

// The same with an offset added.
@inline export function storeScaledAndShifted(
  out: usize, codes: v128, upper: v128, lower: v128, scale: v128, offset: v128, z: v128,
): void {
  const u = i8x16.swizzle(upper, codes), l = i8x16.swizzle(lower, codes);
  const a = bytesLow(l, u), b = bytesHigh(l, u);
  v128.store(out, f32x4.add(f32x4.mul(wordsLow(z, a), scale), offset));
  v128.store(out, f32x4.add(f32x4.mul(wordsHigh(z, a), scale), offset), 16);
  v128.store(out, f32x4.add(f32x4.mul(wordsLow(z, b), scale), offset), 32);
  v128.store(out, f32x4.add(f32x4.mul(wordsHigh(z, b), scale), offset), 48);
}
