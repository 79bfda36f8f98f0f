// Values of groups that have a byte each, by a table for every byte: what sixteen codes
// are under it is worked out before, in all its roundings.

import { bytesHigh, bytesLow, lowNibbles, wordsHigh, wordsLow, zero } from "./common";
import { evenPlane, oddPlane, planesAbove, planesBelow } from "./planes";

// n tables of sixteen floats to planes of sixteen bytes: bytes 2, 3, 0 and 1 of each; and
// whether some of the lower two are not 0.
export function table_planes(n: i32, src: usize, dst: usize, full: usize): i32 {
  let any = zero();
  for (; n > 0; n--) {
    const a = v128.load(src), b = v128.load(src, 16), c = v128.load(src, 32), d = v128.load(src, 48);
    const above = planesAbove(a, b), above2 = planesAbove(c, d), below = planesBelow(a, b), below2 = planesBelow(c, d);
    v128.store(dst, evenPlane(above, above2));
    v128.store(dst, oddPlane(above, above2), 16);
    v128.store(dst, evenPlane(below, below2), 32);
    v128.store(dst, oddPlane(below, below2), 48);
    any = v128.or(any, v128.or(below, below2));
    src += 64;
    dst += 64;
  }
  store<i32>(full, <i32>v128.any_true(any));
  return 0;
}

// Whole groups of whole vectors; of two codes in a byte the first is the lower half.
@inline function decode(n: i32, src: usize, bytes: usize, out: usize, tables: usize, group: i32, full: bool): void {
  const mask = lowNibbles(), z = zero(), size = <usize>group << 2;
  for (const end = out + (<usize>n << 2); out < end;) {
    const table = tables + (<usize>load<u8>(bytes) << 6);
    const p2 = v128.load(table), p3 = v128.load(table, 16), p0 = full ? v128.load(table, 32) : z, p1 = full ? v128.load(table, 48) : z;
    for (const last = out + size; out < last; out += 64) {
      const v = v128.load64_zero(src), c = bytesLow(v128.and(v, mask), v128.and(i16x8.shr_u(v, 4), mask));
      const d = i8x16.swizzle(p2, c), e = i8x16.swizzle(p3, c), high = bytesLow(d, e), high2 = bytesHigh(d, e);
      let low = z, low2 = z;
      if (full) {
        const a = i8x16.swizzle(p0, c), b = i8x16.swizzle(p1, c);
        low = bytesLow(a, b);
        low2 = bytesHigh(a, b);
      }
      v128.store(out, wordsLow(low, high));
      v128.store(out, wordsHigh(low, high), 16);
      v128.store(out, wordsLow(low2, high2), 32);
      v128.store(out, wordsHigh(low2, high2), 48);
      src += 8;
    }
    bytes++;
  }
}

// A function for each, so that what is loaded once stays in registers.
@noinline function decodeFull(n: i32, src: usize, bytes: usize, out: usize, tables: usize, group: i32): void {
  decode(n, src, bytes, out, tables, group, true);
}
@noinline function decodeShort(n: i32, src: usize, bytes: usize, out: usize, tables: usize, group: i32): void {
  decode(n, src, bytes, out, tables, group, false);
}

export function table_decode(n: i32, src: usize, bytes: usize, out: usize, tables: usize, group: i32, full: i32): i32 {
  if (full) decodeFull(n, src, bytes, out, tables, group);
  else decodeShort(n, src, bytes, out, tables, group);
  return 0;
}
