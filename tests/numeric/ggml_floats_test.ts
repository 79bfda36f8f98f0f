import { assert, assertEquals } from "@std/assert";
import {
  nearestInt,
  truncateToInt32,
  truncateToInt8,
} from "../../src/numeric/c_casts.ts";
import { IQ4_VALUES, nearestIq4 } from "../../src/numeric/codebooks.ts";
import { E2M1_DOUBLED, nearestE2M1 } from "../../src/numeric/e2m1.ts";
import {
  ceilLog2f,
  decodeE8M0Half,
  encodeE8M0,
  floorLog2f,
} from "../../src/numeric/e8m0.ts";
import { loadF16 } from "../../src/numeric/f16_bytes.ts";
import { decodeUE4M3Half, encodeUE4M3 } from "../../src/numeric/ue4m3.ts";
import { nudge, random } from "../adversarial.ts";

const { floor, fround, log2 } = Math;

Deno.test("floorLog2f: ulps below every power of two, as log2 rounded to float32", () => {
  for (let k = -148; k <= 127; k++) {
    const power = fround(2 ** k);
    for (let ulps = -120; ulps <= 3; ulps++) {
      const x = nudge(power, ulps);
      if (!(x > 0)) continue;
      assertEquals(
        floorLog2f(x),
        floor(fround(log2(x))),
        `2^${k} ${ulps} ulps`,
      );
    }
  }
});

Deno.test("floorLog2f: random magnitudes, subnormals included", () => {
  const next = random(8);
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  for (let i = 0; i < 100_000; i++) {
    word[0] = 1 + floor(next() * 0x7f7ffffe) >>> (i % 3 === 0 ? 8 : 0) || 1;
    assertEquals(
      floorLog2f(float[0]),
      floor(fround(log2(float[0]))),
      `bits ${word[0]}`,
    );
  }
});

Deno.test("floorLog2f: the largest float32 counts as 2^128", () => {
  assertEquals(floorLog2f(3.4028234663852886e38), 128);
  assertEquals(floorLog2f(2 ** 127), 127);
});

Deno.test("encodeE8M0: largest magnitudes land in [4, 8), zero gets 0, the tiniest wrap", () => {
  assertEquals([1, 4, 7.99, 2 ** -125].map(encodeE8M0), [125, 127, 127, 0]);
  assertEquals([0, 2 ** -126, 2 ** -149].map(encodeE8M0), [0, 255, 232]);
});

Deno.test("decodeE8M0Half: exact at both ends", () => {
  assertEquals([0, 1, 128, 254, 255].map(decodeE8M0Half), [
    ...[2 ** -128, 2 ** -127, 1, 2 ** 126, 2 ** 127],
  ]);
});

Deno.test("UE4M3: every byte that the encoder makes comes back to itself below 256", () => {
  for (let byte = 0; byte < 15 << 3; byte++) {
    assertEquals(encodeUE4M3(2 * decodeUE4M3Half(byte)), byte);
  }
});

Deno.test("UE4M3: halves go up, 256 and more are 448, what is not positive is 0", () => {
  assertEquals([1.0625, 1.1875, 1.0624].map(encodeUE4M3), [0x39, 0x3a, 0x38]);
  assertEquals([247.9, 248, 256, 1e38].map(encodeUE4M3), [
    0x77,
    0x7e,
    0x7e,
    0x7e,
  ]);
  assertEquals([0, -0, -1, NaN, 2 ** -11].map(encodeUE4M3), [0, 0, 0, 0, 0]);
  assertEquals([2 ** -10, 2 ** -9, nudge(2 ** -6, -1)].map(encodeUE4M3), [
    1,
    1,
    7,
  ]);
});

Deno.test("UE4M3: decoding ignores the highest bit, 0 and 0x7F are 0", () => {
  assertEquals([0, 0x7f, 0x7e, 0x38].map(decodeUE4M3Half), [0, 0, 224, 0.5]);
  assertEquals([0x80, 0xb8].map(decodeUE4M3Half), [0, 0.5]);
});

Deno.test("nearestE2M1: ties go toward zero, code 8 is never written", () => {
  const ties = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5];
  assertEquals(ties.map((x) => nearestE2M1(x, 0.5)), [0, 1, 2, 3, 4, 5, 6]);
  assertEquals(ties.map((x) => nearestE2M1(-x, 0.5)), [
    0,
    9,
    10,
    11,
    12,
    13,
    14,
  ]);
  assertEquals(ties.map((x) => nearestE2M1(nudge(x, 1), 0.5)), [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
  ]);
  assertEquals([0, -0, -0.1, 7, -7].map((x) => nearestE2M1(x, 0.5)), [
    0,
    0,
    0,
    7,
    15,
  ]);
  assertEquals(E2M1_DOUBLED.length, 16);
});

Deno.test("nearestIq4: grid values are their own, ties go up, NaN is 15", () => {
  assertEquals([...IQ4_VALUES].map(nearestIq4), [...Array(16).keys()]);
  for (let code = 1; code < 16; code++) {
    const middle = (IQ4_VALUES[code - 1] + IQ4_VALUES[code]) / 2;
    assertEquals(nearestIq4(middle), code);
    assertEquals(nearestIq4(fround(middle - 1e-4)), code - 1);
  }
  assertEquals([-1e9, 1e9, NaN].map(nearestIq4), [0, 15, 15]);
});

Deno.test("nearestInt: half to even, and what the mantissa trick leaves out of range", () => {
  assertEquals([0.5, 1.5, -0.5, -1.5, 2.4].map((x) => nearestInt(x) + 0), [
    0,
    2,
    0,
    -2,
    2,
  ]);
  assertEquals([NaN, Infinity, -Infinity].map(nearestInt), [
    0,
    -0x400000,
    -0x400000,
  ]);
});

Deno.test("truncation casts: toward zero, out of range −2^31 and its low byte", () => {
  assertEquals([2.9, -2.9, 2 ** 31, NaN].map(truncateToInt32), [
    2,
    -2,
    -(2 ** 31),
    -(2 ** 31),
  ]);
  assertEquals([127.9, 128, 256, Infinity].map(truncateToInt8), [
    127,
    -128,
    0,
    0,
  ]);
  assert(Object.is(truncateToInt8(-0.5) + 0, 0));
});

Deno.test("loadF16: little-endian, at any offset", () => {
  const bytes = Uint8Array.of(0, 0x00, 0xc0, 0x00, 0xfe, 0);
  assertEquals(loadF16(bytes, 1), -2);
  assertEquals(loadF16(bytes, 3), NaN);
});

Deno.test("ceilLog2f: the float32 logarithm rounds down to a whole number just above its power", () => {
  const words = new Uint32Array(1), x = new Float32Array(words.buffer);
  for (let k = -126; k < 128; k++) {
    x[0] = 2 ** k;
    const power = words[0];
    assertEquals(ceilLog2f(x[0]), k);
    // How far the step from k to the next float32 of the logarithm reaches.
    const half = k === 0
      ? 0
      : 2 ** (Math.floor(Math.log2(k > 0 ? k : -k - 0.5)) - 24);
    for (const steps of [1, 2, 3, 10, 22, 23, 40, 1000]) {
      words[0] = power + steps;
      const above = Math.log1p(steps * 2 ** -23) * Math.LOG2E;
      assertEquals(ceilLog2f(x[0]), above > half ? k + 1 : k, `${k} ${steps}`);
    }
  }
});
