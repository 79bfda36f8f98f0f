// From sums to keys, of which larger is better, and to those that reach a bound.

// What is known of a query beside its numbers:
//   0 f32 base of the second sums   4 f32 step   8 f32 offset   12 f32 norm
@inline function splatAt(query: usize, offset: usize): v128 { return f32x4.splat(load<f32>(query + offset)); }

@inline function asFloats(sums: usize, whole: bool): v128 {
  const v = v128.load(sums);
  return whole ? f32x4.convert_i32x4_s(v) : v;
}

// metric: 0 dot, 1 cosine, 2 euclidean. `low` is where the second sums are, or 0.
// Rows come in fours; one float32 rounding for each operation, as the plain-JS twin has it.
export function finish(rows: i32, sums: usize, low: usize, whole: bool, scales: usize, norms: usize, query: usize, metric: i32, keys: usize): void {
  const base = splatAt(query, 0), step = splatAt(query, 4), offset = splatAt(query, 8), own = splatAt(query, 12);
  const nothing = f32x4.splat(0);
  for (let at: usize = 0; at < (usize(rows) << 2); at += 16) {
    let total = asFloats(sums + at, whole);
    if (low) total = f32x4.add(f32x4.mul(total, base), asFloats(low + at, whole));
    const dot = f32x4.add(f32x4.mul(f32x4.mul(total, v128.load(scales + at)), step), offset);
    let key = dot;
    if (metric) {
      const norm = v128.load(norms + at);
      key = metric === 1
        ? v128.and(f32x4.div(f32x4.mul(dot, own), norm), f32x4.gt(norm, nothing))
        : f32x4.sub(f32x4.add(dot, dot), f32x4.add(f32x4.mul(norm, norm), own));
    }
    v128.store(keys + at, key);
  }
}

// Writes the indices of the keys, from `from` on to before `to`, that are at least `bound`; returns how many.
export function select(from: i32, to: i32, keys: usize, bound: f32, hits: usize): i32 {
  const b = f32x4.splat(bound), first = hits;
  for (let row = from; row < to; row += 8) {
    const p = keys + (usize(row) << 2);
    const low = f32x4.ge(v128.load(p), b), high = f32x4.ge(v128.load(p, 16), b);
    if (!v128.any_true(v128.or(low, high))) continue;
    let mask = i32x4.bitmask(low) | (i32x4.bitmask(high) << 4);
    for (; mask !== 0; mask &= mask - 1) {
      const at = row + ctz(mask);
      if (at >= to) break;
      store<u32>(hits, at);
      hits += 4;
    }
  }
  return i32((hits - first) >> 2);
}
