import { assertEquals } from "@std/assert";
import {
  decodeE4M3,
  encodeE4M3,
  encodeE4M3Bits,
} from "../../src/numeric/e4m3.ts";

const float = new Float32Array(1), bits = new Int32Array(float.buffer);

/** The float32 so many steps beyond a positive one. */
function nudged(x: number, steps: number): number {
  float[0] = x;
  bits[0] += steps;
  return float[0];
}

function bitsOf(x: number): number {
  float[0] = x;
  return bits[0];
}

Deno.test("E4M3: every number keeps its byte, and what lies between two goes to the nearer one, from the middle to the even one", () => {
  for (let byte = 0; byte < 0x7e; byte++) {
    const low = decodeE4M3(byte), high = decodeE4M3(byte + 1);
    const middle = (low + high) / 2, even = byte + (byte & 1);
    const expected: [number, number][] = [
      [low, byte],
      [nudged(middle, -1), byte],
      [middle, even],
      [nudged(middle, 1), byte + 1],
      [nudged(high, -1), byte + 1],
    ];
    for (const [x, wanted] of expected) {
      assertEquals(encodeE4M3(x), wanted, `${x}`);
      assertEquals(encodeE4M3(-x), wanted | 0x80, `${-x}`);
      assertEquals(encodeE4M3Bits(bitsOf(-x), 0xff), wanted | 0x80, `${-x}`);
    }
  }
});

Deno.test("E4M3: beyond 448 numbers saturate, a NaN has the byte that is given", () => {
  const large = [448, 449, 464, 465, 3e38, Infinity];
  assertEquals(large.map(encodeE4M3), large.map(() => 0x7e));
  assertEquals(large.map((x) => encodeE4M3(-x)), large.map(() => 0xfe));
  assertEquals([1e-45, 2 ** -11, 1e-38].map(encodeE4M3), [0, 0, 0]);
  assertEquals(encodeE4M3(NaN), 0x7f);
  for (const nan of [0x7fc00000, 0xffc00000 | 0, 0x7f800001]) {
    assertEquals(encodeE4M3Bits(nan, 0xff), 0xff);
  }
});
