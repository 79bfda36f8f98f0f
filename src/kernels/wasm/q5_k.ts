// q5_k: super-blocks of 256 in 176 bytes: scales and offsets as in q4_k, 32 bytes of
// highest bits (bit g of byte k is that of value k of group g), 128 bytes of the rest.

import { lowNibbles, magicHigh, pin, settleNaNs, zero } from "./common";
import { isOdd } from "./float16";
import { loadScales, STORED_OFFSETS, STORED_SCALES, storeValues } from "./q4_k";

// Bit `bit` of each byte, where a code's fifth bit belongs.
@inline function fifth(high: v128, bit: i32, one: v128): v128 {
  return i16x8.shl(v128.and(i16x8.shr_u(high, bit), one), 4);
}

export function q5_k_dequantize(n: i32, src: usize, out: usize): i32 {
  const z = zero(), magic = magicHigh(), mask = lowNibbles(), two23 = pin(8388608), one = i8x16.splat(1);
  for (; n > 0; n -= 256) {
    loadScales(src);
    const odd = isOdd(src) || isOdd(src + 2);
    const h = v128.load(src, 16), h2 = v128.load(src, 32);
    src += 48;
    for (let g: i32 = 0; g < 8; g += 2) {
      const at = <usize>g << 2;
      const scale = v128.load32_splat(STORED_SCALES + at), scale2 = v128.load32_splat(STORED_SCALES + at, 4);
      const offset = v128.load32_splat(STORED_OFFSETS + at), offset2 = v128.load32_splat(STORED_OFFSETS + at, 4);
      const a = v128.load(src), b = v128.load(src, 16);
      storeValues(out, v128.or(v128.and(a, mask), fifth(h, g, one)), scale, offset, z, magic, two23);
      storeValues(out + 64, v128.or(v128.and(b, mask), fifth(h2, g, one)), scale, offset, z, magic, two23);
      const c = v128.and(i16x8.shr_u(a, 4), mask), d = v128.and(i16x8.shr_u(b, 4), mask);
      storeValues(out + 128, v128.or(c, fifth(h, g + 1, one)), scale2, offset2, z, magic, two23);
      storeValues(out + 192, v128.or(d, fifth(h2, g + 1, one)), scale2, offset2, z, magic, two23);
      src += 32;
      out += 256;
    }
    if (odd) settleNaNs(out - 1024, out);
  }
  return 0;
}
