// Groups of columns: every row of `columns` values has the same numbers, one for each column.

import { bytesHigh, bytesLow, lowNibbleOfWord, pin, roundMagic, wordsHigh, wordsLow, zero } from "./common";

// Columns that all rows are gone through for at a time: their numbers are a page each,
// and stay in the nearest cache.
const NEAR: i32 = 1024;

// ---- ranges ----

// Columns whose ends are found at a time: a line of the cache.
const LINE: i32 = 16;

// Widens smallest and largest values of sixteen columns by those of all rows; the sum of all values.
@inline function widenLine(rows: i32, stride: usize, src: usize, mins: usize, maxs: usize, z: v128): v128 {
  let a = v128.load(mins), b = v128.load(mins, 16), c = v128.load(mins, 32), d = v128.load(mins, 48);
  let e = v128.load(maxs), f = v128.load(maxs, 16), g = v128.load(maxs, 32), h = v128.load(maxs, 48);
  let s = z, t = z;
  for (; rows > 0; rows--) {
    const x = v128.load(src), y = v128.load(src, 16), v = v128.load(src, 32), w = v128.load(src, 48);
    a = f32x4.pmin(a, x);
    b = f32x4.pmin(b, y);
    c = f32x4.pmin(c, v);
    d = f32x4.pmin(d, w);
    e = f32x4.pmax(e, x);
    f = f32x4.pmax(f, y);
    g = f32x4.pmax(g, v);
    h = f32x4.pmax(h, w);
    s = f32x4.add(s, f32x4.add(x, v));
    t = f32x4.add(t, f32x4.add(y, w));
    src += stride;
  }
  v128.store(mins, a);
  v128.store(mins, b, 16);
  v128.store(mins, c, 32);
  v128.store(mins, d, 48);
  v128.store(maxs, e);
  v128.store(maxs, f, 16);
  v128.store(maxs, g, 32);
  v128.store(maxs, h, 48);
  return f32x4.add(s, t);
}

function widenLines(rows: i32, stride: usize, lines: i32, src: usize, mins: usize, maxs: usize): bool {
  const z = zero();
  let sum = z;
  for (; lines > 0; lines--) {
    const s = widenLine(rows, stride, src, mins, maxs, z);
    sum = f32x4.add(sum, f32x4.sub(s, s));
    src += 64;
    mins += 64;
    maxs += 64;
  }
  return i32x4.all_true(f32x4.eq(sum, z));
}

// Of zeros the one with a sign is the smaller.
function widen(rows: i32, stride: usize, src: usize, mins: usize, maxs: usize): f32 {
  let low = load<f32>(mins), high = load<f32>(maxs), sum: f32 = 0;
  for (; rows > 0; rows--) {
    const x = load<f32>(src);
    low = min(low, x);
    high = max(high, x);
    sum += x - x;
    src += stride;
  }
  store<f32>(mins, low);
  store<f32>(maxs, high);
  return sum;
}

// Widens smallest and largest value of every column. 1 where a value is not finite, or too large to be sure.
export function column_ranges(rows: i32, columns: i32, src: usize, mins: usize, maxs: usize): i32 {
  const stride = <usize>columns << 2, lines = columns / LINE;
  if (!widenLines(rows, stride, lines, src, mins, maxs)) return 1;
  const wide = <usize>lines << 6, z = zero();
  let sum: f32 = 0;
  for (let at: usize = 0; at < stride; at += 4) {
    if (at < wide && (at & 15) == 0) {
      const ends = v128.or(f32x4.eq(v128.load(mins + at), z), f32x4.eq(v128.load(maxs + at), z));
      if (!v128.any_true(ends)) {
        at += 12;
        continue;
      }
    }
    sum += widen(rows, stride, src + at, mins + at, maxs + at);
  }
  return sum == 0 ? 0 : 1;
}

// ---- codes by the middle of their steps ----

