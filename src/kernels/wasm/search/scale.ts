// The search for a group's scale: src/schemes/optimal_scale.ts, to the bit. P
// and Q are whole numbers, so it does not matter in which order they are added.

import * as Job from "./job";

// A point of the search: the scale at which values were rounded, P, Q, and P² / Q.
export namespace Point {
  export const SCALE: usize = 0;
  export const P: usize = 8;
  export const Q: usize = 16;
  export const SCORE: usize = 24;
  export const BYTES: usize = 32;
}

function clear(at: usize, bytes: usize): void {
  const zeros = i32x4.splat(0);
  for (const end = at + bytes; at < end; at += 16) v128.store(at, zeros);
}

// How many bits of a magnitude its bucket leaves out, of the group that was prepared last.
let shift: u32 = 0;

// Makes whole numbers below 2^24 of a group. Returns what they are to be
// multiplied by; 0 for a group of zeros.
export function prepareGroup(job: usize, values: usize, size: usize): f64 {
  const magnitudes = Job.magnitudes(job), bytes = size << 2, bits = i32x4.splat(0x7fffffff);
  let most = i32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) most = i32x4.max_s(most, v128.and(v128.load(values + i), bits));
  const largest = max(
    max(i32x4.extract_lane(most, 0), i32x4.extract_lane(most, 1)),
    max(i32x4.extract_lane(most, 2), i32x4.extract_lane(most, 3)),
  );
  if (largest === 0) {
    clear(magnitudes, bytes);
    return 0;
  }
  // 2^power takes magnitudes up; what does not fit in one float32 goes in two.
  const power = 150 - max(largest >> 23, 1), first = min(power, 127);
  const up = f32x4.splat(reinterpret<f32>((first + 127) << 23)), more = f32x4.splat(reinterpret<f32>((power - first + 127) << 23));
  let least = i32x4.splat(0x7fffffff);
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = f32x4.mul(f32x4.mul(v128.and(v128.load(values + i), bits), up), more);
    const whole = i32x4.trunc_sat_f32x4_s(f32x4.nearest(v));
    v128.store(magnitudes + i, whole);
    least = i32x4.min_s(least, whole);
  }
  const smallest = min(
    min(i32x4.extract_lane(least, 0), i32x4.extract_lane(least, 1)),
    min(i32x4.extract_lane(least, 2), i32x4.extract_lane(least, 3)),
  );
  store<f64>(job, f64(smallest), Job.SMALLEST);
  store<f64>(job, f64(nearest(reinterpret<f32>(largest) * f32x4.extract_lane(up, 0) * f32x4.extract_lane(more, 0))), Job.LARGEST);
  return reinterpret<f64>(u64(1023 - power) << 52);
}

// Puts magnitudes into buckets by their highest bits, the largest first, half
// as many buckets as there are values or so, and adds them up in that order. Within a
// bucket they lie as they come: sorting those too would cost more than it saves.
function distribute(job: usize, size: usize): void {
  const magnitudes = Job.magnitudes(job), placed = Job.placed(job), buckets = Job.buckets(job), sums = Job.sums(job);
  const width = min(max(u32(31 - clz(i32(size) - 1)), 4), 10), count: usize = 1 << width;
  shift = 24 - width;
  clear(buckets, count << 2);
  for (let i: usize = 0; i < size; i++) {
    const b = buckets + (usize(load<u32>(magnitudes + (i << 2)) >> shift) << 2);
    store<u32>(b, load<u32>(b) + 1);
  }
  let begin: u32 = 0;
  for (let b = buckets + ((count - 1) << 2); b >= buckets; b -= 4) {
    const n = load<u32>(b);
    store<u32>(b, begin);
    begin += n;
  }
  for (let i: usize = 0; i < size; i++) {
    const m = load<u32>(magnitudes + (i << 2)), b = buckets + (usize(m >> shift) << 2), at = load<u32>(b);
    store<u32>(placed + (usize(at) << 2), m);
    store<u32>(b, at + 1);
  }
  // Each bucket's entry has moved from where it begins to where it ends: where the next lower one begins.
  // Above the highest bucket there is nothing, and what no magnitude reaches is there; behind the last value zeros, which reach no bound.
  store<u64>(buckets + (count << 2), 0);
  clear(placed + (size << 2), 32);
  // Whole numbers, whose additions do not wait as long for each other.
  let sum: i64 = 0;
  store<f64>(sums, 0);
  for (let i: usize = 0; i < size; i++) {
    sum += i64(load<u32>(placed + (i << 2)));
    store<f64>(sums + ((i + 1) << 3), f64(sum));
  }
}

// The least magnitudes that reach two thresholds, in the low half.
@inline function twoLeast(job: usize, j: usize, scale: v128): v128 {
  return i32x4.trunc_sat_f64x2_s_zero(f64x2.ceil(f64x2.mul(v128.load(job + (j << 3), Job.THRESHOLDS), scale)));
}

