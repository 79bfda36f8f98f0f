import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  bf16ToF32,
  decodeBf16,
  encodeBf16,
  f32ToBf16,
} from "../../src/numeric/bf16.ts";
import {
  decodeF16,
  encodeF16,
  f16ToF32,
  f32ToF16,
} from "../../src/numeric/f16.ts";

interface Half {
  name: string;
  encode(x: number): number;
  decode(bits: number): number;
  encodeAll(values: Float32Array, out: Uint16Array): void;
  decodeAll(bits: Uint16Array, out: Float32Array): void;
  exponentBits: number;
  quietNaN: number;
}

const halves: Half[] = [
  {
    name: "f16",
    encode: f32ToF16,
    decode: f16ToF32,
    encodeAll: encodeF16,
    decodeAll: decodeF16,
    exponentBits: 5,
    quietNaN: 0x7e00,
  },
  {
    name: "bf16",
    encode: f32ToBf16,
    decode: bf16ToF32,
    encodeAll: encodeBf16,
    decodeAll: decodeBf16,
    exponentBits: 8,
    quietNaN: 0x7fc0,
  },
];

const codes = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** What sixteen bits mean, straight from the definition in IEEE 754. */
function meaning(bits: number, exponentBits: number): number {
  const mantissaBits = 15 - exponentBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits & 0x7fff) >> mantissaBits;
  const fraction = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  if (exponent === 2 ** exponentBits - 1) {
    return fraction === 0 ? sign * Infinity : NaN;
  }
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** The float32 `steps` away from `x` in magnitude. */
function neighbour(x: number, steps: number): number {
  const value = Float32Array.of(x);
  new Int32Array(value.buffer)[0] += steps;
  return value[0];
}

for (const half of halves) {
  const largest = half.decode((half.exponentBits === 5 ? 0x7c00 : 0x7f80) - 1);

  Deno.test(`${half.name}: every code means what IEEE 754 says`, () => {
    const bulk = new Float32Array(65536);
    half.decodeAll(codes, bulk);
    for (const code of codes) {
      const expected = meaning(code, half.exponentBits);
      assert(
        Object.is(half.decode(code), expected),
        `code ${code}: ${half.decode(code)}`,
      );
      assert(
        Object.is(bulk[code], expected),
        `bulk code ${code}: ${bulk[code]}`,
      );
    }
  });

  Deno.test(`${half.name}: every code comes back, a NaN as the quiet one with its sign`, () => {
    const bulk = new Float32Array(65536);
    const back = new Uint16Array(65536);
    half.decodeAll(codes, bulk);
    half.encodeAll(bulk, back);
    for (const code of codes) {
      const nan = Number.isNaN(half.decode(code));
      const expected = nan ? (code & 0x8000) | half.quietNaN : code;
      assertEquals(back[code], expected);
      if (!nan) assertEquals(half.encode(half.decode(code)), expected);
    }
    assertEquals(half.encode(NaN) & 0x7fff, half.quietNaN);
  });

  Deno.test(`${half.name}: ties go to even, one ulp beside a tie goes to the nearer`, () => {
    for (let code = 0; half.decode(code) < largest; code++) {
      const tie = (half.decode(code) + half.decode(code + 1)) / 2;
      for (const sign of [0, 0x8000]) {
        const factor = sign ? -1 : 1;
        assertEquals(half.encode(factor * tie), sign | (code + (code & 1)));
        assertEquals(half.encode(factor * neighbour(tie, -1)), sign | code);
        assertEquals(
          half.encode(factor * neighbour(tie, 1)),
          sign | (code + 1),
        );
      }
    }
  });

  Deno.test(`${half.name}: overflow becomes infinity, half a step above the largest`, () => {
    const step = largest - half.decode(half.encode(largest) - 1);
    const infinity = half.encode(Infinity);
    const edge = largest + step / 2;
    assertEquals(half.encode(largest), infinity - 1);
    assertEquals(half.encode(neighbour(edge, -1)), infinity - 1);
    assertEquals(half.encode(edge), infinity);
    assertEquals(half.encode(-edge), infinity | 0x8000);
    assertEquals(half.encode(3.4e38), infinity);
  });

  Deno.test(`${half.name}: bulk and scalar agree on any float32, at any offset`, () => {
    const anyFloat = fc.uint32Array({ minLength: 0, maxLength: 64 });
    fc.assert(fc.property(anyFloat, fc.nat(3), (words, offset) => {
      const values = new Float32Array(words.length + offset).subarray(offset);
      new Uint32Array(values.buffer, values.byteOffset, words.length).set(
        words,
      );
      const out = new Uint16Array(words.length + offset).subarray(offset);
      half.encodeAll(values, out);
      assertEquals(
        [...out].map((b) => b & 0x7fff),
        [...values].map((x) => half.encode(x) & 0x7fff),
      );
      const decoded = new Float32Array(words.length);
      half.decodeAll(out, decoded);
      assertEquals([...decoded], [...out].map((bits) => half.decode(bits)));
    }));
  });
}

Deno.test("f16: signs of zero and of what underflows are kept", () => {
  assertEquals(f32ToF16(-0), 0x8000);
  assertEquals(f32ToF16(-1e-30), 0x8000);
  assertEquals(f32ToF16(2 ** -25), 0);
  assertEquals(f32ToF16(neighbour(2 ** -25, 1)), 1);
  assertEquals(f32ToF16(2 ** -14 - 2 ** -26), 0x0400);
});
