// Tables of sixteen floats as planes of bytes: byte k of each in plane k, so that
// i8x16.swizzle looks up sixteen at once.

@inline export function planesBelow(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
}
@inline export function planesAbove(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 2, 6, 10, 14, 18, 22, 26, 30, 3, 7, 11, 15, 19, 23, 27, 31);
}
@inline export function evenPlane(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 0, 2); }
@inline export function oddPlane(a: v128, b: v128): v128 { return v128.shuffle<i64>(a, b, 1, 3); }