// Finds the buckets of four thresholds.
@inline function findBuckets(job: usize, j: usize, scale: v128, buckets: v128): void {
  const found = v128.shuffle<i64>(twoLeast(job, j, scale), twoLeast(job, j + 2, scale), 0, 2);
  const least = i32x4.min_s(found, i32x4.splat(1 << 24));
  v128.store(job + (j << 2), i32x4.sub(least, i32x4.splat(1)), Job.BELOW);
  v128.store(job + (j << 2), i32x4.add(buckets, i32x4.shl(i32x4.shr_u(least, shift), 2)), Job.BUCKET);
}

// P and Q are added up in lanes, which are brought together once at the end: the
// search waits for each point before it knows the next.
function evaluate(job: usize, size: usize, scale: f64, point: usize): void {
  const sums = Job.sums(job), placed = Job.placed(job), low = load<f64>(job + Job.LEVELS);
  const both = f64x2.splat(scale), buckets = i32x4.splat(u32(Job.buckets(job)));
  findBuckets(job, 0, both, buckets);
  findBuckets(job, 4, both, buckets);
  let p = low * load<f64>(sums + (size << 3)), q = load<i32>(job + Job.LEAST_SQUARE) * i32(size), ps = f64x2.splat(0), qs = i32x4.splat(0);
  for (let j: usize = 0; j < 28; j += 4) {
    const bucket = usize(load<u32>(job + j, Job.BUCKET)), below = v128.load32_splat(job + j, Job.BELOW);
    const to = load<u32>(bucket);
    let at = load<u32>(bucket, 4), sum = f64x2.splat(0), reached = i32x4.splat(0);
    p += load<f64>(job + (j << 1), Job.RISES) * load<f64>(sums + (usize(at) << 3));
    q += load<i32>(job + j, Job.SQUARES) * at;
    // Eight at a time and no branch that could be guessed wrong: what lies behind
    // the bucket is in lower ones, and does not reach the bound either.
    do {
      const v = v128.load(placed + (usize(at) << 2)), w = v128.load(placed + (usize(at) << 2), 16);
      const a = i32x4.gt_s(v, below), b = i32x4.gt_s(w, below);
      const four = i32x4.add(v128.and(v, a), v128.and(w, b)), two = i32x4.add(four, v128.shuffle<i64>(four, four, 1, 0));
      sum = f64x2.add(sum, f64x2.convert_low_i32x4_s(two));
      reached = i32x4.add(reached, i32x4.add(a, b));
      at += 8;
    } while (at < to);
    ps = f64x2.add(ps, f64x2.mul(sum, v128.load64_splat(job + (j << 1), Job.RISES)));
    // A lane of `reached` is minus a count; of each, the low half is what is multiplied.
    qs = i32x4.sub(qs, i32x4.dot_i16x8_s(reached, v128.load32_splat(job + j, Job.SQUARES)));
  }
  p += f64x2.extract_lane(ps, 0) + f64x2.extract_lane(ps, 1);
  storePoint(point, scale, p, f64(q + sumOfFour(qs)));
}

@inline function sumOfFour(v: v128): i32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + (i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3));
}

@inline function storePoint(point: usize, scale: f64, p: f64, q: f64): void {
  store<f64>(point, scale, Point.SCALE);
  store<f64>(point, p, Point.P);
  store<f64>(point, q, Point.Q);
  store<f64>(point, p * p / q, Point.SCORE);
}

// memory.copy is a call out of the module; for so few bytes loads and stores are many times as fast.
@inline function copy(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
}

@inline function keepBetter(best: usize, point: usize): void {
  const difference = load<f64>(point, Point.SCORE) - load<f64>(best, Point.SCORE);
  if (difference > 0 || (difference === 0 && load<f64>(point, Point.Q) < load<f64>(best, Point.Q))) copy(best, point);
}

// The magnitudes are those of prepareGroup. Returns where the best point is.
export function bestScale(job: usize, size: usize): usize {
  const best = Job.points(job), first = best + Point.BYTES, mode = load<i32>(job + Job.MODE);
  const largest = load<f64>(job + Job.LARGEST), top = largest / load<f64>(job + Job.LEVELS + 56);
  if (mode === 0) {
    evaluateOne(job, size, top, best);
    return best;
  }
  distribute(job, size);
  // One place is left for the point with the largest scale.
  let point = first + Point.BYTES;
  for (let i: u32 = 0; i < load<u32>(job + Job.STARTS); i++, point += Point.BYTES) {
    evaluate(job, size, top * load<f64>(job + Job.START + (usize(i) << 3)), point);
    if (i === 0) copy(best, point);
    else keepBetter(best, point);
  }
  if (mode === 1) return best;
  evaluate(job, size, (largest + 1) / load<f64>(job + Job.THRESHOLDS), first);
  keepBetter(best, first);
  const smallest = max(load<f64>(job + Job.SMALLEST), 1);
  evaluate(job, size, smallest / 2 / load<f64>(job + Job.THRESHOLDS + 48), point);
  keepBetter(best, point);
  const cells = Job.cells(job);
  let cell = cells;
  for (let p = first; p < point; p += Point.BYTES, cell += Job.CELL_BYTES) {
    copy(cell, p);
    copy(cell + Point.BYTES, p + Point.BYTES);
    store<f64>(cell, bound(p, p + Point.BYTES), Point.SCORE);
  }
  search(job, size, best, cells, cell);
  return best;
}

