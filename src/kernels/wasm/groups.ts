// Four groups of 32 values side by side, for searches whose sums have to be added
// one value after the other: vector j holds value j of each.

import { zero } from "./common";

// Four rows of four floats to four vectors of one lane each.
@inline export function transposeFour(p: usize, q: usize, r: usize, s: usize, dst: usize): void {
  const a = v128.load(p), b = v128.load(q), c = v128.load(r), d = v128.load(s);
  const low = v128.shuffle<i32>(a, b, 0, 4, 1, 5), high = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const low2 = v128.shuffle<i32>(c, d, 0, 4, 1, 5), high2 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(dst, v128.shuffle<i64>(low, low2, 0, 2));
  v128.store(dst, v128.shuffle<i64>(low, low2, 1, 3), 16);
  v128.store(dst, v128.shuffle<i64>(high, high2, 0, 2), 32);
  v128.store(dst, v128.shuffle<i64>(high, high2, 1, 3), 48);
}

// Four rows of 32 floats to 32 vectors of one lane each.
export function transpose(p: usize, q: usize, r: usize, s: usize, dst: usize): void {
  for (const end = dst + 512; dst < end; dst += 64) {
    transposeFour(p, q, r, s, dst);
    p += 16;
    q += 16;
    r += 16;
    s += 16;
  }
}

// Sums of squares of four runs of floats; `work` is room for a transposed quad.
export function sumsOfSquares(p: usize, q: usize, r: usize, s: usize, bytes: usize, work: usize): v128 {
  let sum = zero();
  for (const end = p + bytes; p < end; p += 128) {
    transpose(p, q, r, s, work);
    for (let at = work; at < work + 512; at += 16) {
      const x = v128.load(at);
      sum = f32x4.add(sum, f32x4.mul(x, x));
    }
    q += 128;
    r += 128;
    s += 128;
  }
  return sum;
}

// Weights of transposed values: importance, transposed to where they go, times the
// root of sigma2 + x^2.
export function weighTransposed(values: usize, weights: usize, sigma2: v128): void {
  for (const end = values + 512; values < end; values += 16) {
    const x = v128.load(values);
    const magnitude = f32x4.sqrt(f32x4.add(sigma2, f32x4.mul(x, x)));
    v128.store(weights, f32x4.mul(v128.load(weights), magnitude));
    weights += 16;
  }
}
