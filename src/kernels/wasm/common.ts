// What every kernel file uses: constants, splats that stay in registers,
// byte and word interleaving, four-group transposes.

// V8 rebuilds a splatted constant in every iteration of a loop; a value loaded
// from memory once per call stays in a register. Up to 2x in the hot loops.
const CONSTANTS: usize = memory.data<u32>([
  0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff, //   0 magnitude bits of a float
  0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, 0x0f0f0f0f, //  16 low nibbles
  0x88888888, 0x88888888, 0x88888888, 0x88888888, //  32 sign bits of nibbles
  0x00100001, 0x00100001, 0x00100001, 0x00100001, //  48 (1, 16): joins two nibbles by i32x4.dot_i16x8_s
  0x0000ffff, 0x0000ffff, 0x0000ffff, 0x0000ffff, //  64 low halves
  0x4b400000, 0x4b400000, 0x4b400000, 0x4b400000, //  80 1.5 * 2^23: adding it rounds half to even
  0x0000000f, 0x0000000f, 0x0000000f, 0x0000000f, //  96 low nibble of each word
  0x4b004b00, 0x4b004b00, 0x4b004b00, 0x4b004b00, // 112 upper half of 2^23 + small integer
  0, 0, 0, 0, //                                     128 zero
  0, 0, 0, 0, //                                     144 scratch of pin()
], 16);

@inline export function magnitudeBits(): v128 { return v128.load(CONSTANTS, 0); }
@inline export function lowNibbles(): v128 { return v128.load(CONSTANTS, 16); }
@inline export function nibbleSigns(): v128 { return v128.load(CONSTANTS, 32); }
@inline export function joinWeights(): v128 { return v128.load(CONSTANTS, 48); }
@inline export function lowHalves(): v128 { return v128.load(CONSTANTS, 64); }
@inline export function roundMagic(): v128 { return v128.load(CONSTANTS, 80); }
@inline export function lowNibbleOfWord(): v128 { return v128.load(CONSTANTS, 96); }
@inline export function magicHigh(): v128 { return v128.load(CONSTANTS, 112); }
@inline export function zero(): v128 { return v128.load(CONSTANTS, 128); }

// A computed splat bounced through memory, for the same reason as above.
@inline export function pin(value: f32): v128 {
  v128.store(CONSTANTS, f32x4.splat(value), 144);
  return v128.load(CONSTANTS, 144);
}

// Workspace of the call at hand, between the constants and the engine's scratch
// space: memory.data() would put as many zeros into the module.
const WORKSPACE_BYTES: usize = 8192;
@inline export function workspace(): usize { return (__heap_base + 15) & ~15; }
@inline export function workspaceEnd(): usize { return workspace() + WORKSPACE_BYTES; }

// Which NaN comes of an operation differs between processors, and engines may
// alter it: where values can be NaN, all get the bits of src/numeric/nan.ts.
// Called only where a scale is not finite.
@noinline export function settleNaNs(from: usize, end: usize): void {
  for (; from < end; from += 4) {
    const x = load<f32>(from);
    if (x != x) store<u32>(from, 0x7fc00000);
  }
}

@inline export function isFinite32(x: f32): bool { return x - x == 0; }

// Byte and word interleaves.
@inline export function bytesLow(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
@inline export function bytesHigh(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
@inline export function wordsLow(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
@inline export function wordsHigh(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// Four vectors to one whose lane k is the largest (smallest) lane of vector k,
// so that scales and reciprocals of four groups are computed together.
@inline export function maxOfEachI32(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.max_s(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.max_s(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.max_s(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}
@inline export function maxOfEach(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.pmax(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.pmax(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return f32x4.pmax(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}
@inline export function minOfEach(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.pmin(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.pmin(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return f32x4.pmin(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

// Horizontal reductions of one vector.
@inline export function maxLaneI32(v: v128): i32 {
  return max(
    max(i32x4.extract_lane(v, 0), i32x4.extract_lane(v, 1)),
    max(i32x4.extract_lane(v, 2), i32x4.extract_lane(v, 3)),
  );
}

// Codes in words, four for the low and four for the high nibbles, to four bytes.
@inline export function storeNibbles(dst: usize, low: v128, high: v128): void {
  const words = v128.or(low, i32x4.shl(high, 4)), halves = i16x8.narrow_i32x4_s(words, words);
  v128.store32_lane(dst, i8x16.narrow_i16x8_u(halves, halves), 0);
}
