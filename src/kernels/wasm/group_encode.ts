// E2M1 values with a byte for each group, from floats to packed codes and bytes: a few
// groups at a time pass through the primitives of the generic way, in the first cache.

import { lowHalves, pin } from "./common";
import { LOW, evenProducts, evenQuotients, lowQuotients } from "./tile_e2m1";
import { storeKnownE4M3, tile_fit_e4m3 } from "./tile_e4m3";
import { tile_fit_e8m0 } from "./tile_e8m0";
import { tile_pack } from "./tile_pack";
import { tile_magnitudes } from "./tile_ranges";
import { BF16, F16, roundAny, roundToBF16, roundToF16 } from "./tile_round";

// Values at a time, of whole groups; up to as many have a byte together.
const CHUNK: i32 = 2048;

// What a chunk takes of the space that callers give, as src/model/byte_groups.ts counts it:
// values in another type, their codes, and three numbers for each of up to 128 groups.
const CODES: usize = 8192;
const MAGNITUDES: usize = 10240;
const NUMBERS: usize = 10752;
const FACTORS: usize = 11264;

// ---- the numbers of a chunk ----

// The largest magnitudes of groups, in the type of the values, and again what is last so
// that they fill whole vectors; false where a value is not finite.
function measure(n: i32, groups: i32, group: i32, src: usize, space: usize, dtype: i32): bool {
  const most = space + MAGNITUDES;
  if (tile_magnitudes(1, n, group, group, groups << 2, src, most)) return false;
  for (let g = groups; g & 3; g++) store<f32>(most + (<usize>g << 2), load<f32>(most + (<usize>(groups - 1) << 2)));
  if (dtype) roundAny((groups + 3) & ~3, most, most, dtype);
  return true;
}

// Exponents, whole numbers of 0 to 255 in floats, as bytes.
function storeExponents(n: i32, src: usize, dst: usize): void {
  const magic = pin(8388608), low = pin(reinterpret<f32>(255));
  for (; n > 0; n -= 4) {
    const x = v128.and(f32x4.add(v128.load(src), magic), low), halves = i16x8.narrow_i32x4_s(x, x), four = i8x16.narrow_i16x8_u(halves, halves);
    if (n >= 4) v128.store32_lane(dst, four, 0);
    else {
      let rest = i32x4.extract_lane(four, 0);
      for (let k = 0; k < n; k++, rest >>= 8) store<u8>(dst + k, <u8>rest);
    }
    src += 16;
    dst += 4;
  }
}

function leastOf(n: i32, src: usize): f32 {
  let least: f32 = Infinity;
  for (const end = src + (<usize>n << 2); src < end; src += 4) least = min(least, load<f32>(src));
  return least;
}

// ---- its codes ----

// Whether whole vectors of sixteen values are numbers of bfloat16 already, as weights of
// most checkpoints are.
function areBF16(src: usize, end: usize): bool {
  const low = lowHalves();
  for (; src < end; src += 64) {
    const x = v128.or(v128.or(v128.load(src), v128.load(src, 16)), v128.or(v128.load(src, 32), v128.load(src, 48)));
    if (v128.any_true(v128.and(x, low))) return false;
  }
  return true;
}

function encode(
  n: i32, group: i32, src: usize, packed: usize, space: usize, input: i32, rule: i32, product: i32, times: f32,
): void {
  const end = src + (<usize>n << 2);
  if (input && !(input == BF16 && areBF16(src, end))) {
    if (input == F16) roundToF16(src, end, space);
    else roundToBF16(src, end, space);
    src = space;
  }
  const codes = space + CODES, factors = space + FACTORS;
  if (rule >= LOW) lowQuotients(1, n, group, group, 0, src, codes, factors, rule, times);
  else if (product) evenProducts(1, n, group, group, 0, src, codes, factors, rule);
  else evenQuotients(1, n, group, group, 0, src, codes, factors, rule);
  tile_pack(n, codes, packed, 0, 0);
}

// ---- whole groups of whole vectors; 1 where a number is not ordinary ----

// Numbers are those of tile_fit_e4m3.
export function group_encode_e4m3(
  n: i32, src: usize, packed: usize, bytes: usize, space: usize, group: i32, input: i32, rule: i32, product: i32, times: f32,
  divisor: f32, dtype: i32, second: f32, divides: i32, least: f32, ofZero: f32, orElse: f32, way: i32, by: f32, ofNothing: f32, most: f32,
): i32 {
  for (let size = CHUNK / group * group; n > 0; n -= size) {
    size = min(size, n);
    const groups = size / group;
    if (!measure(size, groups, group, src, space, input)) return 1;
    if (
      tile_fit_e4m3(
        groups, space + MAGNITUDES, space + NUMBERS, space + FACTORS,
        divisor, dtype, second, divides, least, ofZero, orElse, way, by, ofNothing, most,
      )
    ) return 1;
    storeKnownE4M3(groups, space + NUMBERS, bytes);
    encode(size, group, src, packed, space, input, rule, product, times);
    src += <usize>size << 2;
    packed += <usize>size >> 1;
    bytes += groups;
  }
  return 0;
}

// Numbers are those of tile_fit_e8m0. What products of values of a type would be rounded
// to is left alone: with powers of two from 1 on they are of the type.
export function group_encode_e8m0(
  n: i32, src: usize, packed: usize, bytes: usize, space: usize, group: i32, input: i32, rule: i32, product: i32, times: f32,
  divisor: f32, lowest: f32, leastNormal: f32, dtype: i32, carry: i32, less: i32, byLogarithm: i32, ofZero: i32, isProduct: i32, factorOfZero: f32,
): i32 {
  for (let size = CHUNK / group * group; n > 0; n -= size) {
    size = min(size, n);
    const groups = size / group;
    if (!measure(size, groups, group, src, space, input)) return 1;
    if (
      tile_fit_e8m0(
        groups, space + MAGNITUDES, space + NUMBERS, space + FACTORS,
        divisor, lowest, leastNormal, dtype, carry, less, byLogarithm, ofZero, isProduct, factorOfZero,
      )
    ) return 1;
    storeExponents(groups, space + NUMBERS, bytes);
    if (input && leastOf(groups, space + FACTORS) < 1) return 1;
    encode(size, group, src, packed, space, input, rule, product, times);
    src += <usize>size << 2;
    packed += <usize>size >> 1;
    bytes += groups;
  }
  return 0;
}
