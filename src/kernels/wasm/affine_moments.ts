// What the codes of a group at a scale and a bias come to: momentsAt() of
// src/schemes/affine_fit.ts, to the bit. The lanes of a vector are the two sums of
// each kind there.

const TOP: f64 = 15;

// The group at hand: values, weights or 0, how many; sums of weights and of values by them.
export let values: usize = 0, weights: usize = 0, count: i32 = 0, one: f64 = 0, sum: f64 = 0;

// Of the codes that were looked at last: squared errors, codes, their squares, codes times values.
export let error: f64 = 0, c: f64 = 0, cc: f64 = 0, cx: f64 = 0;

@inline function pair(at: usize): v128 { return f64x2.promote_low_f32x4(v128.load64_zero(at)); }
@inline function last(at: usize): v128 { return f64x2.promote_low_f32x4(v128.load32_zero(at)); }
@inline function lanes(v: v128): f64 { return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1); }

// The end of the pairs; a value may be left behind them.
@inline function pairsEnd(): usize { return values + (usize(count & ~1) << 2); }

// The weight of that value, and nothing for the lane beside it.
@inline function lastWeight(at: usize): v128 {
  return weights ? last(weights + (at - values)) : f64x2.replace_lane(f64x2.splat(0), 0, 1);
}

// Sets a group whose sums are known.
export function setGroup(x: usize, w: usize, n: i32, ofWeights: f64, ofValues: f64): void {
  values = x;
  weights = w;
  count = n;
  one = ofWeights;
  sum = ofValues;
}

// Sets a group and sums it up.
export function measureGroup(x: usize, w: usize, n: i32): void {
  setGroup(x, w, n, 0, 0);
  let ones = f64x2.splat(0), sums = ones;
  const end = pairsEnd();
  for (let at = x; at < end; at += 8) {
    const weight = w ? pair(w + (at - x)) : f64x2.splat(1);
    ones = f64x2.add(ones, weight);
    sums = f64x2.add(sums, f64x2.mul(weight, pair(at)));
  }
  if (n & 1) {
    const weight = lastWeight(end);
    ones = f64x2.add(ones, weight);
    sums = f64x2.add(sums, f64x2.mul(weight, last(end)));
  }
  one = lanes(ones);
  sum = lanes(sums);
}

let errors: v128 = i32x4.splat(0), cs: v128 = i32x4.splat(0), ccs: v128 = i32x4.splat(0), cxs: v128 = i32x4.splat(0);

@inline function codesOf(x: v128, inverse: v128, bias: v128): v128 {
  const steps = f64x2.floor(f64x2.add(f64x2.mul(f64x2.sub(x, bias), inverse), f64x2.splat(0.5)));
  return f64x2.pmin(f64x2.pmax(steps, f64x2.splat(0)), f64x2.splat(TOP));
}

@inline function sumPairs(weighed: bool, scale: f64, shift: f64): void {
  const scales = f64x2.splat(scale), inverse = f64x2.splat(1 / scale), bias = f64x2.splat(shift);
  let e2 = f64x2.splat(0), c2 = e2, cc2 = e2, cx2 = e2;
  const end = pairsEnd(), toWeights = weights - values;
  for (let at = values; at < end; at += 8) {
    const x = pair(at), code = codesOf(x, inverse, bias);
    const off = f64x2.sub(x, f64x2.add(f64x2.mul(scales, code), bias)), square = f64x2.mul(off, off);
    if (weighed) {
      const w = pair(at + toWeights), part = f64x2.mul(w, code);
      e2 = f64x2.add(e2, f64x2.mul(w, square));
      c2 = f64x2.add(c2, part);
      cc2 = f64x2.add(cc2, f64x2.mul(part, code));
      cx2 = f64x2.add(cx2, f64x2.mul(part, x));
    } else {
      e2 = f64x2.add(e2, square);
      c2 = f64x2.add(c2, code);
      cc2 = f64x2.add(cc2, f64x2.mul(code, code));
      cx2 = f64x2.add(cx2, f64x2.mul(code, x));
    }
  }
  errors = e2;
  cs = c2;
  ccs = cc2;
  cxs = cx2;
}

@noinline function sumWeighed(scale: f64, bias: f64): void { sumPairs(true, scale, bias); }
@noinline function sumEven(scale: f64, bias: f64): void { sumPairs(false, scale, bias); }

function addLast(scale: f64, shift: f64): void {
  const x = last(pairsEnd()), w = lastWeight(pairsEnd()), bias = f64x2.splat(shift);
  const code = codesOf(x, f64x2.splat(1 / scale), bias), part = f64x2.mul(w, code);
  const off = f64x2.sub(x, f64x2.add(f64x2.mul(f64x2.splat(scale), code), bias));
  errors = f64x2.add(errors, f64x2.mul(w, f64x2.mul(off, off)));
  cs = f64x2.add(cs, part);
  ccs = f64x2.add(ccs, f64x2.mul(part, code));
  cxs = f64x2.add(cxs, f64x2.mul(part, x));
}

// Rounds the group to the nearest codes.
export function momentsAt(scale: f64, bias: f64): void {
  if (weights) sumWeighed(scale, bias);
  else sumEven(scale, bias);
  if (count & 1) addLast(scale, bias);
  error = lanes(errors);
  c = lanes(cs);
  cc = lanes(ccs);
  cx = lanes(cxs);
}

// The same where the scale is 0, and codes mean nothing.
export function momentsAtNone(bias: f64): void {
  const bs = f64x2.splat(bias), end = pairsEnd();
  let e2 = f64x2.splat(0);
  for (let at = values; at < end; at += 8) {
    const off = f64x2.sub(pair(at), bs), square = f64x2.mul(off, off);
    e2 = f64x2.add(e2, weights ? f64x2.mul(pair(weights + (at - values)), square) : square);
  }
  if (count & 1) {
    const off = f64x2.sub(last(end), bs);
    e2 = f64x2.add(e2, f64x2.mul(lastWeight(end), f64x2.mul(off, off)));
  }
  error = lanes(e2);
  c = cc = cx = 0;
}

// The codes of the group, a byte each.
export function storeCodes(scale: f64, bias: f64, codes: usize): void {
  const inverse = 1 / scale;
  for (let i = 0; i < count; i++) {
    const steps = floor((f64(load<f32>(values + (usize(i) << 2))) - bias) * inverse + 0.5);
    store<u8>(codes + usize(i), u8(min(max(steps, 0), TOP)));
  }
}
