// Numbers of the groups of a tile, whatever they mean.

// 1 where a number is not from `least` to `most`, as no NaN is.
export function tile_outside(n: i32, src: usize, least: f32, most: f32): i32 {
  const low = f32x4.splat(least), high = f32x4.splat(most), end = src + (<usize>n << 2);
  let inside = i32x4.splat(-1);
  for (const body = src + (<usize>(n & ~3) << 2); src < body; src += 16) {
    const x = v128.load(src);
    inside = v128.and(inside, v128.and(f32x4.ge(x, low), f32x4.le(x, high)));
  }
  for (; src < end; src += 4) {
    const x = v128.load32_splat(src);
    inside = v128.and(inside, v128.and(f32x4.ge(x, low), f32x4.le(x, high)));
  }
  return i32x4.all_true(inside) ? 0 : 1;
}