// The largest magnitude that does not reach a threshold: > is one instruction where ≥ takes two.
@inline export function belowThreshold(job: usize, j: usize, scale: f64): v128 {
  return i32x4.splat(i32(Math.min(Math.ceil(load<f64>(job + Job.THRESHOLDS + (j << 3)) * scale), 16777216.0)) - 1);
}

// Minus the level of each magnitude: a comparison that holds is −1.
@inline export function levelsOf(m: v128, t1: v128, t2: v128, t3: v128, t4: v128, t5: v128, t6: v128, t7: v128): v128 {
  const a = i32x4.add(i32x4.gt_s(m, t1), i32x4.gt_s(m, t2)), b = i32x4.add(i32x4.gt_s(m, t3), i32x4.gt_s(m, t4));
  return i32x4.add(i32x4.add(a, b), i32x4.add(i32x4.add(i32x4.gt_s(m, t5), i32x4.gt_s(m, t6)), i32x4.gt_s(m, t7)));
}

// One scale only, in the order that magnitudes lie: sorting them would cost more.
function evaluateOne(job: usize, size: usize, scale: f64, point: usize): void {
  const t1 = belowThreshold(job, 0, scale), t2 = belowThreshold(job, 1, scale), t3 = belowThreshold(job, 2, scale), t4 = belowThreshold(job, 3, scale);
  const t5 = belowThreshold(job, 4, scale), t6 = belowThreshold(job, 5, scale), t7 = belowThreshold(job, 6, scale);
  // A byte of the table in the lowest byte of a lane; indices beyond it give 0.
  const table = v128.load(job + Job.LEVEL_BYTES), others = i32x4.splat(0xffffff00), zero = i32x4.splat(0);
  let p = i64x2.splat(0), q = i32x4.splat(0);
  for (let at = Job.magnitudes(job), end = at + (size << 2); at < end; at += 16) {
    const m = v128.load(at);
    const level = i8x16.swizzle(table, v128.or(i32x4.sub(zero, levelsOf(m, t1, t2, t3, t4, t5, t6, t7)), others));
    p = i64x2.add(p, i64x2.add(i64x2.extmul_low_i32x4_s(m, level), i64x2.extmul_high_i32x4_s(m, level)));
    q = i32x4.add(q, i32x4.dot_i16x8_s(level, level));
  }
  storePoint(point, scale, f64(i64x2.extract_lane(p, 0) + i64x2.extract_lane(p, 1)), f64(sumOfFour(q)));
}

// A cell is two points, the one with the larger scale first. No point between them
// scores more than `bound` says, which is kept in the place of the first one's score.
function bound(b: usize, a: usize): f64 {
  const hb = load<f64>(b, Point.SCALE) / 2, ha = load<f64>(a, Point.SCALE) / 2;
  const pb = load<f64>(b, Point.P), qb = load<f64>(b, Point.Q), qa = load<f64>(a, Point.Q);
  if (!(qa > qb && hb > ha)) return 0;
  const rise = (load<f64>(a, Point.P) - pb - ha * qa + hb * qb) / (hb - ha), p = pb + hb * (rise - qb);
  return p * p / rise;
}

function search(job: usize, size: usize, best: usize, cells: usize, end: usize): void {
  const middle = cells + Job.MOST_CELLS * Job.CELL_BYTES;
  while (end > cells) {
    end -= Job.CELL_BYTES;
    const b = end, a = end + Point.BYTES;
    if (!(load<f64>(b, Point.SCORE) > load<f64>(best, Point.SCORE))) continue;
    const qb = load<f64>(b, Point.Q), qa = load<f64>(a, Point.Q);
    evaluate(job, size, 2 * (load<f64>(a, Point.P) - load<f64>(b, Point.P)) / (qa - qb), middle);
    keepBetter(best, middle);
    const q = load<f64>(middle, Point.Q);
    if (!(q > qb && q < qa) || end + 2 * Job.CELL_BYTES > middle) continue;
    // (b, c) and (c, a), over the place of (b, a). Bounds are found together: neither waits for the other.
    const upper = bound(b, middle), lower = bound(middle, a);
    copy(end + Job.CELL_BYTES + Point.BYTES, a);
    copy(a, middle);
    copy(end + Job.CELL_BYTES, middle);
    store<f64>(end, upper, Point.SCORE);
    store<f64>(end + Job.CELL_BYTES, lower, Point.SCORE);
    end += 2 * Job.CELL_BYTES;
  }
}
