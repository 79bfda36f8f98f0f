// The nearest number of a type that scales are stored in: scalesIn() of
// src/schemes/stored_scale.ts, to the bit. Types by number: 0 float32, 1 float16,
// 2 bfloat16.

// The same of a type: half to even, by way of float32. For numbers that are not
// negative, and not beyond the largest.
@inline function roundedIn(dtype: u32, x: f64): f64 {
  const f = f32(x);
  if (dtype === 0) return f64(f);
  const bits = reinterpret<u32>(f), drop: u32 = dtype === 1 ? 13 : 16;
  // Below 2^-14 a float16 is a multiple of 2^-24.
  if (dtype === 1 && f < reinterpret<f32>(0x38800000)) return f64((f + <f32>0.5) - <f32>0.5);
  const odd = (bits >> drop) & 1;
  return f64(reinterpret<f32>(((bits + (1 << (drop - 1)) - 1 + odd) >> drop) << drop));
}

// The nearest, of two the larger one; not beyond the largest. For numbers that are not negative.
export function nearestOf(dtype: u32, most: f64, scale: f64): f64 {
  if (scale >= most) return most;
  if (!(scale > 0)) return scale;
  const near = roundedIn(dtype, scale), twin = 2 * scale - near;
  return twin > near && twin <= most && roundedIn(dtype, twin) === twin ? twin : near;
}

const LARGEST_HALF: f64 = 65504;

// Any number as a float16, infinite beyond the largest.
export function halfOf(x: f64): f64 {
  const magnitude = f64(abs(f32(x)));
  // Halfway to the next one, which is not there.
  if (magnitude >= LARGEST_HALF + 16) return x * Infinity;
  return copysign(roundedIn(1, magnitude), x);
}

// Any number in a type.
export function numberIn(dtype: u32, x: f64): f64 {
  return dtype === 1 ? halfOf(x) : copysign(roundedIn(dtype, abs(x)), x);
}
