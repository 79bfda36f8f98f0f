// The sums behind a signal-to-noise ratio: half the work of compare_sums.
//
// Squares of four values are added in float32 before they go to float64; what
// that rounds away is below the tenth digit. Squares of very large or very small
// values would leave float32: such stretches are left to the scalar reference.

// state, float64: sums of error^2 and x^2.
export function noise_sums(n: i32, expected: usize, actual: usize, state: usize): i32 {
  let noise = f64x2.splat(0), signal = f64x2.splat(0);
  const body = expected + ((<usize>(n & ~15)) << 2);
  while (expected < body) {
    const a = v128.load(expected), b = v128.load(expected, 16);
    const c = v128.load(expected, 32), d = v128.load(expected, 48);
    const p = f32x4.sub(a, v128.load(actual)), q = f32x4.sub(b, v128.load(actual, 16));
    const r = f32x4.sub(c, v128.load(actual, 32)), s = f32x4.sub(d, v128.load(actual, 48));
    const x = f32x4.add(f32x4.add(f32x4.mul(a, a), f32x4.mul(b, b)), f32x4.add(f32x4.mul(c, c), f32x4.mul(d, d)));
    const e = f32x4.add(f32x4.add(f32x4.mul(p, p), f32x4.mul(q, q)), f32x4.add(f32x4.mul(r, r), f32x4.mul(s, s)));
    signal = f64x2.add(signal, f64x2.promote_low_f32x4(x));
    noise = f64x2.add(noise, f64x2.promote_low_f32x4(e));
    signal = f64x2.add(signal, f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)));
    noise = f64x2.add(noise, f64x2.promote_low_f32x4(v128.shuffle<i64>(e, e, 1, 0)));
    expected += 64;
    actual += 64;
  }
  let xx = f64x2.extract_lane(signal, 0) + f64x2.extract_lane(signal, 1);
  let ee = f64x2.extract_lane(noise, 0) + f64x2.extract_lane(noise, 1);
  for (let i = 0, rest = n & 15; i < rest; i++) {
    const x = <f64>load<f32>(expected + (i << 2)), error = x - <f64>load<f32>(actual + (i << 2));
    xx += x * x;
    ee += error * error;
  }
  // The limits of noise.ts in plain JS.
  if (!(xx > 1e-24 && xx < 1e30 && ee < 1e30)) return 1;
  store<f64>(state, load<f64>(state) + ee);
  store<f64>(state, load<f64>(state, 8) + xx, 8);
  return 0;
}