@inline function narrowed(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

// What a row has beyond whole vectors is done as one vector more, of copies.
const SOME: usize = memory.data(256, 16);

function copyLeft(columns: i32, src: usize, first: usize, second: usize): void {
  const at = <usize>(columns & ~15) << 2, bytes = <usize>(columns & 15) << 2;
  memory.copy(SOME, src + at, bytes);
  memory.copy(SOME + 64, first + at, bytes);
  memory.copy(SOME + 128, second + at, bytes);
}

// floor(15 * (x - smallest) / width) of four values, the product without rounding.
@inline function stepsOf(src: usize, smallest: usize, widths: usize, z: v128, one: v128, fifteen: v128, sixteen: v128): v128 {
  const w = v128.load(widths);
  const p = f32x4.pmin(f32x4.pmax(z, f32x4.div(f32x4.sub(v128.load(src), v128.load(smallest)), w)), one);
  // Where it was rounded up to a whole number: 16 p less that is exact, and less than p.
  const k = f32x4.floor(f32x4.mul(p, fifteen)), above = f32x4.lt(f32x4.sub(f32x4.mul(p, sixteen), k), p);
  return v128.andnot(f32x4.sub(k, v128.and(above, one)), f32x4.eq(w, z));
}

function encodeMiddles(columns: i32, src: usize, codes: usize, smallest: usize, widths: usize): void {
  const z = zero(), one = pin(1), fifteen = pin(15), sixteen = pin(16), magic = roundMagic(), mask = lowNibbleOfWord();
  for (const end = codes + <usize>columns; codes < end; codes += 16) {
    const a = stepsOf(src, smallest, widths, z, one, fifteen, sixteen);
    const b = stepsOf(src + 16, smallest + 16, widths + 16, z, one, fifteen, sixteen);
    const c = stepsOf(src + 32, smallest + 32, widths + 32, z, one, fifteen, sixteen);
    const d = stepsOf(src + 48, smallest + 48, widths + 48, z, one, fifteen, sixteen);
    v128.store(codes, narrowed(
      v128.and(f32x4.add(a, magic), mask), v128.and(f32x4.add(b, magic), mask),
      v128.and(f32x4.add(c, magic), mask), v128.and(f32x4.add(d, magic), mask),
    ));
    src += 64;
    smallest += 64;
    widths += 64;
  }
}

// floor(clamp((x - smallest) / width, 0, 1) * 15), 0 where the width is 0; of finite values.
export function column_encode_middles(
  rows: i32, columns: i32, src: usize, codes: usize, smallest: usize, widths: usize,
): i32 {
  for (let from = 0; from < columns; from += NEAR) {
    const n = min(NEAR, columns - from), left = n & 15, numbers = <usize>from << 2;
    for (let row = 0; row < rows; row++) {
      const at = <usize>(row * columns + from);
      encodeMiddles(n - left, src + (at << 2), codes + at, smallest + numbers, widths + numbers);
      if (left) {
        copyLeft(n, src + (at << 2), smallest + numbers, widths + numbers);
        encodeMiddles(16, SOME, SOME + 192, SOME + 64, SOME + 128);
        memory.copy(codes + at + <usize>(n - left), SOME + 192, left);
      }
    }
  }
  return 0;
}

// ---- values ----

@inline function scaled(g: v128, scales: usize, offsets: usize): v128 {
  return f32x4.add(f32x4.mul(g, v128.load(scales)), v128.load(offsets));
}

// `n` of the columns, from `codes`, `scales`, `offsets` and `out` on.
function decode(
  rows: i32, columns: i32, n: i32, codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): void {
  const t0 = v128.load(grid), t1 = v128.load(grid, 16), t2 = v128.load(grid, 32), t3 = v128.load(grid, 48);
  const mask = i16x8.splat(255), high0 = i16x8.narrow_i32x4_u(i32x4.shr_u(t0, 16), i32x4.shr_u(t1, 16));
  const high1 = i16x8.narrow_i32x4_u(i32x4.shr_u(t2, 16), i32x4.shr_u(t3, 16)), words = i32x4.splat(0xffff);
  const low0 = i16x8.narrow_i32x4_u(v128.and(t0, words), v128.and(t1, words));
  const low1 = i16x8.narrow_i32x4_u(v128.and(t2, words), v128.and(t3, words));
  const p0 = i8x16.narrow_i16x8_u(v128.and(low0, mask), v128.and(low1, mask));
  const p1 = i8x16.narrow_i16x8_u(i16x8.shr_u(low0, 8), i16x8.shr_u(low1, 8));
  const p2 = i8x16.narrow_i16x8_u(v128.and(high0, mask), v128.and(high1, mask));
  const p3 = i8x16.narrow_i16x8_u(i16x8.shr_u(high0, 8), i16x8.shr_u(high1, 8));
  for (; rows > 0; rows--) {
    let s = scales, o = offsets;
    const end = out + (<usize>n << 2);
    for (const body = out + (<usize>(n & ~15) << 2); out < body; out += 64) {
      const c = v128.load(codes);
      const d = i8x16.swizzle(p2, c), e = i8x16.swizzle(p3, c), f = i8x16.swizzle(p0, c), h = i8x16.swizzle(p1, c);
      const high = bytesLow(d, e), high2 = bytesHigh(d, e), low = bytesLow(f, h), low2 = bytesHigh(f, h);
      v128.store(out, scaled(wordsLow(low, high), s, o));
      v128.store(out, scaled(wordsHigh(low, high), s + 16, o + 16), 16);
      v128.store(out, scaled(wordsLow(low2, high2), s + 32, o + 32), 32);
      v128.store(out, scaled(wordsHigh(low2, high2), s + 48, o + 48), 48);
      codes += 16;
      s += 64;
      o += 64;
    }
    for (; out < end; out += 4) {
      const g = load<f32>(grid + (<usize>load<u8>(codes) << 2)), x = load<f32>(s), y = load<f32>(o);
      store<f32>(out, g * x + y);
      codes++;
      s += 4;
      o += 4;
    }
    codes += <usize>(columns - n);
    out += <usize>(columns - n) << 2;
  }
}

// g * scale + offset of entries of a grid, for numbers that make no NaN.
export function column_decode(
  rows: i32, columns: i32, codes: usize, scales: usize, offsets: usize, grid: usize, out: usize,
): i32 {
  for (let from = 0; from < columns; from += NEAR) {
    const n = min(NEAR, columns - from), at = <usize>from << 2;
    decode(rows, columns, n, codes + <usize>from, scales + at, offsets + at, grid, out + at);
  }
  return 0;
}
