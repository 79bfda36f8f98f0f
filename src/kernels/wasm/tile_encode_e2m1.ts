// Codes of E2M1 of a tile. Groups are those of tile.ts.

import { encodeE2M1, isKnown } from "./tile_e2m1";

const SOME: usize = memory.data(80, 16);

// 1 where there is no kernel. What is left of groups that are not whole vectors is done
// as one vector more, of a copy, since at the end of the memory there may be no others.
export function tile_encode_e2m1(
  rows: i32, columns: i32, first: i32, group: i32, stride: i32,
  src: usize, codes: usize, factors: usize, rule: i32, product: i32, dtype: i32, times: f32,
): i32 {
  if (!isKnown(rule, product, dtype, times)) return 1;
  if (((first | group | columns) & 15) == 0) {
    encodeE2M1(rows, columns, first, group, stride, src, codes, factors, rule, product, dtype, times);
    return 0;
  }
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (let rest = columns, size = first; rest > 0; rest -= size, size = group) {
      const n = min(size, rest), whole = n & ~15, left = <usize>(n & 15);
      encodeE2M1(1, whole, whole, whole, 0, src, codes, factors + at, rule, product, dtype, times);
      src += <usize>whole << 2;
      codes += <usize>whole;
      if (left) {
        memory.copy(SOME, src, left << 2);
        encodeE2M1(1, 16, 16, 16, 0, SOME, SOME + 64, factors + at, rule, product, dtype, times);
        memory.copy(codes, SOME + 64, left);
      }
      src += left << 2;
      codes += left;
      at += 4;
    }
    factors += <usize>stride;
  }
  return 0;
}
