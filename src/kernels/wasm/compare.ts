// The sums behind compare(): float64, four columns each, so that every backend
// adds in the same order and gets the same bits.

// state, float64: sums of error^2, |error|, x^2, y^2, x * y (four columns each),
// then the largest |error| (four columns).
export function compare_sums(n: i32, expected: usize, actual: usize, state: usize): i32 {
  let square0 = v128.load(state), square1 = v128.load(state, 16);
  let size0 = v128.load(state, 32), size1 = v128.load(state, 48);
  let x0 = v128.load(state, 64), x1 = v128.load(state, 80);
  let y0 = v128.load(state, 96), y1 = v128.load(state, 112);
  let xy0 = v128.load(state, 128), xy1 = v128.load(state, 144);
  let top0 = v128.load(state, 160), top1 = v128.load(state, 176);
  const body = expected + ((<usize>(n & ~3)) << 2);
  while (expected < body) {
    const x = v128.load(expected), y = v128.load(actual);
    const a = f64x2.promote_low_f32x4(x), b = f64x2.promote_low_f32x4(y);
    const c = f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0));
    const d = f64x2.promote_low_f32x4(v128.shuffle<i64>(y, y, 1, 0));
    const e = f64x2.sub(a, b), f = f64x2.sub(c, d), g = f64x2.abs(e), h = f64x2.abs(f);
    square0 = f64x2.add(square0, f64x2.mul(e, e));
    square1 = f64x2.add(square1, f64x2.mul(f, f));
    size0 = f64x2.add(size0, g);
    size1 = f64x2.add(size1, h);
    x0 = f64x2.add(x0, f64x2.mul(a, a));
    x1 = f64x2.add(x1, f64x2.mul(c, c));
    y0 = f64x2.add(y0, f64x2.mul(b, b));
    y1 = f64x2.add(y1, f64x2.mul(d, d));
    xy0 = f64x2.add(xy0, f64x2.mul(a, b));
    xy1 = f64x2.add(xy1, f64x2.mul(c, d));
    top0 = f64x2.pmax(top0, g);
    top1 = f64x2.pmax(top1, h);
    expected += 16;
    actual += 16;
  }
  v128.store(state, square0); v128.store(state, square1, 16);
  v128.store(state, size0, 32); v128.store(state, size1, 48);
  v128.store(state, x0, 64); v128.store(state, x1, 80);
  v128.store(state, y0, 96); v128.store(state, y1, 112);
  v128.store(state, xy0, 128); v128.store(state, xy1, 144);
  v128.store(state, top0, 160); v128.store(state, top1, 176);
  for (let i = 0, rest = n & 3; i < rest; i++) {
    const x = <f64>load<f32>(expected + (i << 2)), y = <f64>load<f32>(actual + (i << 2)), error = x - y;
    const column = state + (i << 3);
    store<f64>(column, load<f64>(column) + error * error);
    store<f64>(column, load<f64>(column, 32) + abs(error), 32);
    store<f64>(column, load<f64>(column, 64) + x * x, 64);
    store<f64>(column, load<f64>(column, 96) + y * y, 96);
    store<f64>(column, load<f64>(column, 128) + x * y, 128);
    if (abs(error) > load<f64>(column, 160)) store<f64>(column, abs(error), 160);
  }
  return 0;
}
