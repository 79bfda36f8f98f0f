// Search for one scale of eight values with codes 0 ... 63, as searchUnsigned of
// src/schemes/ggml_scale_search.ts does it (`make_qp_quants`).

import { roundMagic, zero } from "./common";

const LEVELS: i32 = 63;
const NEGLIGIBLE: f32 = 1e-15;

// Inverse scales of the candidates, and their errors.
const INVERSES: usize = memory.data(32, 16);
const ERRORS: usize = memory.data(32, 16);

// The steps that the candidates are off by: all but 0 from -4 to 4, times 0.1.
const STEPS: usize = memory.data<f32>([-4, -3, -2, -1, 1, 2, 3, 4], 16);

@inline function nearestInt(x: f32): i32 {
  return (reinterpret<i32>(x + 12582912) & 0x7fffff) - 0x400000;
}

// Errors of four candidates side by side.
function errorsOf(x: usize, w: usize, inverse: v128): v128 {
  const scale = f32x4.div(f32x4.splat(1), inverse), magic = roundMagic();
  const mantissa = i32x4.splat(0x7fffff), bias = i32x4.splat(0x400000), most = i32x4.splat(LEVELS);
  let error = zero();
  for (const end = x + 32; x < end; x += 4) {
    const value = v128.load32_splat(x);
    const t = v128.and(f32x4.add(f32x4.mul(inverse, value), magic), mantissa);
    const l = f32x4.convert_i32x4_s(i32x4.min_s(i32x4.sub(t, bias), most));
    const difference = f32x4.sub(value, f32x4.mul(scale, l));
    error = f32x4.add(error, f32x4.mul(f32x4.mul(v128.load32_splat(w), difference), difference));
    w += 4;
  }
  return error;
}

// The inverse scale with the least error; among equals the first, the plain one before all.
function bestInverse(x: usize, w: usize, largest: f32): f32 {
  const step = f32x4.splat(0.1), levels = f32x4.splat(<f32>LEVELS), l = f32x4.splat(largest);
  for (let at: usize = 0; at < 32; at += 16) {
    const inverse = f32x4.div(f32x4.add(f32x4.mul(step, v128.load(STEPS + at)), levels), l);
    v128.store(INVERSES + at, inverse);
    v128.store(ERRORS + at, errorsOf(x, w, inverse));
  }
  let inverse = <f32>LEVELS / largest, best = f32x4.extract_lane(errorsOf(x, w, f32x4.splat(inverse)), 0);
  for (let at: usize = 0; at < 32; at += 4) {
    if (load<f32>(ERRORS + at) < best) {
      best = load<f32>(ERRORS + at);
      inverse = load<f32>(INVERSES + at);
    }
  }
  return inverse;
}

// Moves each code to the best one for the scale that the others want, at most five times.
function improve(x: usize, w: usize, codes: usize, xl: f32, l2: f32): f32 {
  for (let pass = 0; pass < 5; pass++) {
    let changed = false;
    for (let at: usize = 0; at < 32; at += 4) {
      const value = load<f32>(x + at), weight = load<f32>(w + at), wx = weight * value;
      const code = <f32>load<i32>(codes + at);
      let othersXl = xl - wx * code, othersL2 = l2 - (weight * code) * code;
      if (!(othersXl > 0 && othersL2 > 0)) continue;
      const level = min(LEVELS, nearestInt((value * othersL2) / othersXl)), l = <f32>level;
      if (l == code) continue;
      othersXl += wx * l;
      othersL2 += (weight * l) * l;
      if ((othersXl * othersXl) * l2 > (xl * xl) * othersL2) {
        store<i32>(codes + at, level & 255);
        xl = othersXl;
        l2 = othersL2;
        changed = true;
      }
    }
    if (!changed) break;
  }
  return l2 > 0 ? xl / l2 : 0;
}

// Eight codes as words, cut to bytes as the reference does, and the scale, 0 for
// negligible values.
export function searchUnsigned(x: usize, w: usize, codes: usize): f32 {
  let largest: f32 = 0;
  for (let at: usize = 0; at < 32; at += 4) {
    const value = load<f32>(x + at);
    if (value > largest) largest = value;
  }
  if (largest < NEGLIGIBLE) {
    v128.store(codes, zero());
    v128.store(codes, zero(), 16);
    return 0;
  }
  const inverse = bestInverse(x, w, largest);
  let xl: f32 = 0, l2: f32 = 0;
  for (let at: usize = 0; at < 32; at += 4) {
    const value = load<f32>(x + at), weight = load<f32>(w + at);
    const code = min(LEVELS, nearestInt(inverse * value)) & 255, l = <f32>code;
    store<i32>(codes + at, code);
    xl += (weight * value) * l;
    l2 += (weight * l) * l;
  }
  return improve(x, w, codes, xl, l2);
}
