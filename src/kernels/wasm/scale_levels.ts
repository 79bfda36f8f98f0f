// The levels that are nearest to values over a scale: of any grid by comparing with all
// thresholds; of even grids and of E2M1 by rounding, which needs no table.

// What levels are: whole numbers one after the other, those of E2M1, or others that
// scale_tables.ts knows. And what compares with all thresholds, whatever they are.
export const ANY: i32 = 0;
export const UNIFORM: i32 = 1;
export const E2M1: i32 = 2;
export const TABLE: i32 = 3;

// Which bytes of a vector of ranks are those that every byte of a lane goes by.
const SPREAD: usize = memory.data<u8>([0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12], 16);

@inline export function spread(): v128 { return v128.load(SPREAD); }

// How many thresholds each of four values is beyond.
@inline export function ranksOf(x: v128, bounds: usize): v128 {
  let a = f32x4.gt(x, v128.load(bounds)), b = f32x4.gt(x, v128.load(bounds, 16));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 32)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 48)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 64)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 80)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 96)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 112)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 128)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 144)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 160)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 176)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 192)));
  b = i32x4.add(b, f32x4.gt(x, v128.load(bounds, 208)));
  a = i32x4.add(a, f32x4.gt(x, v128.load(bounds, 224)));
  return i32x4.neg(i32x4.add(a, b));
}

// Levels by rank, of the four bytes of each in planes.
@inline export function levelsAt(ranks: v128, planes: usize): v128 {
  const bytes = i8x16.swizzle(ranks, spread());
  const a = i8x16.swizzle(v128.load(planes), bytes), b = i8x16.swizzle(v128.load(planes, 16), bytes);
  const c = i8x16.swizzle(v128.load(planes, 32), bytes), d = i8x16.swizzle(v128.load(planes, 48), bytes);
  return v128.bitselect(
    v128.bitselect(a, b, i16x8.splat(0xff)), v128.bitselect(c, d, i16x8.splat(0xff)), i32x4.splat(0xffff),
  );
}

// Rounding without a table, of quotients y of values and scales, by magnitude for E2M1:
// clamped, with the size of the steps there, to the nearest level, and whether the
// threshold is so near that roundings may have led to its other side.
@inline export function clamped(style: i32, y: v128, low: v128, high: v128, magnitude: v128): v128 {
  return f32x4.pmin(style === E2M1 ? v128.and(y, magnitude) : f32x4.pmax(y, low), high);
}

// Of E2M1 the power of two below the magnitude, at least 1: twice the step.
@inline export function sizeOf(style: i32, y: v128, one: v128): v128 {
  return style === E2M1 ? v128.and(f32x4.pmax(y, one), i32x4.splat(0x7f800000)) : one;
}

// Adding 1.5 · 2^22 times the power of two below a number rounds it to one bit behind
// the first.
@inline export function roundedBy(style: i32, y: v128, size: v128): v128 {
  if (style !== E2M1) return f32x4.nearest(y);
  const magic = i32x4.add(size, i32x4.splat(0x0b400000));
  return f32x4.sub(f32x4.add(y, magic), magic);
}

@inline export function isUnsure(style: i32, y: v128, level: v128, size: v128, magnitude: v128): v128 {
  const off = v128.and(f32x4.sub(y, level), magnitude);
  return style === E2M1 ? f32x4.gt(off, f32x4.mul(size, f32x4.splat(0.24999))) : f32x4.gt(off, f32x4.splat(0.49999));
}

// Small whole numbers as integers.
@inline function wholeOf(x: v128): v128 {
  return i32x4.sub(f32x4.add(x, f32x4.splat(12582912)), i32x4.splat(0x4b400000));
}

// How far from that of 0 the level is among the others; the sign of E2M1 is that of y.
// Its magnitudes up to 2 are two for each 1, up to 4 one, beyond one for each 2.
@inline export function numberOf(style: i32, level: v128, y: v128, size: v128): v128 {
  if (style !== E2M1) return wholeOf(level);
  const steps = f32x4.mul(level, i32x4.sub(i32x4.splat(0x40000000 + 0x3f800000), size));
  const powers = i32x4.sub(i32x4.shr_u(size, 22), i32x4.splat(254));
  const number = i32x4.add(wholeOf(steps), powers), negative = i32x4.shr_s(y, 31);
  return i32x4.sub(v128.xor(number, negative), negative);
}
